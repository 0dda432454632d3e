from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from privacy.errors import (
    BudgetExceeded,
    InvalidBound,
    LedgerBroken,
    LedgerConflict,
    UnknownPool,
    UnknownReservation,
)
from privacy.ledger import fold
from privacy.loss import ZERO_RHO, Delta, Rho
from privacy.store import Ledger

AT = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
DELTA = Delta(1e-6)


@pytest.fixture
def ledger(engine: sa.Engine) -> Ledger:
    opened = Ledger(engine)
    opened.open_pool("firm", Rho(1.0), DELTA, AT)
    opened.open_pool("firm/risk", Rho(0.5), DELTA, AT)
    return opened


def overwrite(engine: sa.Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text(statement))


def test_a_reservation_is_charged_to_every_pool_above_it(ledger: Ledger) -> None:
    assert ledger.reserve("firm/risk", Rho(0.25), "plan#1", AT) == "plan#1"
    assert ledger.state("firm").reserved == ledger.state("firm/risk").reserved == Rho(0.25)
    ledger.commit("plan#1", AT)
    assert ledger.state("firm").spent == Rho(0.25)
    assert ledger.state("firm").reserved == ZERO_RHO
    assert ledger.state("firm/risk").remaining == Rho(0.25)


def test_a_refused_reservation_writes_nothing(ledger: Ledger) -> None:
    before = ledger.entries()
    with pytest.raises(BudgetExceeded) as caught:
        ledger.reserve("firm/risk", Rho(0.75), "plan#1", AT)
    assert caught.value.pool == "firm/risk"
    assert ledger.entries() == before
    with pytest.raises(UnknownReservation):
        ledger.commit("plan#1", AT)


def test_the_same_request_twice_spends_once(ledger: Ledger) -> None:
    for _ in range(2):
        ledger.reserve("firm/risk", Rho(0.25), "plan#1", AT)
        ledger.commit("plan#1", AT)
    assert ledger.state("firm/risk").spent == Rho(0.25)
    assert len(ledger.entries()) == 4


def test_an_abandoned_reservation_is_free_again(ledger: Ledger) -> None:
    ledger.reserve("firm/risk", Rho(0.5), "plan#1", AT)
    ledger.abandon("plan#1", AT)
    assert ledger.state("firm").remaining == Rho(1.0)
    with pytest.raises(LedgerConflict):
        ledger.reserve("firm/risk", Rho(0.5), "plan#1", AT)
    ledger.reserve("firm/risk", Rho(0.5), "plan#2", AT)


def test_a_reservation_left_by_a_crash_counts_as_spent(engine: sa.Engine, ledger: Ledger) -> None:
    ledger.reserve("firm/risk", Rho(0.5), "plan#1", AT)
    reopened = Ledger(engine)
    assert reopened.state("firm/risk").remaining == ZERO_RHO
    with pytest.raises(BudgetExceeded):
        reopened.reserve("firm/risk", Rho(0.25), "plan#2", AT)
    reopened.commit("plan#1", AT)
    assert reopened.state("firm/risk").spent == Rho(0.5)


def test_two_open_ledgers_of_one_file_see_each_other(engine: sa.Engine, ledger: Ledger) -> None:
    other = Ledger(engine)
    ledger.reserve("firm", Rho(0.75), "plan#1", AT)
    with pytest.raises(BudgetExceeded):
        other.reserve("firm", Rho(0.5), "plan#2", AT)
    other.commit("plan#1", AT)
    assert ledger.state("firm") == other.state("firm")


def test_opening_a_pool_again_changes_nothing_and_never_its_budget(ledger: Ledger) -> None:
    before = ledger.entries()
    ledger.open_pool("firm", Rho(1.0), DELTA, AT)
    assert ledger.entries() == before
    with pytest.raises(LedgerConflict):
        ledger.open_pool("firm", Rho(2.0), DELTA, AT)


def test_a_pool_nobody_opened_has_no_state(ledger: Ledger) -> None:
    with pytest.raises(UnknownPool):
        ledger.state("firm/advice")
    with pytest.raises(UnknownPool):
        ledger.reserve("firm/advice", Rho(0.1), "plan#1", AT)


def test_a_time_without_a_zone_leaves_the_ledger_as_it_was(ledger: Ledger) -> None:
    with pytest.raises(InvalidBound):
        ledger.reserve("firm", Rho(0.1), "plan#1", AT.replace(tzinfo=None))
    ledger.reserve("firm", Rho(0.1), "plan#1", AT)
    assert ledger.state("firm").reserved == Rho(0.1)


def test_the_history_verifies_and_folds_to_the_states(ledger: Ledger) -> None:
    ledger.reserve("firm/risk", Rho(0.25), "plan#1", AT)
    assert ledger.verify() == ledger.entries()[-1].digest
    told = {name: ledger.state(name, AT) for name in ("firm", "firm/risk")}
    assert fold(ledger.entries(), AT) == told


@pytest.mark.parametrize(
    "statement",
    [
        """update privacy_ledger set entry = replace(entry, '0.25', '0.125') where "index" = 2""",
        """update privacy_ledger set entry = entry || ' ' where "index" = 2""",
        """update privacy_ledger set entry = '' where "index" = 2""",
        """update privacy_ledger set digest = 'f' where "index" = 2""",
        """update privacy_ledger set "index" = 20 where "index" = 2""",
        """delete from privacy_ledger where "index" = 2""",
    ],
)
def test_one_touched_row_is_named(engine: sa.Engine, ledger: Ledger, statement: str) -> None:
    ledger.reserve("firm/risk", Rho(0.25), "plan#1", AT)
    ledger.commit("plan#1", AT)
    overwrite(engine, statement)
    for opened in (ledger, Ledger(engine)):
        with pytest.raises(LedgerBroken) as caught:
            opened.verify()
        assert caught.value.entry == 2


def test_a_broken_ledger_spends_nothing(engine: sa.Engine, ledger: Ledger) -> None:
    ledger.reserve("firm/risk", Rho(0.25), "plan#1", AT)
    overwrite(engine, "update privacy_ledger set entry = replace(entry, '0.25', '0.125')")
    with pytest.raises(LedgerBroken):
        Ledger(engine).reserve("firm", Rho(0.1), "plan#2", AT)


@pytest.mark.parametrize(
    "statement",
    [
        'delete from privacy_ledger where "index" = 2',
        """update privacy_ledger set digest = 'f' where "index" = 2""",
    ],
)
def test_a_history_rewritten_under_a_running_process_is_noticed(
    engine: sa.Engine, ledger: Ledger, statement: str
) -> None:
    ledger.reserve("firm/risk", Rho(0.25), "plan#1", AT)
    overwrite(engine, statement)
    for use in (ledger.verify, lambda: ledger.reserve("firm", Rho(0.1), "plan#2", AT)):
        with pytest.raises(LedgerBroken) as caught:
            use()
        assert caught.value.entry == 2
