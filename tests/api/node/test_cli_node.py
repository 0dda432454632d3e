"""The department's commands, run as a person would: plain tables, JSON, exit codes."""

import json
from typing import Any

from federation.plans import digest


def test_what_leaves_is_a_table_and_an_object_and_exits_by_its_verdict(home: Any) -> None:
    plan = home.firm.plan(statistics=({"kind": "mean", "field": "income"},))
    shown = home.call("what-leaves", home.plan(plan))
    assert shown.exit_code == 0
    for part in ("total income", "one a client", "-1000 to 9000 a client", "department/review"):
        assert part in shown.stdout
    body = json.loads(home.call("what-leaves", home.plan(plan), "--json").stdout)
    assert body["plan"] == digest(plan).hex()
    assert body["agreed"] is True
    assert [t["bytes"] for t in body["tensors"]] == [None, 24, 24]


def test_a_run_that_holds_the_plan_will_do(home: Any) -> None:
    plan = home.firm.plan()
    file = home.firm.folder / "run.json"
    file.write_text(json.dumps({"id": "1", "plan": plan.model_dump(mode="json")}))
    body = json.loads(home.call("what-leaves", file, "--json").stdout)
    assert body["plan"] == digest(plan).hex()


def test_a_refusal_names_the_rule_and_exits_3(home: Any) -> None:
    shown = home.call("what-leaves", home.plan(home.firm.plan(rho=60.0)))
    assert shown.exit_code == 3
    assert "max_rho" in shown.stdout
