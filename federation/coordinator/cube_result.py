"""What the asker of a cube reads first, and the file that holds its cells for what comes later."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from consent.catalogue import Catalogue
from federation.cube_layout import cube_layout
from federation.cube_plan import CubePlan
from federation.statistics.figures import LEVEL
from privacy.mechanisms import Release


def cube_result(
    plan: CubePlan, catalogue: Catalogue, release: Release, path: Path
) -> dict[str, Any]:
    """Keep a released cube in a file and describe it.

    The file is a compressed npz with one array, `cells`: float64, clients, noise in them, in the
    order of the plan's layout. Post-processing of it costs nothing.

    Args:
        plan: what was asked.
        catalogue: the one that the plan names.
        release: the noised cells.
        path: where to keep them.
    """
    layout = cube_layout(plan, catalogue)
    np.savez_compressed(path, cells=release.values)
    return {
        "kind": plan.kind,
        "fields": [
            {"field": c.field.name, "department": c.department, "labels": list(c.field.labels())}
            for c in layout.columns
        ],
        "tables": len(layout.tables),
        "cells": layout.cells,
        "standard_error": release.standard_error,
        "level": LEVEL,
        "half_width": release.interval(LEVEL),
        "cube": path.name,
        "sha256": sha256(path.read_bytes()).hexdigest(),
    }
