"""A sign of life is good until its time, in every process that looks."""

from pathlib import Path

from federation.coordinator.heartbeat import Heartbeat
from federation.database import open_database


def test_nobody_is_alive_before_the_first_sign(tmp_path: Path) -> None:
    assert not Heartbeat(open_database(f"sqlite:///{tmp_path / 'c.db'}")).is_alive(0)


def test_a_sign_of_life_is_good_until_its_time(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'c.db'}"
    mine, theirs = Heartbeat(open_database(url)), Heartbeat(open_database(url))
    mine.beat(until=100)
    assert theirs.is_alive(100)
    assert not theirs.is_alive(101)
    mine.beat(until=160)
    assert theirs.is_alive(101)
