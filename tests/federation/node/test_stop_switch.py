"""A stopped node answers no plan, says why, and has spent nothing; started again, it answers."""

from datetime import UTC, datetime
from typing import Any

from federation.node.answer import answer
from federation.node.stop_switch import StopSwitch

SECONDS = 1_800_000_000
NOW = datetime.fromtimestamp(SECONDS, UTC)


def test_a_stopped_node_refuses_by_name_before_anything_is_spent(firm: Any) -> None:
    plan, node = firm.plan(), firm.nodes["risk"]
    node.stop_switch.stop(now=NOW)
    before = firm.traces("risk")
    for leg in ("tokens", "sum"):
        refused = answer(node, firm.ask(plan, leg, "risk"), SECONDS)
        assert refused.code == "node_stopped"
        assert "risk" in refused.text
    assert firm.traces("risk") == before
    assert node.memory.snapshot.epoch == 0


def test_it_outlives_a_restart_and_ends_when_the_node_is_started(firm: Any) -> None:
    firm.nodes["risk"].stop_switch.stop(now=NOW)
    node = firm.open("risk")
    assert node.stop_switch.stopped()
    node.stop_switch.start()
    node.stop_switch.start()
    assert answer(node, firm.ask(firm.plan(), "tokens", "risk"), SECONDS).code == "ok"


def test_a_switch_that_cannot_be_read_stops(tmp_path: Any) -> None:
    (tmp_path / "state").write_text("no folder")
    switch = StopSwitch(department="risk", file=tmp_path / "state" / "stopped")
    assert switch.stopped()  # NotADirectoryError is no proof that it is off


def test_nobody_else_can_read_when_it_was_stopped(tmp_path: Any) -> None:
    switch = StopSwitch(department="risk", file=tmp_path / "stopped")
    switch.stop(now=NOW)
    assert switch.file.stat().st_mode & 0o777 == 0o600
