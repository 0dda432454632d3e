import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.entries import (
    GENESIS,
    Abandoned,
    Committed,
    Entry,
    Event,
    Opened,
    Reserved,
    from_text,
    sealed,
    to_text,
)
from privacy.errors import InvalidBound, LedgerBroken
from privacy.loss import Delta, Rho

AT = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
NAMES = st.text(st.characters(codec="utf-8"), max_size=30)
TIMES = st.datetimes(timezones=st.just(UTC))
RHOS = st.floats(min_value=0, max_value=1e300).map(Rho)
DELTAS = st.floats(min_value=0, max_value=1, exclude_min=True, exclude_max=True).map(Delta)
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(Opened, pool=NAMES, budget=RHOS, delta=DELTAS, at=TIMES),
    st.builds(Reserved, pool=NAMES, rho=RHOS, request=NAMES, at=TIMES),
    st.builds(Committed, request=NAMES, at=TIMES),
    st.builds(Abandoned, request=NAMES, at=TIMES),
)


@given(EVENTS, st.integers(0, 2**40))
def test_an_entry_comes_back_from_its_text_exactly(event: Event, index: int) -> None:
    entry = sealed(index, GENESIS, event)
    assert from_text(to_text(entry), entry.digest, index=index) == entry


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
    ],
)
def test_text_that_was_not_written_here_names_its_entry(text: str) -> None:
    with pytest.raises(LedgerBroken) as caught:
        from_text(text, "0" * 64, index=7)
    assert caught.value.entry == 7
