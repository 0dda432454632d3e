"""What the worker kept of consent is what it knew; altered, it is refused; erased, it is gone."""

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from consent.epochs import EpochDelta, levels_of, open_delta, pseudonyms, sign_delta
from consent.errors import EpochInvalid
from federation.database import open_database
from federation.node.answer import answer
from federation.node.kept_consent import KeptConsent
from federation.node.own import open_own
from federation.node.settings import load_settings

SECONDS = 1_800_000_000
NOW = datetime.fromtimestamp(SECONDS, UTC)


def own(firm: Any) -> Any:
    return open_own(load_settings(firm.folder / "risk" / "node.toml"))


def test_the_tools_see_the_epoch_that_the_worker_saw_last(firm: Any) -> None:
    assert own(firm).snapshot().epoch == 0
    answer(firm.nodes["risk"], firm.ask(firm.plan(), "tokens", "risk"), SECONDS)
    kept, known = own(firm).snapshot(), firm.nodes["risk"].memory.snapshot
    assert kept.epoch == known.epoch == 1
    key = own(firm).pseudonym_key
    names = pseudonyms(key, firm.levels)
    assert levels_of(kept, names).tolist() == levels_of(known, names).tolist()


def test_a_withdrawal_is_kept_and_an_older_delta_is_not(firm: Any) -> None:
    node = firm.nodes["risk"]
    answer(node, firm.ask(firm.plan(), "tokens", "risk"), SECONDS)
    old = firm.delta("risk")
    firm.epoch, firm.levels["CL00009"] = 2, 0
    answer(node, firm.ask(firm.plan(rho=1.0), "tokens", "risk"), SECONDS)
    late = firm.ask(firm.plan(rho=2.0), "tokens", "risk", consent=old)
    answer(node, late, SECONDS)
    kept = own(firm).snapshot()
    assert kept.epoch == 2
    assert levels_of(kept, pseudonyms(own(firm).pseudonym_key, ["CL00009"])).tolist() == [0]


def delta_of(firm: Any, levels: dict[str, int], *, base: int, epoch: int) -> bytes:
    key = own(firm).pseudonym_key
    delta = EpochDelta(
        department="risk",
        base=base,
        epoch=epoch,
        issued_at=SECONDS,
        expires_at=SECONDS + 600 + epoch,
        pseudonyms=b"".join(pseudonyms(key, levels)),
        levels=bytes(levels.values()),
    )
    return sign_delta(delta, firm.key("consent/consent.key"))


def test_deltas_fold_and_one_from_zero_leaves_nothing_else(firm: Any) -> None:
    service = firm.key("consent/consent.key").public_key()
    engine = open_database(f"sqlite:///{firm.folder / 'kept.db'}")
    kept = KeptConsent(engine)

    def keep(signed: bytes) -> None:
        kept.keep(open_delta(signed, service, department="risk"), signed)

    keep(delta_of(firm, {"A": 1, "B": 2}, base=0, epoch=3))
    keep(delta_of(firm, {"A": 4}, base=3, epoch=5))
    keep(delta_of(firm, {"A": 4, "B": 0}, base=3, epoch=6))
    names = pseudonyms(own(firm).pseudonym_key, ["A", "B"])
    assert levels_of(kept.snapshot("risk", service), names).tolist() == [4, 0]
    keep(delta_of(firm, {"A": 3}, base=0, epoch=7))
    assert levels_of(kept.snapshot("risk", service), names).tolist() == [3, 0]
    with engine.connect() as db:
        assert db.scalar(sa.text("SELECT count(*) FROM consent_deltas")) == 1


def test_an_altered_database_is_refused(firm: Any) -> None:
    answer(firm.nodes["risk"], firm.ask(firm.plan(), "tokens", "risk"), SECONDS)
    engine = open_database(f"sqlite:///{firm.folder / 'risk' / 'state' / 'node.db'}")
    with engine.begin() as db:
        signed = db.scalar(sa.text("SELECT signed FROM consent_deltas"))
        raised = bytes(signed[:-70]) + bytes([signed[-70] ^ 4]) + bytes(signed[-69:])
        db.execute(sa.text("UPDATE consent_deltas SET signed = :s"), {"s": raised})
    with pytest.raises(EpochInvalid):
        own(firm).snapshot()
