"""Canary: no refusal of this room repeats an id, a household or a pseudonym."""

import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent import errors
from consent.catalogue import load_catalogue
from consent.epochs import (
    EpochDelta,
    Snapshot,
    household_pseudonym,
    levels_of,
    open_delta,
    pseudonym,
    sign_delta,
)
from consent.events import ChangeNotice
from consent.levels import Level
from consent.stages import propose
from consent.store import Register

AT = datetime(2026, 11, 22, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)


def register() -> Register:
    return Register(sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool))


def known(client: str) -> Register:
    register_ = register()
    register_.load([(client, "h", 1)], AT)
    return register_


def reuse(client: str) -> None:
    register_ = known(client)
    for level in (1, 2):
        register_.set_level(client, level, AT, request_id="r")


def raise_late(client: str) -> None:
    known(client).set_level(client, 2, AT - timedelta(days=1))


def refuse(refusal: errors.ConsentError) -> None:
    raise refusal


CATALOGUE = load_catalogue(Path(__file__).parents[2] / "demo" / "catalogue.toml")


def delta(pseudonyms: bytes, levels: bytes, *, family_closed: bytes = b"") -> EpochDelta:
    return EpochDelta(
        department="risk",
        base=0,
        epoch=1,
        issued_at=1,
        expires_at=2,
        pseudonyms=pseudonyms,
        levels=levels,
        family_closed=family_closed,
    )


REFUSALS: dict[str, Callable[[], object]] = {
    "an unknown client's level": lambda: register().level("canary"),
    "a change for an unknown client": lambda: register().set_level("canary", 1, AT),
    "a change for a malformed id": lambda: register().set_level("canary\n", 1, AT),
    "a level for a malformed id": lambda: register().level("canary\ud800"),
    "a load of a malformed id": lambda: register().load([("canary ", "h", 1)], AT),
    "a load of a malformed household": lambda: register().load([("a", "canary ", 1)], AT),
    "a load of a wrong level": lambda: register().load([("canary", "canary", 9)], AT),
    "a load of a client twice": lambda: register().load([("canary", "canary", 1)] * 2, AT),
    "an end in the past": lambda: register().set_level("canary", 1, AT, expires_at=AT),
    "a malformed request id": lambda: register().set_level("a", 1, AT, request_id="canary\n"),
    "a malformed notice": lambda: register().record(
        [ChangeNotice(client="a", notice="canary\n")], AT
    ),
    "a reused request id": lambda: reuse("canary"),
    "a late raise": lambda: raise_late("canary"),
    "a history of nobody": lambda: register().history("canary"),
    "a household's pseudonym": lambda: household_pseudonym(b"k" * 32, "canary\n"),
    "a delta with a wrong mark": lambda: delta(b"canary-pseudonym", b"\x01", family_closed=b"\x02"),
    "a stage that skips": lambda: propose("succession", Level.NONE, CATALOGUE),
    "a pseudonym of a malformed id": lambda: pseudonym(b"k" * 32, "canary\t"),
    "a pseudonym under a short key": lambda: pseudonym(b"canary", "canary"),
    "a pseudonym of a wrong length": lambda: levels_of(Snapshot.empty("risk"), [b"canary"]),
    "a delta with a wrong level": lambda: delta(b"canary-pseudonym", b"\x09"),
    "a delta that repeats a pseudonym": lambda: delta(b"canary-pseudonym" * 2, b"\x01\x01"),
    "a delta that is cut": lambda: open_delta(
        sign_delta(delta(b"canary-pseudonym", b"\x01"), KEY)[:-1],
        KEY.public_key(),
        department="risk",
    ),
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS.keys())
def test_no_refusal_repeats_a_personal_value(refusal: Callable[[], object]) -> None:
    with pytest.raises(errors.ConsentError) as caught:
        refusal()
    error: BaseException | None = caught.value
    assert "canary" not in str(vars(error))
    while error is not None:
        said = "".join(traceback.format_exception_only(error)) + repr(error)
        assert "canary" not in said
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("name", ["x" * 2**20, "line\nbreak", "over\u202eride", "half\ud800"])
@pytest.mark.parametrize(
    "ask",
    [
        CATALOGUE.field,
        CATALOGUE.purpose,
        lambda name: propose(name, Level.NONE, CATALOGUE),
        lambda name: refuse(errors.UnknownDepartment(name, CATALOGUE.departments)),
    ],
)
def test_a_made_up_name_is_shown_short_and_on_one_line(
    ask: Callable[[str], object], name: str
) -> None:
    with pytest.raises(errors.ConsentError) as caught:
        ask(name)
    assert len(str(caught.value)) < 2000
    assert str(caught.value).isprintable()


def test_every_refusal_has_the_rooms_base() -> None:
    leaves = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, Exception)]
    assert len(leaves) > 10
    assert all(issubclass(leaf, errors.ConsentError) for leaf in leaves)
