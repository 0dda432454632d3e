"""Runs: two processes share one table and no run is taken, answered or ended twice."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine

from federation.coordinator.runs import Runs, RunState, Submission
from federation.database import open_database
from federation.errors import RunUnknown


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return open_database(f"sqlite:///{tmp_path / 'sub' / 'coordinator.db'}")


def _add(
    runs: Runs,
    run: str = "r1",
    question: str = "q1",
    digest: str = "d1",
    *,
    waiting: bool = False,
) -> Submission:
    return runs.add(
        run=run,
        request=f"key {run}",
        asker="ann",
        plan=b"{}",
        digest=digest,
        question=question,
        attempt=runs.attempts(digest, question),
        epoch=1,
        policy="0" * 64,
        now=1,
        waiting=waiting,
    )


def test_a_run_goes_from_accepted_to_released(engine: Engine) -> None:
    runs = Runs(engine)
    _add(runs)
    assert runs.get("r1").state is RunState.ACCEPTED
    taken = runs.take()
    assert taken is not None
    runs.report("r1", progress=0.5, step="half")
    assert runs.get("r1").progress == 0.5
    runs.end_released("r1", result={"a": 1}, label={"b": 2}, now=2)
    ended = runs.get("r1")
    assert (ended.state, ended.result, ended.label) == (RunState.RELEASED, {"a": 1}, {"b": 2})


def test_an_ended_run_never_changes_again(engine: Engine) -> None:
    runs = Runs(engine)
    _add(runs)
    runs.take()
    runs.end_refused("r1", code="no", text="because", now=2)
    runs.end_released("r1", result={}, label={}, now=3)
    runs.report("r1", progress=0.9, step="late")
    assert runs.get("r1").state is RunState.REFUSED
    assert runs.get("r1").result is None
    assert runs.get("r1").step == "refused"


def test_each_run_is_taken_once_however_many_take(engine: Engine) -> None:
    runs = Runs(engine)
    for number in range(8):
        _add(runs, run=f"r{number}", question=f"q{number}")
    with ThreadPoolExecutor(8) as pool:
        taken = [r for r in pool.map(lambda _: Runs(engine).take(), range(40)) if r is not None]
    assert len({run.id for run in taken}) == len(taken)


def test_the_same_name_is_accepted_once(engine: Engine) -> None:
    runs = Runs(engine)
    _add(runs)
    _add(runs)
    assert len(runs.latest()) == 1


def test_attempts_of_one_plan_are_counted(engine: Engine) -> None:
    runs = Runs(engine)
    assert runs.attempts("d1", "q1") == 0
    _add(runs)
    assert runs.attempts("d1", "q2") == 1
    assert runs.attempts("d2", "q1") == 1
    assert runs.attempts("d2", "q2") == 0


def test_a_refused_run_answers_no_question(engine: Engine) -> None:
    runs = Runs(engine)
    _add(runs)
    assert runs.answering("q1")
    runs.take()
    runs.end_refused("r1", code="no", text="because", now=2)
    assert not runs.answering("q1")


def test_a_waiting_run_is_not_taken_before_it_is_accepted(engine: Engine) -> None:
    runs = Runs(engine)
    _add(runs, waiting=True)
    assert runs.take() is None
    assert [run.id for run in runs.waiting()] == ["r1"]
    assert runs.accept("r1")
    assert not runs.accept("r1")
    taken = runs.take()
    assert taken is not None
    assert runs.waiting() == []


def test_only_the_first_of_two_submissions_is_new(engine: Engine) -> None:
    runs = Runs(engine)
    assert _add(runs).new
    assert not _add(runs).new


def test_a_page_of_runs_goes_on_after_the_last_one(engine: Engine) -> None:
    runs = Runs(engine)
    for number in range(5):
        _add(runs, run=f"r{number}", question=f"q{number}", digest=f"d{number}")
    first = runs.latest(limit=2)
    rest = runs.latest(limit=9, before=first[-1].id)
    assert [run.id for run in first + rest] == ["r4", "r3", "r2", "r1", "r0"]
    with pytest.raises(RunUnknown):
        runs.latest(before="nope")


def test_an_unknown_run_is_said_to_be_unknown(engine: Engine) -> None:
    with pytest.raises(RunUnknown, match="nope"):
        Runs(engine).get("nope")


def test_what_a_dead_process_left_is_found(engine: Engine) -> None:
    runs = Runs(engine)
    _add(runs)
    runs.take()
    assert [run.id for run in Runs(engine).orphans()] == ["r1"]
