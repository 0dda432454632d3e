"""A model and this department's own rows for it, under a permit of the plan that made the model.

Scores and explanations are as personal as the rows: they stay on the node. So nothing is charged
for them; but consent decides about them as about any other use. The plan says the purpose and the
fields, and the snapshot that the worker had last must not have expired.
"""

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt

from consent.decisions import check_fields, decide
from federation import training_layout
from federation.errors import PlanInvalid
from federation.node.features import design
from federation.node.own import OwnNode
from federation.node.records import Records, open_records
from federation.plans import AnyPlan, digest
from federation.training_plan import TrainingPlan
from models.architectures import Architecture
from models.errors import ModelFileInvalid
from models.files import read_model
from models.parameters import last_layer
from models.vectors import Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnModel:
    """A model as a department uses it on its own clients. Public, but for a local one's weights."""

    plan: TrainingPlan
    architecture: Architecture
    weights: Vector = field(repr=False)
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OwnRows:
    """The clients a model may be used on here. Everything but the epoch is sensitive and hidden.

    epoch: of the consent. records: of the plan's fields. features: float32 [n, inputs].
    """

    epoch: int
    records: Records = field(repr=False)
    features: npt.NDArray[np.float32] = field(repr=False)


def open_model(
    path: Path, plan: AnyPlan, node: OwnNode, *, registered: str | None = None
) -> OwnModel:
    """Read a model's weights, if they are of this plan, and of the file that the registry names.

    A personal last layer is the one this node kept of the plan's newest attempt.

    Args:
        path: a file of ``models.files``.
        plan: that trained the model.
        node: the department's.
        registered: SHA-256 of the file in hex, as the registry tells it; None asks nobody.

    Raises:
        PlanInvalid: the plan is no training or of another catalogue, or has a personal last layer
            and this node none.
        ModelFileInvalid: the file cannot be read, was changed, is another one than the registry's,
            or not of the plan's shape.
    """
    training = training_of(plan, node)
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = f"it cannot be read ({error.strerror})"
        raise ModelFileInvalid(path=path.name, reason=reason) from None
    found = sha256(data).hexdigest()
    if registered is not None and found != registered:
        raise ModelFileInvalid(path=path.name, reason="it is not the file that the registry names")
    architecture, weights = read_model(data, name=path.name)
    if architecture != training_layout.architecture_of(training, node.catalogue):
        raise ModelFileInvalid(
            path=path.name, reason="its shape is not the one of the plan's model"
        )
    if training.personal:
        mine = node.learned.newest_personal(digest(training).hex())
        if mine is None:
            raise PlanInvalid("personal: this node has no last layer of its own; it never trained")
        weights[last_layer(architecture)] = mine
    return OwnModel(plan=training, architecture=architecture, weights=weights, sha256=found)


def training_of(plan: AnyPlan, node: OwnNode) -> TrainingPlan:
    """Return the plan, if it is a training under this node's catalogue.

    Raises:
        PlanInvalid: it is not.
    """
    if not isinstance(plan, TrainingPlan):
        raise PlanInvalid(f"kind: a model comes from a training, not from a {plan.kind}")
    if plan.catalogue != node.catalogue.digest():
        raise PlanInvalid("catalogue: this department has another one; compare the two files")
    return plan


def own_rows(node: OwnNode, plan: TrainingPlan, *, now: int) -> OwnRows:
    """Open the rows of the clients whose authorization covers the plan's target and purpose.

    A prediction says something of the target, so a client who closed the target is left out, and
    with them whoever has withdrawn or objected. A feature that is closed is absent.

    Args:
        node: the department's.
        plan: of the model.
        now: seconds since the Unix epoch.

    Raises:
        PurposeNotOpen, UnknownField, UnknownPurpose: by the catalogue.
        EpochStale, EpochInvalid, ClockSkew: the worker's last snapshot decides nothing any more.
        RecordsUnavailable: see records.
    """
    fields = check_fields(node.catalogue, plan.fields, plan.purpose)
    snapshot = node.snapshot()
    permit = decide(snapshot, fields, plan.purpose, now=now, at_least=snapshot.epoch)
    records = open_records(permit, node.source, node.pseudonym_key)
    covered = np.flatnonzero(records.opened[plan.target])
    records = Records(
        department=records.department,
        fields=records.fields,
        client_ids=tuple(records.client_ids[row] for row in covered),
        columns={name: column[covered] for name, column in records.columns.items()},
        opened={name: opened[covered] for name, opened in records.opened.items()},
    )
    features = design(records.columns, training_layout.feature_fields(plan, node.catalogue))
    return OwnRows(epoch=permit.epoch, records=records, features=features)
