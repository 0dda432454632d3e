"""What a released cube answers at no further cost: tables, relationships, a linear model.

All of it is post-processing of public cells, so it may be asked any number of times (Bun and
Steinke 2016, Lemma 2.2). Half widths are at 95 % and cover the noise alone, each figure by itself.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations, product
from typing import Any

import numpy as np

from consent.catalogue import Field
from federation.coordinator.cube_file import Cube
from federation.cube_layout import Column
from federation.errors import PlanInvalid
from federation.statistics.figures import LEVEL
from models.errors import TablesTooNoisy
from models.table_ridge import Coding, fit
from models.tables import Figure, Table, correlation, mutual_information
from privacy.planning import normal_quantile

TOO_FEW = "too few clients beside the noise to tell"
NO_ORDER = "a field has no order"
_TWO = 2


def counted(cube: Cube, names: Sequence[str]) -> dict[str, Any]:
    """Return a field's histogram, or the crosstab of two fields, row by row.

    Args:
        cube: as it was released.
        names: one field of the cube, or two different ones.

    Raises:
        PlanInvalid: none, more than two, one twice, or no field of this cube.
    """
    if not 1 <= len(names) <= _TWO or len(set(names)) < len(names):
        raise PlanInvalid("fields: name one field of the cube, or two different ones")
    columns = [_column(cube, name) for name in names]
    cells = _table(cube, columns[0], columns[-1]).ravel()
    width = normal_quantile(LEVEL) * cube.sigma
    labels = product(*(column.field.labels() for column in columns))
    return _about(cube) | {
        "fields": list(names),
        "departments": sorted({column.department for column in columns}),
        "rows": [
            {"cell": dict(zip(names, cell, strict=True)), "count": _figure(value, width)}
            for cell, value in zip(labels, cells, strict=True)
        ],
    }


def relations(cube: Cube) -> dict[str, Any]:
    """Return how strongly every two fields go together, the strongest first.

    Correlation is Pearson's of the places of their labels, where both have an order; mutual
    information is in bits, and noise raises it by about `bias`.
    """
    z = normal_quantile(LEVEL)
    found = []
    for first, second in combinations(cube.layout.columns, 2):
        table = _table(cube, first, second)
        row: dict[str, Any] = {"fields": [first.field.name, second.field.name]}
        try:
            told = mutual_information(table, cube.sigma)
            row["mutual_information"] = _told(told, z) | {"bias": told.bias}
            row["correlation"] = _correlation(first, second, table, cube.sigma, z)
        except TablesTooNoisy:
            row |= {key: {"note": TOO_FEW} for key in ("mutual_information", "correlation")}
        found.append(row)
    return _about(cube) | {"pairs": sorted(found, key=_strength, reverse=True)}


def linear_model(
    cube: Cube, target: str, *, label: str | None = None, features: Sequence[str] | None = None
) -> dict[str, Any]:
    """Return a linear model of one label of a field, given the labels of others.

    Args:
        cube: as it was released.
        target: the field to be predicted.
        label: which of its labels counts as 1; unless given the last one.
        features: other fields of the cube; unless given all of them.

    Returns:
        `base`, the label's share, and for each label of each feature the change of that share
        that goes with it: a client's score is the base plus the weights of its labels. The log
        odds of the label are `intercept` + `slope` · score, see ``models.table_ridge.Ridge``.

    Raises:
        PlanInvalid: a field or label that the cube does not have, no feature, or the target among
            them.
        TablesTooNoisy: a table of two of these fields is not clearly more than its noise.
    """
    goal = _column(cube, target)
    names = features or [c.field.name for c in cube.layout.columns if c is not goal]
    if target in names or len(set(names)) < len(names) or not names:
        raise PlanInvalid("features: name other fields than the target, each once")
    columns = [_column(cube, name) for name in names]
    labels = goal.field.labels()
    if label is not None and label not in labels:
        raise PlanInvalid(f"label: {target} has the labels {', '.join(labels)}")
    place = labels.index(label) if label is not None else len(labels) - 1
    fields = [*columns, goal]
    ridge = fit(
        [_table(cube, column, column) for column in fields],
        {
            (i, j): _table(cube, fields[i], fields[j])
            for i, j in combinations(range(len(fields)), 2)
        },
        codings=[Coding(labels=c.field.labels(), ordered=has_order(c.field)) for c in fields],
        label=place,
        sigma=cube.sigma,
    )
    z = normal_quantile(LEVEL)
    weights, start = {}, 0
    for column in columns:
        places = slice(start, start + column.size)
        weights[column.field.name] = {
            name: _figure(weight, z * deviation)
            for name, weight, deviation in zip(
                column.field.labels(), ridge.weights[places], ridge.deviations[places], strict=True
            )
        }
        start += column.size
    return _about(cube) | {
        "target": target,
        "label": labels[place],
        "base": ridge.base,
        "weights": weights,
        "log_odds": {"intercept": ridge.intercept, "slope": ridge.slope},
        "post_processing": "ridge regression on noised covariances of tables that were made to "
        "agree with each other; the known noise sets how far, and the penalty",
    }


def has_order(field: Field) -> bool:
    """Say whether a field's labels stand in an order: numbers, flags, and categories of numbers."""
    if field.kind != "category":
        return True
    try:
        places = [float(label) for label in field.labels()]
    except ValueError:
        return False
    return places == sorted(places)


def _about(cube: Cube) -> dict[str, Any]:
    return {"cube": cube.run, "epoch": cube.epoch, "age_s": cube.age_s, "level": LEVEL}


def _column(cube: Cube, name: str) -> Column:
    for column in cube.layout.columns:
        if column.field.name == name:
            return column
    held = ", ".join(column.field.name for column in cube.layout.columns)
    raise PlanInvalid(f"fields: this cube has {held}, not {name}")


def _table(cube: Cube, first: Column, second: Column) -> Table:
    for table in cube.layout.tables:
        if (table.first, table.second) == (first, second):
            return cube.cells[table.places].reshape(table.shape)
    return _table(cube, second, first).T


def _correlation(
    first: Column, second: Column, table: Table, sigma: float, z: float
) -> dict[str, Any]:
    if not (has_order(first.field) and has_order(second.field)):
        return {"note": NO_ORDER}
    scores = [np.arange(column.size, dtype=np.float64) for column in (first, second)]
    return _told(correlation(table, scores[0], scores[1], sigma), z)


def _told(figure: Figure, z: float) -> dict[str, float]:
    return _figure(figure.value, z * figure.deviation)


def _figure(value: float, half_width: float) -> dict[str, float]:
    return {"value": float(value), "half_width": float(half_width)}


def _strength(row: Mapping[str, Any]) -> float:
    told = row["mutual_information"]
    return float(told["value"] - told["bias"]) if "value" in told else -1.0
