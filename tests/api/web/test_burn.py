from datetime import UTC, datetime, timedelta

import pytest

from api.web.burn import burn_of, draw
from privacy.entries import GENESIS, Abandoned, Committed, Event, Opened, Reserved, sealed
from privacy.history import Course, History
from privacy.loss import Delta, Rho

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def course(*events: Event) -> Course:
    history, head = History(), GENESIS
    for index, event in enumerate(events):
        entry = sealed(index, head, event)
        history.add([entry])
        head = entry.digest
    return history.course("firm")


OPENED = Opened(pool="firm", budget=Rho(1.0), delta=Delta(1e-6), at=START)


def test_a_reserved_part_is_gone_and_an_abandoned_one_is_back() -> None:
    chain = (
        OPENED,
        Reserved(pool="firm/a", rho=Rho(0.25), request="r1", at=START + DAY),
        Reserved(pool="firm/b", rho=Rho(0.5), request="r2", at=START + 2 * DAY),
        Abandoned(request="r2", at=START + 3 * DAY),
        Committed(request="r1", at=START + 4 * DAY),
    )
    burn = burn_of(course(*chain), now=START + 100 * DAY)
    assert [left for _at, left in burn.points] == [1.0, 0.75, 0.25, 0.75, 0.75]


def test_a_steady_burn_ends_when_it_should() -> None:
    spends = [
        Reserved(pool="firm", rho=Rho(0.01), request=f"r{n}", at=START + n * DAY) for n in range(50)
    ]
    burn = burn_of(course(OPENED, *spends), now=START + 50 * DAY)
    assert burn.rho_per_day == pytest.approx(0.01)
    assert burn.until is not None
    assert abs(burn.until - (START + 100 * DAY)) < DAY
    assert "forecast" in draw(burn, "title", "en")


def test_an_hour_of_spending_is_no_pace() -> None:
    spend = Reserved(pool="firm", rho=Rho(0.1), request="r", at=START)
    burn = burn_of(course(OPENED, spend), now=START + timedelta(hours=1))
    assert burn.rho_per_day == pytest.approx(0.1 / 14)
    assert (burn.young, burn.until) == (True, None)


def test_another_pool_is_left_out() -> None:
    other = Opened(pool="firm/a", budget=Rho(0.5), delta=Delta(1e-6), at=START)
    burn = burn_of(course(other), now=START + DAY)
    assert (burn.points, burn.until) == ((), None)


def test_a_long_past_is_drawn_by_as_many_points_as_a_line_can_show() -> None:
    spends = [
        Reserved(pool="firm", rho=Rho(1e-5), request=f"r{n}", at=START + n * DAY)
        for n in range(2000)
    ]
    burn = burn_of(course(OPENED, *spends), now=START + 2000 * DAY)
    assert 100 < len(burn.points) < 150
    assert burn.points[0] == (START, 1.0)
    assert burn.points[-1][1] == pytest.approx(1 - 0.02)
