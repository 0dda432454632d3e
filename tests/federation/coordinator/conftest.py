"""A desk with a life behind it, and the evidence of it."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from federation import layout
from federation.coordinator.approvals import give_opinion, opinions_on
from federation.coordinator.desk import Desk, plan_of, submit
from federation.coordinator.dispatch import Dispatcher, open_dispatcher
from federation.coordinator.evidence_log import log_release, publish
from federation.coordinator.export import export
from federation.coordinator.labels import Facts, label
from federation.coordinator.question_result import question_result
from federation.coordinator.registry import Registry
from federation.coordinator.runs import Run
from federation.coordinator.settings import CoordinatorSettings
from federation.messages import Answer, Ask
from federation.node.answer import answer
from federation.plans import read_plan
from federation.question_plan import QuestionPlan
from privacy.entries import Opinion
from privacy.loss import Delta
from privacy.mechanisms import LIBRARY, release
from privacy.units import NeighboringRelation

NOW = 1_800_000_000  # by the nodes' clocks, which opened their ledgers then
AT = datetime(2026, 11, 22, tzinfo=UTC)
POLICY = """
delta = 1e-6
automatic_epsilon = 2.0
[firm]
epsilon = 9.0
[purposes.review]
epsilon = 8.0
"""
QUESTION = {
    "kind": "question",
    "purpose": "review",
    "statistics": [{"kind": "count"}, {"kind": "mean", "field": "age"}],
    "by": ["education"],
    "rho": 0.05,
    "reason": "how old they are",
}
TRAINING = {
    "kind": "training",
    "purpose": "review",
    "target": "defaulted",
    "features": ["age"],
    "rounds": 2,
    "local_steps": 3,
    "rho": 0.03,
    "reason": "a shared model",
}


@pytest.fixture
def make_desk(tmp_path: Path, desk_at: Callable[..., Desk]) -> Callable[..., Desk]:
    """Return a function that opens a desk, always on the same database."""
    return partial(desk_at, tmp_path)


@pytest.fixture(scope="module")
def desk(desk_at: Callable[..., Desk], tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A desk with a life behind it: released, approved, declined, waiting and abandoned runs."""
    desk = desk_at(tmp_path_factory.mktemp("desk"), POLICY)
    for request in (QUESTION, TRAINING):
        finish(submit(plan_of(request, desk), desk, asker="ann", now=AT).run, desk)
    for number, opinions in enumerate(["yes yes", "yes no", "yes"]):
        dear = plan_of(QUESTION | {"rho": 0.3 + number / 100}, desk)
        run = submit(dear, desk, asker="ann", now=AT).run
        for officer, opinion in zip(("olga", "otto"), opinions.split(), strict=False):
            chosen = Opinion.APPROVE if opinion == "yes" else Opinion.DECLINE
            give_opinion(run.id, desk, officer=officer, opinion=chosen, reason="as it is", now=AT)
    taken = desk.runs.take()
    assert taken is not None
    finish(taken, desk)
    idle = submit(
        plan_of(QUESTION | {"rho": 0.01, "by": ["age"]}, desk), desk, asker="ann", now=AT
    ).run
    desk.ledger.abandon(idle.id, AT)
    desk.runs.take()
    desk.runs.end_refused(idle.id, code="DepartmentMissing", text="nobody came", now=1)
    submit(plan_of(QUESTION | {"rho": 0.02, "by": ["age"]}, desk), desk, asker="ann", now=AT)
    publish(desk.evidence)
    return desk


def finish(run: Run, desk: Desk) -> None:
    """Do to a run what the dispatcher does, with answers that hold no noise."""
    if run.state == "accepted":
        desk.runs.take()
    plan, at = read_plan(run.plan), AT + timedelta(minutes=1)
    result = figures(plan, desk) if isinstance(plan, QuestionPlan) else trained(run, desk)
    desk.ledger.commit(run.id, at)
    facts = Facts(
        run=run.id,
        delta=Delta(desk.policy.delta),
        epoch=run.epoch,
        released_at=int(at.timestamp()),
        library=LIBRARY,
        opinions=opinions_on(run, desk),
        result=result,
    )
    tag = label(plan, desk.catalogue, facts)
    tag["log_index"] = log_release(
        desk.evidence, run, result=result, label=tag, at=facts.released_at
    )
    desk.runs.end_released(run.id, result=result, label=tag, now=facts.released_at)


def trained(run: Run, desk: Desk) -> dict[str, Any]:
    """Make a run a version, and tell of it as a training's result does."""
    version = Registry(desk.engine).add(
        "defaulted",
        run=run.id,
        plan=run.digest,
        file="m.safetensors",
        sha256="0" * 64,
        code="0",
        at=run.accepted_at,
    )
    return {key: getattr(version, key) for key in ("name", "version", "sha256", "code")}


def figures(plan: QuestionPlan, desk: Desk) -> dict[str, Any]:
    minted = [
        release(
            block.name,
            np.full(block.size, 300 * block.scale if block.field is None else 5, np.int64),
            sensitivity=block.sensitivity,
            scale=block.scale,
            rho=block.rho,
            unit=plan.unit,
            relation=NeighboringRelation.ADD_OR_REMOVE,
            bound=plan.bound,
            cohort=len(plan.cohort),
            tolerance=plan.tolerance,
        )
        for block in layout.question_blocks(plan, desk.catalogue)
    ]
    return question_result(plan, desk.catalogue, minted)


@pytest.fixture(scope="module")
def evidence(desk: Desk) -> bytes:
    return b"".join(export(desk, now=AT + timedelta(hours=1)))


@pytest.fixture
def dispatch_to() -> Iterator[Callable[[Any, str], Dispatcher]]:
    """Return a function that opens the real coordinator, under a policy, over a firm's nodes."""
    opened: list[Dispatcher] = []

    def dispatch_to(firm: Any, policy: str) -> Dispatcher:
        def exchange(asks: Mapping[str, Ask], *, deadline_s: float) -> dict[str, Answer]:
            assert deadline_s > 0
            return {d: answer(firm.nodes[d], ask, NOW) for d, ask in asks.items()}

        (firm.folder / "policy.toml").write_text(policy)
        settings = CoordinatorSettings(
            database=f"sqlite:///{firm.folder / 'coordinator.db'}",
            catalogue=firm.folder / "catalogue.toml",
            policy=firm.folder / "policy.toml",
            keys=firm.enrolment.coordinator,
            consent_keys=firm.enrolment.consent,
            models=firm.folder / "models",
        )
        opened.append(open_dispatcher(settings, exchange))
        opened[-1].now = lambda: NOW
        rows = [(client, client, level) for client, level in firm.levels.items()]
        opened[-1].desk.register.load(rows, datetime.now(UTC))
        return opened[-1]

    yield dispatch_to
    for each in opened:
        each.desk.engine.dispose()
