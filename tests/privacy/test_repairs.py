"""A repair forgets no loss that a witness tells, whatever became of the rows."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy import ledger
from privacy.entries import Event, Repaired, sealed, to_text
from privacy.errors import BudgetExceeded, InvalidBound, LedgerBroken, LedgerConflict
from privacy.heads import Head, head_of
from privacy.ledger import follow
from privacy.ledger_state import EMPTY, LedgerState
from privacy.loss import Delta, Rho
from privacy.pools import exact
from privacy.repairs import Row, evidence_of, repair, repaired

AT = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
WHO = {"reason": "the disk was replaced", "who": "ann", "at": AT}
POOLS = ("firm", "firm/a", "firm/b")

Repair = Callable[..., Repaired]


def after(state: LedgerState, event: Event | None) -> LedgerState:
    assert event is not None
    return follow(state, [sealed(state.length, state.head, event)])


ASKED = st.lists(
    st.tuples(
        st.sampled_from(POOLS),
        st.sampled_from([0.1, 0.25, 1e-9]),
        st.sampled_from(["commit", "abandon", "neither"]),
    ),
    max_size=8,
)


def history(asked: list[tuple[str, float, str]]) -> list[tuple[LedgerState, Row]]:
    """Return each entry's row with the state after it."""
    steps: list[tuple[LedgerState, Row]] = []
    state = EMPTY

    def write(event: Event | None) -> None:
        nonlocal state
        assert event is not None
        entry = sealed(state.length, state.head, event)
        state = follow(state, [entry])
        steps.append((state, Row(entry.index, to_text(entry), entry.digest)))

    for pool in POOLS:
        write(ledger.open_pool(state, pool, budget=Rho(2.0), delta=Delta(1e-6), at=AT))
    for n, (pool, rho, end) in enumerate(asked):
        try:
            write(ledger.reserve(state, pool, rho=Rho(rho), request=f"r{n}", at=AT))
        except BudgetExceeded:
            continue
        if end != "neither":
            settle = ledger.commit if end == "commit" else ledger.abandon
            write(settle(state, f"r{n}", at=AT))
    return steps


def forgets(rule: Repair, steps: list[tuple[LedgerState, Row]], cut: int, gone: set[int]) -> bool:
    """Break a history at an entry, lose some rows after it, repair; is any loss forgotten?"""
    cut %= len(steps)
    state = steps[cut - 1][0] if cut else EMPTY
    lost = [row for _, row in steps[cut:] if row.index not in gone]
    truth = steps[-1][0]
    event = rule(state, lost=lost, heads=[head_of(truth)], **WHO)
    assert after(state, event).charged.keys() >= state.charged.keys()
    charged = dict(event.charged)
    return any(
        exact(charged.get(pool, Rho(0.0))) < amount for pool, amount in truth.charged.items()
    )


BREAKS = (ASKED, st.integers(0, 30), st.sets(st.integers(0, 30)))


@given(*BREAKS)
def test_no_break_makes_a_repair_forget_a_loss(
    asked: list[tuple[str, float, str]], cut: int, gone: set[int]
) -> None:
    assert not forgets(repaired, history(asked), cut, gone)


def without_the_head(state: LedgerState, *, heads: list[Head], **rest: object) -> Repaired:
    """The saboteur that asks only the rows."""
    assert heads
    return repaired(state, heads=[], **rest)  # type: ignore[arg-type]


def test_a_repair_that_asks_only_the_rows_forgets_what_was_cut() -> None:
    steps = history([("firm/a", 0.25, "commit")])
    assert forgets(without_the_head, steps, 3, {3, 4})
    assert not forgets(repaired, steps, 3, {3, 4})


def lost(steps: list[tuple[LedgerState, Row]], cut: int) -> Repaired:
    """Repair with no head at all: only the rows tell."""
    return repaired(steps[cut - 1][0], lost=[row for _, row in steps[cut:]], heads=[], **WHO)


def test_without_a_head_every_promise_that_can_be_read_is_charged_whatever_became_of_it() -> None:
    steps = history([("firm/a", 0.25, "abandon"), ("firm/b", 0.25, "commit")])
    assert dict(lost(steps, 3).charged) == {
        "firm": Rho(0.5),
        "firm/a": Rho(0.25),
        "firm/b": Rho(0.25),
    }


def test_a_promise_told_twice_is_charged_once_at_the_most_it_was_told_to_be() -> None:
    steps = history([("firm/a", 0.25, "neither")])
    state, row = steps[2][0], steps[3][1]
    louder = Row(9, row.entry.replace("0.25", "0.5"), "")
    event = repaired(state, lost=[row, louder, row], heads=[], **WHO)
    assert dict(event.charged)["firm/a"] == Rho(0.5)


def test_an_earlier_repair_among_the_lost_rows_is_a_witness() -> None:
    steps = history([("firm/a", 0.25, "commit")])
    first = repaired(
        steps[2][0],
        lost=[],
        heads=[Head(length=9, digest="0" * 64, charged={"firm": Rho(1.5)})],
        **WHO,
    )
    row = Row(3, to_text(sealed(3, steps[2][0].head, first)), "")
    again = repaired(steps[2][0], lost=[row], heads=[], **WHO)
    assert dict(again.charged)["firm"] == Rho(1.5)


@pytest.mark.parametrize("entry", ["", "{}", '{"event":{"kind":"reserved"}}', "[" * 100_000])
def test_a_row_that_tells_nothing_charges_nothing(entry: str) -> None:
    state = history([])[-1][0]
    event = repaired(state, lost=[Row(3, entry, "x")], heads=[], **WHO)
    assert {rho for _, rho in event.charged} == {Rho(0.0)}
    assert event.sealed_away == 1


def test_a_forged_pool_path_is_no_pool() -> None:
    steps = history([("firm/a", 0.25, "neither")])
    forged = Row(3, steps[3][1].entry.replace("firm/a", "firm//a"), "")
    event = repaired(steps[2][0], lost=[forged], heads=[], **WHO)
    assert {name for name, _ in event.charged} == set(POOLS)


def test_the_evidence_is_one_digest_over_the_rows_in_order() -> None:
    rows = [Row(3, "a", "b"), Row(4, "c", "d")]
    assert evidence_of(rows) == evidence_of(list(rows)) != evidence_of(rows[::-1])


def test_an_entry_that_charges_less_than_before_is_no_repair() -> None:
    state = history([("firm/a", 0.25, "commit")])[-1][0]
    facts = {"known_length": 5, "sealed_away": 0, "evidence": "0" * 64} | WHO
    for charged in ((), (("firm", Rho(0.25)), ("firm/a", Rho(0.125)), ("firm/b", Rho(0.0)))):
        with pytest.raises(LedgerConflict, match="less"):
            repair(state, charged=charged, **facts)
        with pytest.raises(LedgerBroken):
            after(state, Repaired(charged=charged, **facts))
    with pytest.raises(InvalidBound):
        repair(state, charged=(), **facts | {"at": AT.replace(tzinfo=None)})
