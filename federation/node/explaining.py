"""Why a model scores one of the department's own clients as it does, field by field.

As personal as the client's row: shown on the node, written to files of the owner only. A field
that the client closed is absent in what is explained, so nothing of its value is in any number.
"""

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from consent.catalogue import Catalogue, Field
from federation import training_layout
from federation.errors import ClientNotCovered
from federation.node.columns import Column, present
from federation.node.own import OwnNode
from federation.node.own_model import OwnModel, OwnRows, own_rows
from federation.node.scoring import columns_of
from models.evaluate import outputs, scores
from models.explain import attributions
from models.objectives import Objective
from privacy.lattice import RealVector


class Presence(StrEnum):
    """What the model knew of a field of this client."""

    GIVEN = "given"
    NOT_GIVEN = "not given"
    CLOSED = "closed by the client's authorization"
    NOT_HELD = "not held by this department"


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one field adds to the score. Everything but its name is sensitive and hidden.

    value: in words, "" unless it is given. added: to the output, against nothing known.
    """

    name: str
    title: str
    presence: Presence = field(repr=False)
    value: str = field(repr=False)
    added: float = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One client's score and what it is made of. Sensitive, hidden.

    scores: by column, as in scoring. explains: which output the shares add up to, in words.
    nothing_known: that output for a client of whom every field is absent. output: for this client;
    nothing_known and all shares together. shares: the largest first.
    """

    sha256: str
    epoch: int
    scores: dict[str, float] = field(repr=False)
    explains: str
    nothing_known: float
    output: float = field(repr=False)
    shares: tuple[Share, ...] = field(repr=False)


def explained(node: OwnNode, model: OwnModel, client_id: str, *, now: int) -> Explained:
    """Explain the score of one client.

    Args:
        node: the department's.
        model: opened for it.
        client_id: normalized as in the department's view; sensitive.
        now: seconds since the Unix epoch.

    Raises:
        ClientNotCovered: unknown here, or not covered by the client's authorization: which of them
            is not said.
        EpochStale and what else ``own_rows`` refuses with.
    """
    rows = own_rows(node, model.plan, now=now)
    try:
        row = rows.records.client_ids.index(client_id)
    except ValueError:
        raise ClientNotCovered(model.plan.purpose) from None
    features = rows.features[row : row + 1]
    found = scores(model.architecture, model.weights, features)
    output, words = _output(model, found, node.catalogue)
    fields = training_layout.feature_fields(model.plan, node.catalogue)
    groups = training_layout.field_slices(model.plan, node.catalogue)
    added = attributions(model.architecture, model.weights, features, groups=groups, output=output)[
        0
    ]
    shares = [
        _share(each, rows, row, float(part), node.department)
        for each, part in zip(fields, added, strict=True)
    ]
    both = np.concatenate([np.zeros_like(features), features])
    nothing, here = outputs(model.architecture, model.weights, both)[:, output]
    return Explained(
        sha256=model.sha256,
        epoch=rows.epoch,
        scores={k: float(v[0]) for k, v in columns_of(found, model, node.catalogue).items()},
        explains=words,
        nothing_known=float(nothing),
        output=float(here),
        shares=tuple(sorted(shares, key=lambda share: -abs(share.added))),
    )


def _output(model: OwnModel, found: RealVector, catalogue: Catalogue) -> tuple[int, str]:
    """Choose the output to explain: the only one, or that of the likeliest class."""
    labels = catalogue.field(model.plan.target).labels()
    match model.architecture.objective:
        case Objective.BINARY:
            return 0, f"the logit of {labels[1]}"
        case Objective.MULTICLASS:
            likeliest = int(np.argmax(found[0]))
            return likeliest, f"the logit of {labels[likeliest]}"
        case Objective.ORDINAL:
            above = min(int(np.argmax(found[0])), model.architecture.outputs - 1)
            return above, f"the logit of being above {labels[above]}"
        case Objective.COUNT:
            return 0, "the logarithm of the rate"
        case Objective.AMOUNT:
            return 0, "the amount, from −1 to 1 between its bounds"


def _share(each: Field, rows: OwnRows, row: int, added: float, department: str) -> Share:
    column = rows.records.columns[each.name]
    given = bool(present(column)[row])
    if given:
        presence = Presence.GIVEN
    elif department not in each.departments:
        presence = Presence.NOT_HELD
    elif not rows.records.opened[each.name][row]:
        presence = Presence.CLOSED
    else:
        presence = Presence.NOT_GIVEN
    value = _in_words(each, column, row) if given else ""
    return Share(name=each.name, title=each.title, presence=presence, value=value, added=added)


def _in_words(each: Field, column: Column, row: int) -> str:
    if each.kind == "number":
        return f"{column[row]:g}"
    return each.labels()[int(column[row])]
