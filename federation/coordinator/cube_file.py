"""A released cube, read back from its file beside the database."""

import zipfile
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO

import numpy as np
import numpy.typing as npt

from consent.catalogue import Catalogue
from federation.coordinator.desk import Desk
from federation.coordinator.documents import Documents
from federation.coordinator.runs import Run, RunState
from federation.cube_layout import CubeLayout, cube_layout, standard_error
from federation.cube_plan import CubePlan
from federation.errors import CubeUnavailable
from federation.plans import read_plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Cube:
    """One released cube. Public.

    run: that released it. layout: of its plan. cells: float64, clients with noise in them.
    sigma: standard deviation of the noise in each cell. epoch: of consent, that every node at least
    held. age_s: seconds since it was released.
    """

    run: str
    layout: CubeLayout
    cells: npt.NDArray[np.float64] = field(repr=False)
    sigma: float
    epoch: int
    age_s: int


def open_cube(run: Run, desk: Desk, *, now: int) -> Cube:
    """Read a cube's file and check that it is what the run released.

    Args:
        run: a released cube.
        desk: of the coordinator.
        now: seconds since the Unix epoch.

    Raises:
        CubeUnavailable: the run is no cube or has released nothing, or its file or catalogue is
            missing or was altered.
    """
    plan = read_plan(run.plan)
    if not isinstance(plan, CubePlan) or run.state is not RunState.RELEASED:
        raise CubeUnavailable(run.id, "it has released no cube")
    result, label = run.result or {}, run.label or {}
    try:
        data = (desk.settings.models / f"{run.id}.npz").read_bytes()
        if sha256(data).hexdigest() != result.get("sha256"):
            raise CubeUnavailable(run.id, "its file was altered; restore it from a backup")
        with np.load(BytesIO(data), allow_pickle=False) as file:
            cells = file["cells"]
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        raise CubeUnavailable(run.id, "its file is gone; restore it from a backup") from None
    return Cube(
        run=run.id,
        layout=cube_layout(plan, _catalogue(plan, run, desk)),
        cells=cells,
        sigma=standard_error(plan),
        epoch=int(label["consent_epoch"]),
        age_s=max(0, now - (run.ended_at or now)),
    )


def _catalogue(plan: CubePlan, run: Run, desk: Desk) -> Catalogue:
    """Return the catalogue that the plan names, however old it is."""
    if plan.catalogue == desk.catalogue.digest():
        return desk.catalogue
    for document in Documents(desk.engine).all():
        if document.kind == "catalogue":
            catalogue = Catalogue.model_validate(document.body, strict=False)
            if catalogue.digest() == plan.catalogue:
                return catalogue
    raise CubeUnavailable(run.id, "the catalogue it was planned under is not known any more")
