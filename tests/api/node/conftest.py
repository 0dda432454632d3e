"""One department's node, known to its worker, with a file of a plan beside it."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from api.cli.main import app
from federation.messages import Ask
from federation.node.answer import answer
from federation.plans import AnyPlan, canonical
from tests.federation.conftest import DEPARTMENTS, Firm, firm, make_firm

__all__ = ["firm", "make_firm"]
"""Fixtures of the federation's room."""


@dataclass(frozen=True, slots=True)
class Home:
    """The risk department's folder, in a firm whose epochs are of today's clock."""

    firm: Firm

    @property
    def toml(self) -> Path:
        """The node's settings."""
        return self.firm.folder / "risk" / "node.toml"

    @property
    def state(self) -> Path:
        """The node's state."""
        return self.firm.folder / "risk" / "state"

    def consent(self, **changes: Any) -> None:
        """Bring the newest epoch to the worker, with a free leg of a plan, at this moment."""
        now = int(time.time())
        times = {"issued_at": now, "expires_at": now + 600} | changes
        plan = self.firm.plan(rho=0.001, reason=f"at {time.time_ns()}")
        ask = Ask(
            leg="tokens",
            plan=canonical(plan),
            permit=self.firm.permit(plan, "tokens", issued_at=now, expires_at=now + 60),
            announcements=self.firm.announcements(DEPARTMENTS),
            consent=self.firm.delta("risk", **times),
        )
        assert answer(self.firm.nodes["risk"], ask, now).code == "ok"

    def plan(self, plan: AnyPlan, name: str = "plan.json") -> Path:
        """Write a plan's file."""
        file = self.firm.folder / name
        file.write_bytes(canonical(plan))
        return file

    def call(self, *command: object) -> Result:
        """Run a command at the node."""
        given = ["node", *map(str, command), "--node", str(self.toml)]
        return CliRunner().invoke(app, given, env={"COLUMNS": "200"})


@pytest.fixture
def home(firm: Firm) -> Home:
    """A department's node that has answered before."""
    found = Home(firm)
    found.consent()
    return found
