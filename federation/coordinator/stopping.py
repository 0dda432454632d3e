"""Stopping a run: nothing more is asked of a department, and what was paid for is kept."""

from federation.coordinator.desk import Desk
from federation.coordinator.endings import end_refused
from federation.coordinator.runs import Run, RunState
from federation.coordinator.trainings import Trainings
from federation.errors import RunNotStoppable, RunStopped
from federation.plans import read_plan
from federation.training_plan import TrainingPlan


def stop(run_id: str, desk: Desk) -> Run:
    """Stop a run; return it as it is then.

    A run that waits, or whose turn has not come, ends here and gives its reservation back. A
    training that is under way ends before its next round and releases the model of the rounds that
    are done. Its reservation stays spent: a department charges the whole plan to its own ledger
    with the first round, and a round that is out may or may not have been answered.

    Raises:
        RunUnknown: there is no such run.
        RunNotStoppable: it has ended, or its only leg that spends may be under way.
    """
    run = desk.runs.get(run_id)
    trainings = Trainings(desk.engine)
    training = isinstance(read_plan(run.plan), TrainingPlan)
    if run.state in (RunState.RELEASED, RunState.REFUSED):
        raise RunNotStoppable("it has ended")
    if run.state is RunState.RUNNING and not training:
        raise RunNotStoppable("its only leg that spends may be under way")
    if training:
        trainings.stop(run_id)
    if run.state is not RunState.RUNNING and trainings.underway(run_id) is None:
        end_refused(run, RunStopped(), desk, spent=False, since=run.state)
    return desk.runs.get(run_id)
