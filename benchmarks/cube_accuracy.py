"""What a linear model out of one cube is worth, beside the same model without noise. AUC.

Demo clients known to all three departments: 70 % make the cube's tables, 30 % are held out. Eleven
fields for one target, ten for the other. Noise is three departments' shares at t = 1, δ = 1e-6,
forty times anew. The peer is the same model from the same tables without noise, and the best
department's alone, without noise. Once with every field open, as the reference scores were made;
once as the register opens them, the first client of each household, which is what the product would
count.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from statistics import mean, stdev

import duckdb
import numpy as np
import numpy.typing as npt

from consent.catalogue import Catalogue, load_catalogue
from federation.coordinator.cube_answers import linear_model
from federation.coordinator.cube_file import Cube
from federation.cube_layout import CubeLayout, cube_layout, standard_error
from federation.cube_plan import CubePlan
from federation.node.columns import numpy_column
from models.evaluate import auc
from privacy.bounds import TABLE_SCALE
from privacy.loss import Delta, Epsilon
from privacy.mechanisms import draw_noise, rho_for
from privacy.units import PrivacyUnit

DEMO = Path(__file__).parents[1] / "demo"
SEEDS = 40
HELD_OUT = 77
"""Of 256 by a hash of the client's id."""
DEFAULT = {
    "defaulted_next_month": "risk",
    "months_overdue_2005_07": "risk",
    "months_overdue_2005_06": "risk",
    "months_overdue_2005_05": "risk",
    "months_overdue_2005_04": "risk",
    "credit_limit_ntd": "risk",
    "payment_ntd_2005_08": "advisory",
    "payment_ntd_2005_07": "advisory",
    "payment_ntd_2005_06": "advisory",
    "statement_ntd_2005_08": "research",
    "statement_ntd_2005_07": "research",
}
IN_FULL = {
    "prefers_paying_in_full": "risk",
    "months_overdue_2005_07": "risk",
    "months_overdue_2005_06": "risk",
    "months_overdue_2005_05": "risk",
    "months_overdue_2005_04": "risk",
    "credit_limit_ntd": "risk",
    "payment_ntd_2005_08": "advisory",
    "payment_ntd_2005_07": "advisory",
    "statement_ntd_2005_08": "research",
    "statement_ntd_2005_07": "research",
}
ASKED = (
    ("defaulted_next_month", DEFAULT, "credit_risk_model", (2.0, 1.0)),
    ("prefers_paying_in_full", IN_FULL, "preference_model", (1.0,)),
)

Row = dict[str, str | float | None]
Codes = dict[str, npt.NDArray[np.int64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Clients known to all three departments, by field the code of each, −1 where absent."""

    catalogue: Catalogue
    codes: dict[tuple[str, str], npt.NDArray[np.int64]]
    levels: npt.NDArray[np.int64]
    first: npt.NDArray[np.bool_]
    held_out: npt.NDArray[np.bool_]


def rows() -> list[Row]:
    """Return AUC means, and below each the spread over forty releases."""
    found: list[Row] = []
    for target, sources, purpose, epsilons in ASKED:
        for consented in (False, True):
            found += _measured(target, sources, purpose, epsilons, consented=consented)
    return found


def _measured(
    target: str,
    sources: dict[str, str],
    purpose: str,
    epsilons: Sequence[float],
    *,
    consented: bool,
) -> list[Row]:
    how = "as the register opens them" if consented else "every field open"
    known = _known()
    exact = _tables(known, _layout(known, sources, purpose, 1.0), consented=consented)
    layout = _layout(known, sources, purpose, 1.0)
    without = _auc(known, layout, exact, 0.0, target=target)
    alone = 0.0
    for one in set(sources.values()):
        theirs = [field for field, department in sources.items() if department == one]
        alone = max(alone, _auc(known, layout, exact, 0.0, target=target, features=theirs))
    found: list[Row] = []
    for epsilon in epsilons:
        plan = _layout(known, sources, purpose, epsilon).plan
        sigma = round(standard_error(plan) * TABLE_SCALE / 3**0.5)
        scores = []
        for _seed in range(SEEDS):
            noise = sum(draw_noise(sigma, exact.size) for _ in range(3)) / TABLE_SCALE
            scores.append(_auc(known, layout, exact + noise, standard_error(plan), target=target))
        name = f"{target}, {how}, ε = {epsilon:g}"
        found.append(_row(f"{name}: cube / no noise", mean(scores), without))
        found.append(_row(f"{name}: cube / best department alone", mean(scores), alone))
        found.append(_row(f"{name}: standard deviation of forty", stdev(scores), None))
    return found


def _row(name: str, value: float, peer: float | None) -> Row:
    ratio = None if peer is None else value / peer
    return {"name": name, "value": value, "unit": "AUC", "peer": peer, "ratio": ratio}


def _layout(known: Known, sources: dict[str, str], purpose: str, epsilon: float) -> CubeLayout:
    plan = CubePlan(
        catalogue=known.catalogue.digest(),
        purpose=purpose,
        cohort=("advisory", "research", "risk"),
        unit=PrivacyUnit.HOUSEHOLD,
        sources=tuple(
            {"field": f, "department": d}  # type: ignore[misc] # pydantic makes them sources
            for f, d in sorted(sources.items())
        ),
        clients=2**15,
        rho=rho_for(Epsilon(epsilon), Delta(1e-6)).value,
        reason="a benchmark",
    )
    return cube_layout(plan, known.catalogue)


def _tables(known: Known, layout: CubeLayout, *, consented: bool) -> npt.NDArray[np.float64]:
    """Count all tables exactly, of the clients that are not held out."""
    rows = ~known.held_out & (known.first if consented else True)
    bits = []
    for column in layout.columns:
        codes = known.codes[column.department, column.field.name].copy()
        if consented:
            codes[known.levels < int(column.field.level)] = -1
        eye = np.vstack([np.eye(column.size), np.zeros(column.size)])
        bits.append(eye[codes[rows]])
    cells = np.zeros(layout.cells)
    for table in layout.tables:
        first, second = (bits[layout.columns.index(c)] for c in (table.first, table.second))
        counts = first.T @ second
        cells[table.places] = np.diag(counts) if table.first is table.second else counts.ravel()
    return cells


def _auc(
    known: Known,
    layout: CubeLayout,
    cells: npt.NDArray[np.float64],
    sigma: float,
    *,
    target: str,
    features: Sequence[str] | None = None,
) -> float:
    """Fit the product's model and rank the clients held out."""
    cube = Cube(run="", layout=layout, cells=cells, sigma=sigma, epoch=0, age_s=0)
    chosen = [f for f in features or [] if f != target] or None
    model = linear_model(cube, target, features=chosen)
    columns = {c.field.name: c for c in layout.columns}
    scores = np.zeros(int(known.held_out.sum()))
    for name, weights in model["weights"].items():
        table = np.array([w["value"] for w in weights.values()] + [0.0])
        scores += table[known.codes[columns[name].department, name][known.held_out]]
    truth = known.codes[columns[target].department, target][known.held_out]
    told = truth >= 0
    return auc(truth[told].astype(np.float32), scores[told])


@cache
def _known() -> Known:
    catalogue = load_catalogue(DEMO / "catalogue.toml")
    with duckdb.connect(":memory:") as db:
        views = {}
        for name in catalogue.departments:
            view = (DEMO / "departments" / name / "view.sql").read_text()
            found = db.sql(view.replace("{data}", str(DEMO / "data" / name))).to_arrow_table()
            views[name] = found.sort_by("client_id")
        register = (DEMO / "register.sql").read_text().replace("{data}", str(DEMO / "data"))
        consent = db.sql(register).to_arrow_table()
    ids = {name: view.column("client_id").to_pylist() for name, view in views.items()}
    shared = sorted(set.intersection(*(set(each) for each in ids.values())))
    codes: dict[tuple[str, str], npt.NDArray[np.int64]] = {}
    for name, view in views.items():
        here = np.flatnonzero(np.isin(ids[name], shared))
        for field in catalogue.fields:
            if name in field.departments:
                column = numpy_column(field, view.column(field.name))[here]
                if field.kind == "number":
                    absent = np.isnan(column)
                    column = np.searchsorted(np.asarray(field.edges), column, side="right")
                    column[absent] = -1
                codes[name, field.name] = column.astype(np.int64)
    rows = {row["client_id"]: row for row in reversed(consent.to_pylist())}
    heads = {row["household_id"]: client for client, row in rows.items()}
    return Known(
        catalogue=catalogue,
        codes=codes,
        levels=np.array([rows[c]["level"] if c in rows else 0 for c in shared]),
        first=np.array([c in rows and heads[rows[c]["household_id"]] == c for c in shared]),
        held_out=np.array([sha256(f"cube {c}".encode()).digest()[0] < HELD_OUT for c in shared]),
    )
