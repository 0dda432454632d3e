import hashlib
import json
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from privacy.entries import (
    GENESIS,
    Abandoned,
    Changed,
    Committed,
    Decided,
    Entry,
    Event,
    Opened,
    Opinion,
    Repaired,
    Reserved,
    from_text,
    read_event,
    require_words,
    sealed,
    to_text,
)
from privacy.errors import InvalidBound, LedgerBroken
from privacy.loss import Delta, Rho

AT = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


def in_order(amounts: dict[str, Rho]) -> tuple[tuple[str, Rho], ...]:
    """Sort pools as RFC 8785 sorts keys."""
    return tuple(sorted(amounts.items(), key=lambda pair: pair[0].encode("utf-16-be")))


NAMES = st.text(st.characters(codec="utf-8"), max_size=30)
TIMES = st.datetimes(timezones=st.just(UTC))
RHOS = st.floats(min_value=0, max_value=1e300).map(Rho)
DELTAS = st.floats(min_value=0, max_value=1, exclude_min=True, exclude_max=True).map(Delta)
TERMS = {
    "pool": NAMES,
    "budget": RHOS,
    "delta": DELTAS,
    "at": TIMES,
    "year": st.none() | RHOS,
    "month": st.none() | RHOS,
}
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(Opened, **TERMS),
    st.builds(Changed, **TERMS, reason=NAMES, who=NAMES),
    st.builds(
        Decided,
        request=NAMES,
        officer=NAMES,
        opinion=st.sampled_from(Opinion),
        reason=NAMES,
        at=TIMES,
    ),
    st.builds(
        Repaired,
        reason=NAMES,
        who=NAMES,
        at=TIMES,
        known_length=st.integers(0, 2**40),
        sealed_away=st.integers(0, 2**40),
        evidence=NAMES,
        charged=st.dictionaries(NAMES, RHOS, max_size=3).map(in_order),
    ),
    st.builds(Reserved, pool=NAMES, rho=RHOS, request=NAMES, at=TIMES),
    st.builds(Committed, request=NAMES, at=TIMES),
    st.builds(Abandoned, request=NAMES, at=TIMES),
)


@given(EVENTS, st.integers(0, 2**40))
def test_an_entry_comes_back_from_its_text_exactly(event: Event, index: int) -> None:
    entry = sealed(index, GENESIS, event)
    assert from_text(to_text(entry), entry.digest, index=index) == entry


def plain(value: object) -> object:
    """Return a member as JSON has it, by a way of its own."""
    match value:
        case Rho() | Delta():
            return value.value
        case datetime():
            return value.astimezone(UTC).isoformat()
        case tuple():
            return {pool: rho.value for pool, rho in value}
        case _:
            return value


@given(EVENTS, st.integers(0, 2**40))
def test_the_text_is_what_rfc8785_writes(event: Event, index: int) -> None:
    members = {field.name: plain(getattr(event, field.name)) for field in fields(event)}
    members = {name: value for name, value in members.items() if value is not None}
    record = {
        "index": index,
        "previous": GENESIS,
        "event": {"kind": type(event).__name__.lower(), **members},
    }
    assert to_text(sealed(index, GENESIS, event)).encode() == rfc8785.dumps(record)


def test_a_pool_opened_without_windows_says_nothing_of_them() -> None:
    event = Opened(pool="firm", budget=Rho(1.0), delta=Delta(1e-6), at=AT)
    assert "month" not in to_text(sealed(0, GENESIS, event))


def test_the_digest_is_the_hash_of_canonical_json_that_anyone_can_compute() -> None:
    event = Reserved(pool="firm/risk", rho=Rho(0.5), request="9f#1", at=AT)
    entry = sealed(3, GENESIS, event)
    text = (
        '{"event":{"at":"2026-11-22T04:00:00+00:00","kind":"reserved","pool":"firm/risk",'
        '"request":"9f#1","rho":0.5},"index":3,"previous":"' + GENESIS + '"}'
    )
    assert to_text(entry) == text
    assert entry.digest == hashlib.sha256(text.encode()).hexdigest()


def test_the_same_instant_in_another_zone_is_the_same_entry() -> None:
    taipei = AT.astimezone(timezone(timedelta(hours=8)))
    assert sealed(0, GENESIS, Committed(request="r", at=AT)) == sealed(
        0, GENESIS, Committed(request="r", at=taipei)
    )


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(InvalidBound):
        sealed(0, GENESIS, Committed(request="r", at=AT.replace(tzinfo=None)))


def test_a_name_that_is_not_unicode_is_refused() -> None:
    with pytest.raises(InvalidBound):
        sealed(0, GENESIS, Committed(request="\ud800", at=AT))


def text_of(entry: Entry, **changes: object) -> str:
    """Return an entry's text with fields of its event replaced, in canonical form."""
    record = json.loads(to_text(entry))
    record["event"].update(changes)
    return json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "not json",
        text_of(sealed(0, GENESIS, Committed(request="r", at=AT)), kind="forgiven"),
        text_of(sealed(0, GENESIS, Committed(request="r", at=AT)), refund=True),
        text_of(sealed(0, GENESIS, Committed(request="r", at=AT)), at="yesterday"),
        text_of(sealed(0, GENESIS, Committed(request="r", at=AT)), at="2026-11-22T04:00:00"),
        text_of(sealed(0, GENESIS, Reserved(pool="p", rho=Rho(0.5), request="r", at=AT)), rho=-1.5),
        text_of(
            sealed(0, GENESIS, Reserved(pool="p", rho=Rho(0.5), request="r", at=AT)), rho="0.5"
        ),
        to_text(sealed(0, GENESIS, Committed(request="r", at=AT))) + " ",
        text_of(sealed(0, GENESIS, Committed(request="r", at=AT)), request=7),
        text_of(sealed(0, GENESIS, Committed(request="r", at=AT)), at="0001-01-01T00:00:00+14:00"),
        text_of(
            sealed(0, GENESIS, Reserved(pool="p", rho=Rho(0.5), request="r", at=AT)), rho=10**400
        ),
        "[" * 100_000,
        "\ud800",
    ],
)
def test_text_that_was_not_written_here_names_its_entry(text: str) -> None:
    with pytest.raises(LedgerBroken) as caught:
        from_text(text, hashlib.sha256(text.encode(errors="replace")).hexdigest(), index=7)
    assert caught.value.entry == 7


def test_text_under_another_digest_names_its_entry() -> None:
    entry = sealed(0, GENESIS, Committed(request="r", at=AT))
    with pytest.raises(LedgerBroken, match="digest"):
        from_text(to_text(entry), "0" * 64, index=0)


def test_an_event_can_be_read_where_it_does_not_fit_and_nothing_else() -> None:
    event = Reserved(pool="p", rho=Rho(0.5), request="r", at=AT)
    assert read_event(to_text(sealed(9, "nowhere", event)) + "  ") == event
    assert read_event("[" * 100_000) is read_event("") is read_event("{}") is None


@pytest.mark.parametrize("word", ["", "  ", "\n"])
def test_a_blank_word_is_refused(word: str) -> None:
    require_words(reason="a reason")
    with pytest.raises(InvalidBound, match="reason"):
        require_words(reason=word)
