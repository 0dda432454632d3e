"""A department's own clients, scored on its own node. Nothing here leaves it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from consent.catalogue import Catalogue
from federation.errors import ClientNotCovered
from federation.node.own import OwnNode
from federation.node.own_model import OwnModel, own_rows
from federation.statistics.bounds import from_scale
from models.evaluate import scores
from models.objectives import Objective
from models.onnx_export import PREDICTIONS
from privacy.lattice import RealVector

NEVER_TO_BE_SHARED = "LOCAL, NEVER TO BE SHARED"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scored:
    """The scores of a department's clients. Clients and scores are sensitive and hidden.

    sha256: of the model's file. epoch: of the consent. client_ids: n. columns: by name, n numbers.
    """

    sha256: str
    epoch: int
    client_ids: tuple[str, ...] = field(repr=False)
    columns: Mapping[str, RealVector] = field(repr=False)


def scored(node: OwnNode, model: OwnModel, *, now: int) -> Scored:
    """Score every client whose authorization covers the model's target and purpose.

    Raises:
        EpochStale and what else ``own_rows`` refuses with.
    """
    rows = own_rows(node, model.plan, now=now)
    found = scores(model.architecture, model.weights, rows.features)
    return Scored(
        sha256=model.sha256,
        epoch=rows.epoch,
        client_ids=rows.records.client_ids,
        columns=columns_of(found, model, node.catalogue),
    )


def columns_of(found: RealVector, model: OwnModel, catalogue: Catalogue) -> dict[str, RealVector]:
    """Name the predictions: one column, or one for each class; an amount in its field's unit.

    Args:
        found: float64 [n] or [n, classes], as ``models.evaluate.scores`` returns it; sensitive.
        model: that predicted.
        catalogue: with the target's labels and bounds.
    """
    objective = model.architecture.objective
    target = catalogue.field(model.plan.target)
    if found.ndim > 1:
        labels = target.labels()
        return {f"probability_{label}": found[:, place] for place, label in enumerate(labels)}
    if objective is Objective.AMOUNT:
        found = from_scale(target, found)
    return {PREDICTIONS[objective]: found}


def score_of(found: Scored, client_id: str, purpose: str) -> dict[str, float]:
    """Return one client's scores by column; sensitive.

    Raises:
        ClientNotCovered: unknown here, or not covered by the client's authorization.
    """
    try:
        row = found.client_ids.index(client_id)
    except ValueError:
        raise ClientNotCovered(purpose) from None
    return {name: float(column[row]) for name, column in found.columns.items()}


def to_parquet(found: Scored) -> bytes:
    """Write the scores as a Parquet file: client_id, the scores, the model's SHA-256, the epoch."""
    n = len(found.client_ids)
    table = pa.table(
        {
            "client_id": pa.array(found.client_ids, pa.string()),
            **{name: np.asarray(column) for name, column in found.columns.items()},
            "model_sha256": pa.array([found.sha256] * n, pa.string()),
            "consent_epoch": pa.array([found.epoch] * n, pa.int64()),
        }
    )
    table = table.replace_schema_metadata({"infosandbox": NEVER_TO_BE_SHARED})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return bytes(sink.getvalue().to_pybytes())
