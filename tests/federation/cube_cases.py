"""Cubes over the test firm, with noise off in the test's own nodes, and the plain join."""

from typing import Any

import numpy as np
import numpy.typing as npt

from federation.cube_journey import build_cube
from federation.cube_layout import CubeLayout, cube_layout
from federation.cube_plan import CubePlan
from federation.rounds import drive

SHUFFLE = bytes(range(32))
SOURCES = {"age": "advisory", "defaulted": "risk", "education": "research", "income": "research"}

Tables = npt.NDArray[np.float64]


def cube_plan(firm: Any, **changes: Any) -> CubePlan:
    sources = changes.pop("sources", SOURCES)
    values = {
        "kind": "cube",
        "catalogue": firm.catalogue.digest(),
        "purpose": "review",
        "unit": "household",
        "cohort": tuple(sorted(set(sources.values()))),
        "sources": tuple({"field": f, "department": d} for f, d in sorted(sources.items())),
        "clients": 1024,
        "rho": 8.0,
        "reason": "a test",
    }
    return CubePlan.model_validate(values | changes)


def silence(firm: Any, noise: Any = lambda _sigma, size: np.zeros(size, np.int64)) -> None:
    """Give the test's own nodes another source of noise; the product has no such door."""
    for node in firm.nodes.values():
        object.__setattr__(node, "noise", noise)


def released(firm: Any, plan: CubePlan, exchange: Any = None, **changes: Any) -> Tables:
    brief = firm.brief(plan, **changes)
    return drive(build_cube(brief, shuffle=SHUFFLE), exchange or firm.exchange).values


def plain_join(firm: Any, plan: CubePlan) -> Tables:
    """Count all tables the plain way, from everybody's rows."""
    layout: CubeLayout = cube_layout(plan, firm.catalogue)
    cells = np.zeros(layout.cells)
    for table in layout.tables:
        counts = np.zeros(table.shape)
        for client, level in firm.levels.items():
            found = []
            for column in (table.first, table.second)[: len(table.shape)]:
                row = firm.rows[column.department].get(client, {})
                value = row.get(column.field.name)
                if value is not None and level >= int(column.field.level):
                    found.append(label_of(column.field, value))
            if len(found) == len(table.shape):
                counts[tuple(found)] += 1
        cells[table.places] = counts.ravel()
    return cells


def label_of(field: Any, value: Any) -> int:
    if field.kind == "category":
        return int(field.categories.index(value))
    if field.kind == "flag":
        return int(value)
    return sum(value >= edge for edge in field.edges)
