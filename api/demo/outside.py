"""The exact AUCs a demonstration compares. OUTSIDE the sandbox: the product has no such switch.

Computed in the demonstration's own process, from the folder's own files, on the clients that no
node was given. The consent level opens and closes the same cells as at the nodes, by the same code.
Nothing here is a release, and nothing of it may be done with data that is not public.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from api.demo.tables import CLIENT, Split
from consent.catalogue import Catalogue, Field
from consent.decisions import Permit, check_fields, decide
from consent.deltas import delta_of
from consent.epochs import Snapshot, apply, pseudonyms
from consent.store import Register
from federation import training_layout
from federation.node.columns import Column, absent_column, closed, numpy_column, present
from federation.node.features import design
from federation.plans import AnyPlan
from federation.training_plan import TrainingPlan
from federation.updates import held_inputs
from models.architectures import Architecture
from models.errors import OneClass
from models.evaluate import auc, scores
from models.reference import train_without_noise
from privacy.units import PrivacyUnit

Weights = npt.NDArray[np.float64]
Features = npt.NDArray[np.float32]
Labels = npt.NDArray[np.float32]

_PARTY = "outside"
_KEY_BYTES = 32
_AN_HOUR = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """AUCs on one set of held-out clients, exact; None where the clients are all of one class.

    alone: department -> its model, trained on its own clients without noise, which sees of each
    client only what the department holds. federated: the weights the sandbox released.
    without_noise: the same recipe without noise.
    """

    alone: Mapping[str, float | None]
    federated: float | None
    without_noise: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What privacy cost and what sharing brought. May be shown because the data is public.

    everyone: on every held-out client, the fields of all departments side by side.
    departments: on each department's own held-out clients and its own fields.
    """

    everyone: Scores
    departments: Mapping[str, Scores]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Permitted columns, in the shape of the node's own Records, which only a node may open."""

    fields: tuple[Field, ...]
    client_ids: tuple[str, ...] = field(repr=False)
    columns: Mapping[str, Column] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """The register as one more party sees it, with a key that is thrown away afterwards."""

    permit: Permit
    key: bytes = field(repr=False)
    fields: tuple[Field, ...]


def consent_of(register: Register, catalogue: Catalogue, plan: AnyPlan, now: int) -> Consent:
    """Ask the register what a plan may use, as a node does: by pseudonym, level and purpose.

    Args:
        register: the consent register; sensitive.
        catalogue: of the firm.
        plan: whose fields and purpose are asked for.
        now: seconds since the Unix epoch.

    Raises:
        PurposeNotOpen: as for a node.
    """
    key, head = secrets.token_bytes(_KEY_BYTES), register.head()
    delta = delta_of(
        register.changes(0),
        purposes=register.purposes(),
        key=key,
        department=_PARTY,
        base=0,
        epoch=head,
        issued_at=now,
        expires_at=now + _AN_HOUR,
    )
    fields = check_fields(catalogue, plan.fields, plan.purpose)
    snapshot = apply(Snapshot.empty(_PARTY), delta)
    permit = decide(snapshot, fields, plan.purpose, now=now, at_least=head)
    return Consent(permit=permit, key=key, fields=fields)


def compare(
    plan: TrainingPlan,
    catalogue: Catalogue,
    released: Weights,
    rows: Mapping[str, Split],
    consent: Consent,
) -> Comparison:
    """Train what the sandbox does not offer, and score all of it on the held-out clients.

    Args:
        plan: what was trained; its recipe is used unchanged.
        catalogue: of the firm.
        released: float64 [d], the weights that the sandbox released.
        rows: every department of the cohort, split.
        consent: from :func:`consent_of`, for the same plan.
    """
    cohort = {name: rows[name] for name in plan.cohort}
    trained = {
        d: _examples(_rows(_counted(s.kept, consent, plan), consent), plan, catalogue)
        for d, s in cohort.items()
    }
    alone = {d: _train({d: examples}, plan, catalogue) for d, examples in trained.items()}
    without_noise = _train(trained, plan, catalogue)
    architecture = training_layout.architecture_of(plan, catalogue)
    held_out = {d: _rows(split.held_out, consent) for d, split in cohort.items()}

    def score(rows: Rows, views: Mapping[str, Rows]) -> Scores:
        labels, features = labels_of(rows, plan.target), _features(rows, plan, catalogue)
        seen = {d: _features(view, plan, catalogue) for d, view in views.items()}
        return Scores(
            alone={d: _auc(architecture, alone[d], seen[d], labels) for d in views},
            federated=_auc(architecture, released, features, labels),
            without_noise=_auc(architecture, without_noise, features, labels),
        )

    together = _joined([*held_out.values()])
    views = {d: _joined([part], together.client_ids) for d, part in held_out.items()}
    return Comparison(
        everyone=score(together, views),
        departments={d: score(part, {d: part}) for d, part in held_out.items()},
    )


def held_out_together(rows: Mapping[str, Split], consent: Consent) -> Rows:
    """Put the fields of every client that no node was given side by side, closed as consent does.

    Args:
        rows: every department, split.
        consent: from :func:`consent_of`; its fields are the columns.
    """
    return _joined([_rows(split.held_out, consent) for split in rows.values()])


def _counted(table: pa.Table, consent: Consent, plan: TrainingPlan) -> pa.Table:
    """Keep the clients of each household that a plan which protects households counts."""
    if plan.unit is not PrivacyUnit.HOUSEHOLD:
        return table
    names = pseudonyms(consent.key, table.column(CLIENT).to_pylist())
    households = consent.permit.households_of(names, most=plan.clients_per_household)
    return table.filter(pa.array(households >= 0))


def _rows(table: pa.Table, consent: Consent) -> Rows:
    """Close what the register closes, cell by cell."""
    ids = tuple(table.column(CLIENT).to_pylist())
    opened = consent.permit.open_fields(pseudonyms(consent.key, ids))
    columns = {
        f.name: closed(
            numpy_column(f, table.column(f.name))
            if f.name in table.column_names
            else absent_column(f, len(ids)),
            opened[:, place],
        )
        for place, f in enumerate(consent.fields)
    }
    return Rows(fields=consent.fields, client_ids=ids, columns=columns)


def _joined(parts: Sequence[Rows], clients: Sequence[str] | None = None) -> Rows:
    """Put each client's fields side by side; where two departments hold one, the first gives it."""
    ids = clients or sorted(set().union(*(part.client_ids for part in parts)))
    fields = parts[0].fields
    place = {client: row for row, client in enumerate(ids)}
    columns = {f.name: absent_column(f, len(ids)) for f in fields}
    for part in reversed(parts):
        rows = np.fromiter((place[c] for c in part.client_ids), np.intp, len(part.client_ids))
        for name, column in part.columns.items():
            there = present(column)
            columns[name][rows[there]] = column[there]
    return Rows(fields=fields, client_ids=tuple(ids), columns=columns)


def _features(rows: Rows, plan: TrainingPlan, catalogue: Catalogue) -> Features:
    return design(rows.columns, training_layout.feature_fields(plan, catalogue))


def labels_of(rows: Rows, target: str) -> Labels:
    """Return 0 or 1, and NaN where the target is closed or missing."""
    column = rows.columns[target]
    return np.where(present(column), column, np.nan).astype(np.float32)


def _examples(rows: Rows, plan: TrainingPlan, catalogue: Catalogue) -> tuple[Features, Labels]:
    """Take the clients whose target is open and present, as a node does."""
    labels = labels_of(rows, plan.target)
    labeled = ~np.isnan(labels)
    return _features(rows, plan, catalogue)[labeled], labels[labeled]


def _train(
    parts: Mapping[str, tuple[Features, Labels]], plan: TrainingPlan, catalogue: Catalogue
) -> Weights | None:
    if not any(len(labels) for _, labels in parts.values()):
        return None
    return train_without_noise(
        [*parts.values()],
        held=[held_inputs(plan, catalogue, department) for department in parts],
        architecture=training_layout.architecture_of(plan, catalogue),
        rounds=plan.rounds,
        steps=plan.local_steps,
        clip_norm=plan.clip_norm,
        learning_rate=plan.learning_rate,
        momentum=plan.momentum,
    )


def _auc(
    architecture: Architecture, weights: Weights | None, features: Features, labels: Labels
) -> float | None:
    return None if weights is None else exact_auc(labels, scores(architecture, weights, features))


def exact_auc(labels: Labels, ranked: Weights) -> float | None:
    """Return the AUC of the labeled among some clients; None where they are all of one class."""
    labeled = ~np.isnan(labels)
    try:
        return auc(labels[labeled], ranked[labeled])
    except OneClass:
        return None
