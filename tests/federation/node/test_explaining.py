"""An explanation adds up, says why a value is missing, and tells nothing of a closed field."""

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from federation.errors import ClientNotCovered
from federation.node.explaining import Explained, Presence, explained
from federation.node.own import OwnNode
from federation.node.own_model import OwnModel

SECONDS = 1_800_000_000
CANARY = 8888.0


def plant(firm: Any, client: str, **values: Any) -> None:
    rows = {c: dict(row) for c, row in firm.rows["risk"].items()}
    rows[client] |= values
    firm.write("risk", rows)


def at_level(firm: Any, level: int, *, given: str | None = None) -> str:
    return next(
        c
        for c, row in firm.rows["risk"].items()
        if firm.levels[c] == level and (given is None or row[given] is not None)
    )


def shares(found: Explained) -> dict[str, Any]:
    return {share.name: share for share in found.shares}


@pytest.mark.parametrize("hidden", [(), (6,)], ids=["linear", "network"])
def test_the_shares_and_nothing_known_add_up_to_the_output(
    firm: Any, own: Any, model_of: Any, hidden: tuple[int, ...]
) -> None:
    node = own(firm)
    model = model_of(firm, node, hidden=hidden)
    found = explained(node, model, at_level(firm, 4), now=SECONDS)
    assert found.nothing_known + sum(s.added for s in found.shares) == pytest.approx(found.output)
    assert found.scores["probability"] == pytest.approx(1 / (1 + np.exp(-found.output)))
    assert found.explains == "the logit of yes"
    sizes = [abs(share.added) for share in found.shares]
    assert sizes == sorted(sizes, reverse=True)


def test_it_says_why_a_field_has_no_value(firm: Any, own: Any, model_of: Any) -> None:
    client = at_level(firm, 4)
    plant(firm, client, age=None, income=1234.0)
    node = own(firm)
    found = shares(explained(node, model_of(firm, node), client, now=SECONDS))
    assert found["age"].presence is Presence.NOT_GIVEN
    assert found["age"].value == ""
    assert found["age"].added == 0
    assert found["income"].presence is Presence.GIVEN
    assert found["income"].value == "1234"
    closed = at_level(firm, 2)
    found = shares(explained(node, model_of(firm, node), closed, now=SECONDS))
    assert found["income"].presence is Presence.CLOSED


def test_a_field_that_others_hold_is_said_not_to_be_held(
    firm: Any, own: Any, model_of: Any
) -> None:
    node = own(firm)
    elsewhere = firm.catalogue.model_copy(
        update={
            "fields": tuple(
                f.model_copy(update={"departments": ("research",)}) if f.name == "income" else f
                for f in firm.catalogue.fields
            )
        }
    )
    object.__setattr__(node, "catalogue", elsewhere)
    object.__setattr__(node.source, "catalogue", elsewhere)
    plan = {"catalogue": elsewhere.digest()}
    found = explained(node, model_of(firm, node, **plan), at_level(firm, 4), now=SECONDS)
    assert shares(found)["income"].presence is Presence.NOT_HELD


def told_of_closed_income(firm: Any, node: OwnNode, model: OwnModel, client: str) -> set[str]:
    """Explain a client under two values of a field; return every distinct explanation."""
    told = set()
    for value in (CANARY, -500.0):
        plant(firm, client, income=value)
        told.add(repr(asdict(explained(node, model, client, now=SECONDS))))
    return told


def test_a_closed_field_tells_nothing_of_its_value(firm: Any, own: Any, model_of: Any) -> None:
    node = own(firm)
    told = told_of_closed_income(firm, node, model_of(firm, node), at_level(firm, 2))
    assert len(told) == 1
    assert "8888" not in told.pop()


def test_a_saboteur_who_opens_the_field_would_be_seen(firm: Any, own: Any, model_of: Any) -> None:
    client = at_level(firm, 2)
    firm.levels[client] = 4  # what the register never said
    node = own(firm)
    told = told_of_closed_income(firm, node, model_of(firm, node), client)
    assert len(told) == 2
    assert any("8888" in text for text in told)


def test_a_client_who_is_not_covered_is_refused_alike(firm: Any, own: Any, model_of: Any) -> None:
    node = own(firm)
    model = model_of(firm, node)
    texts = set()
    for client in ("NOBODY", at_level(firm, 0), at_level(firm, 1)):
        with pytest.raises(ClientNotCovered) as refused:
            explained(node, model, client, now=SECONDS)
        texts.add(str(refused.value))
    assert len(texts) == 1


def test_nothing_of_a_client_is_in_its_repr(firm: Any, own: Any, model_of: Any) -> None:
    client = at_level(firm, 4)
    plant(firm, client, income=CANARY)
    node = own(firm)
    found = explained(node, model_of(firm, node), client, now=SECONDS)
    assert "8888" in repr(asdict(found))
    assert "8888" not in repr(found)
    assert client not in repr(found)
