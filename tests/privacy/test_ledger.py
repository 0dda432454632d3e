from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy import ledger
from privacy.entries import GENESIS, Abandoned, Committed, Entry, Event, Opened, Reserved, sealed
from privacy.errors import (
    BudgetExceeded,
    InvalidBound,
    LedgerBroken,
    LedgerConflict,
    UnknownPool,
    UnknownReservation,
)
from privacy.ledger import EMPTY, LedgerState, fold, follow, lineage, verify_chain
from privacy.loss import Delta, Rho

AT = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
DELTA = Delta(1e-6)
HISTORY: list[Event] = [
    Opened(pool="firm", budget=Rho(1.0), delta=DELTA, at=AT),
    Opened(pool="firm/risk", budget=Rho(0.75), delta=DELTA, at=AT),
    Opened(pool="firm/advice", budget=Rho(0.75), delta=DELTA, at=AT),
    Reserved(pool="firm/risk", rho=Rho(0.25), request="a#1", at=AT),
    Committed(request="a#1", at=AT),
    Reserved(pool="firm/advice", rho=Rho(0.5), request="b#1", at=AT),
    Abandoned(request="b#1", at=AT),
    Reserved(pool="firm/advice", rho=Rho(0.125), request="b#2", at=AT),
]


def chain(events: list[Event]) -> list[Entry]:
    entries: list[Entry] = []
    for index, event in enumerate(events):
        entries.append(sealed(index, entries[-1].digest if entries else GENESIS, event))
    return entries


def state(events: list[Event] = HISTORY) -> LedgerState:
    return follow(EMPTY, chain(events))


def test_a_charge_reaches_every_pool_above_and_none_beside() -> None:
    pools = fold(chain(HISTORY))
    assert {name: (pool.spent.value, pool.reserved.value) for name, pool in pools.items()} == {
        "firm": (0.25, 0.125),
        "firm/risk": (0.25, 0.0),
        "firm/advice": (0.0, 0.125),
    }
    assert pools["firm"].remaining == Rho(0.625)


def test_an_abandoned_request_is_free_again_and_an_open_one_is_not() -> None:
    assert state().reservations["b#1"].status == "abandoned"
    assert state().pool("firm/advice").remaining == Rho(0.625)


def test_lineage_is_every_path_from_the_root() -> None:
    assert lineage("firm/risk/study") == ("firm", "firm/risk", "firm/risk/study")


@pytest.mark.parametrize("pool", ["", "/", "firm/", "/risk", "firm//risk"])
def test_a_pool_path_has_no_empty_part(pool: str) -> None:
    with pytest.raises(InvalidBound):
        ledger.open_pool(EMPTY, pool, budget=Rho(1.0), delta=DELTA, at=AT)


def test_a_pool_needs_the_pools_above_it() -> None:
    with pytest.raises(UnknownPool) as caught:
        ledger.open_pool(EMPTY, "firm/risk", budget=Rho(1.0), delta=DELTA, at=AT)
    assert caught.value.pool == "firm"


def test_opening_again_changes_nothing_and_never_the_budget() -> None:
    assert ledger.open_pool(state(), "firm", budget=Rho(1.0), delta=DELTA, at=AT) is None
    for budget, delta in ((Rho(2.0), DELTA), (Rho(1.0), Delta(0.1))):
        with pytest.raises(LedgerConflict):
            ledger.open_pool(state(), "firm", budget=budget, delta=delta, at=AT)


def test_a_budget_converted_anew_in_its_last_digits_is_the_same_and_the_first_stands() -> None:
    converted_anew = Rho(1.0 + 1e-12)
    assert ledger.open_pool(state(), "firm", budget=converted_anew, delta=DELTA, at=AT) is None
    assert state().pool("firm").budget == Rho(1.0)
    with pytest.raises(LedgerConflict):
        ledger.open_pool(state(), "firm", budget=Rho(1.0 + 1e-6), delta=DELTA, at=AT)


def test_the_firm_refuses_what_one_purpose_could_still_afford() -> None:
    rich = [*HISTORY, Opened(pool="firm/research", budget=Rho(9.0), delta=DELTA, at=AT)]
    with pytest.raises(BudgetExceeded) as caught:
        ledger.reserve(state(rich), "firm/research", rho=Rho(0.75), request="c#1", at=AT)
    refusal = caught.value
    assert (refusal.pool, refusal.requested, refusal.remaining) == ("firm", 0.75, 0.625)


def test_a_reservation_in_no_pool_is_refused() -> None:
    with pytest.raises(UnknownPool):
        ledger.reserve(state(), "firm/nobody", rho=Rho(0.1), request="c#1", at=AT)


def test_the_same_request_spends_once_whatever_became_of_it() -> None:
    for request, pool, rho in (("a#1", "firm/risk", 0.25), ("b#2", "firm/advice", 0.125)):
        again = ledger.reserve(state(), pool, rho=Rho(rho), request=request, at=AT)
        assert again is None


def test_the_same_request_on_other_terms_or_after_it_was_abandoned_is_refused() -> None:
    for pool, rho, request in (
        ("firm/risk", 0.5, "a#1"),
        ("firm/advice", 0.25, "a#1"),
        ("firm/advice", 0.5, "b#1"),
    ):
        with pytest.raises(LedgerConflict):
            ledger.reserve(state(), pool, rho=Rho(rho), request=request, at=AT)


def test_what_is_settled_stays_settled() -> None:
    assert ledger.commit(state(), "a#1", at=AT) is None
    assert ledger.abandon(state(), "b#1", at=AT) is None
    with pytest.raises(LedgerConflict):
        ledger.abandon(state(), "a#1", at=AT)
    with pytest.raises(LedgerConflict):
        ledger.commit(state(), "b#1", at=AT)
    with pytest.raises(UnknownReservation):
        ledger.commit(state(), "never#1", at=AT)


def test_following_in_steps_is_following_at_once() -> None:
    entries = chain(HISTORY)
    for cut in range(len(entries) + 1):
        assert follow(follow(EMPTY, entries[:cut]), entries[cut:]) == follow(EMPTY, entries)


def test_ten_tenths_do_not_pass_for_less_than_they_are() -> None:
    events: list[Event] = [Opened(pool="firm", budget=Rho(1.0), delta=DELTA, at=AT)]
    events += [Reserved(pool="firm", rho=Rho(0.1), request=f"{n}", at=AT) for n in range(9)]
    left = state(events).pool("firm").remaining
    assert left < Rho(0.1)  # the float64 named 0.1 is a little more than a tenth
    last = ledger.reserve(state(events), "firm", rho=left, request="9", at=AT)
    assert last is not None
    with pytest.raises(BudgetExceeded):
        ledger.reserve(state([*events, last]), "firm", rho=Rho(1e-300), request="10", at=AT)


def changed(event: Event, field: str) -> Event:
    """Return the event with one field replaced by another value of its type."""
    value = getattr(event, field)
    other: object
    match value:
        case Rho():
            other = Rho(value.value / 2)
        case Delta():
            other = Delta(value.value / 2)
        case datetime():
            other = value.replace(year=2020)
        case _:
            other = f"{value}x"
    return replace(event, **{field: other})


@given(st.data())
def test_one_changed_field_breaks_the_chain_at_its_entry(data: st.DataObject) -> None:
    entries = chain(HISTORY)
    place = data.draw(st.integers(0, len(entries) - 1))
    entry = entries[place]
    field = data.draw(st.sampled_from(["index", "previous", "digest", *entry.event.__slots__]))
    if field in entry.event.__slots__:
        forged = replace(entry, event=changed(entry.event, field))
    else:
        forged = replace(entry, **{field: 99 if field == "index" else "f" * 64})
    with pytest.raises(LedgerBroken) as caught:
        verify_chain([*entries[:place], forged, *entries[place + 1 :]])
    assert caught.value.entry == place


@given(st.integers(0, len(HISTORY) - 2), st.integers(1, 3))
def test_a_removed_or_moved_entry_is_named(place: int, apart: int) -> None:
    entries = chain(HISTORY)
    with pytest.raises(LedgerBroken) as caught:
        verify_chain(entries[:place] + entries[place + 1 :])
    assert caught.value.entry == place
    other = min(place + apart, len(entries) - 1)
    entries[place], entries[other] = entries[other], entries[place]
    with pytest.raises(LedgerBroken) as caught:
        verify_chain(entries)
    assert caught.value.entry == place


def test_an_entry_forged_with_a_fitting_digest_breaks_the_link_after_it() -> None:
    entries = chain(HISTORY)
    entries[3] = sealed(3, entries[2].digest, changed(HISTORY[3], "rho"))
    with pytest.raises(LedgerBroken) as caught:
        verify_chain(entries)
    assert caught.value.entry == 4


def test_a_history_rewritten_to_the_end_has_another_head() -> None:
    honest = chain(HISTORY)
    rewritten = chain([changed(HISTORY[0], "at"), *HISTORY[1:]])
    assert verify_chain(honest) == honest[-1].digest
    assert verify_chain(rewritten) != verify_chain(honest)
    assert verify_chain(honest[:-1]) != verify_chain(honest)


@pytest.mark.parametrize(
    "event",
    [
        Reserved(pool="firm/risk", rho=Rho(0.625), request="c#1", at=AT),
        Reserved(pool="nowhere", rho=Rho(0.1), request="c#1", at=AT),
        Reserved(pool="firm/risk", rho=Rho(0.25), request="a#1", at=AT),
        Opened(pool="firm", budget=Rho(9.0), delta=DELTA, at=AT),
        Opened(pool="firm", budget=Rho(1.0), delta=DELTA, at=AT),
        Abandoned(request="a#1", at=AT),
        Committed(request="never#1", at=AT),
    ],
)
def test_a_well_chained_entry_that_breaks_a_rule_is_named(event: Event) -> None:
    with pytest.raises(LedgerBroken) as caught:
        verify_chain(chain([*HISTORY, event]))
    assert caught.value.entry == len(HISTORY)


def test_a_check_without_digests_would_miss_the_forgery() -> None:
    forged = chain(HISTORY)
    forged[3] = replace(forged[3], event=changed(forged[3].event, "rho"))
    resealed = chain([entry.event for entry in forged])
    assert verify_chain(resealed)
    with pytest.raises(LedgerBroken):
        verify_chain(forged)
