"""The real coordinator with nodes in this process: asks go to them without a wire between."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from federation.coordinator.desk import budgets, plan_of, submit
from federation.coordinator.dispatch import Dispatcher, open_dispatcher
from federation.coordinator.runs import Run
from federation.coordinator.settings import load_coordinator_settings
from federation.errors import DepartmentMissing
from federation.messages import Answer, Ask
from federation.node.answer import answer

NOW = 1_800_000_000  # by the nodes' clocks, which opened their ledgers then
POLICY = """
delta = 1e-6
automatic_epsilon = 20.0
[firm]
epsilon = 40.0
[purposes.review]
epsilon = 30.0
"""


@dataclass(slots=True, kw_only=True)
class Wire:
    """Asks go to nodes in this process; a department can be made silent or forgetful."""

    firm: Any
    silent: set[str] = field(default_factory=set)
    before: Callable[[str, Ask], None] = lambda _department, _ask: None
    legs: list[str] = field(default_factory=list)
    deadlines: list[float] = field(default_factory=list)

    def __call__(self, asks: Mapping[str, Ask], *, deadline_s: float) -> dict[str, Answer]:
        answers = {}
        for department, ask in asks.items():
            self.before(department, ask)
            if department not in self.silent:
                answers[department] = answer(self.firm.nodes[department], ask, NOW)
        self.legs.append(next(iter(asks.values())).leg)
        self.deadlines.append(deadline_s)
        if missing := tuple(sorted(asks.keys() & self.silent)):
            raise DepartmentMissing(missing, deadline_s)
        return answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Coordinator:
    wire: Wire
    dispatcher: Dispatcher

    def submit(self, request: dict[str, Any], /, **options: Any) -> Run:
        desk = self.dispatcher.desk
        return submit(plan_of(request, desk), desk, asker="ann", **options).run

    def ask(self, request: dict[str, Any], /, **options: Any) -> Run:
        run = self.submit(request, **options)
        assert self.dispatcher.carry_out_next()
        return self.dispatcher.desk.runs.get(run.id)

    def used(self) -> float:
        firm = budgets(self.dispatcher.desk)[0]
        return firm.spent_rho + firm.reserved_rho


def opened(firm: Any) -> Coordinator:
    """Open a coordinator over a firm's nodes, with everyone's authorization in its register."""
    home: Path = firm.folder
    (home / "policy.toml").write_text(POLICY)
    (home / "coordinator.toml").write_text(
        f'database = "sqlite:///{home}/coordinator.db"\n'
        f'catalogue = "{home}/catalogue.toml"\npolicy = "{home}/policy.toml"\n'
        f'keys = "{firm.enrolment.coordinator}"\nconsent_keys = "{firm.enrolment.consent}"\n'
        f'models = "{home}/models"\n'
    )
    wire = Wire(firm=firm)
    dispatcher = open_dispatcher(load_coordinator_settings(home / "coordinator.toml"), wire)
    dispatcher.now = lambda: NOW
    rows = [(client, client, level) for client, level in firm.levels.items()]
    dispatcher.desk.register.load(rows, datetime.now(UTC))
    return Coordinator(wire=wire, dispatcher=dispatcher)
