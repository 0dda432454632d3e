"""The department's commands, run as a person would: plain tables, JSON, exit codes."""

import json
from hashlib import sha256
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from api.cli.exits import Exit, exit_of
from federation.errors import ClientNotCovered
from federation.plans import digest
from federation.training_layout import architecture_of
from models.architectures import size
from models.errors import ModelFileInvalid
from models.files import save


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


def model(home: Any) -> tuple[Any, Any]:
    """Write a plan and a model of it, with weights that all differ."""
    plan = home.firm.plan(
        kind="training", target="defaulted", features=("age", "income"), rounds=2, local_steps=5
    )
    architecture = architecture_of(plan, home.firm.catalogue)
    file = home.firm.folder / "model.safetensors"
    save(file, architecture, np.linspace(-1.0, 1.5, size(architecture)))
    return home.plan(plan), file


def covered(home: Any, level: int) -> str:
    return next(str(c) for c in home.firm.rows["risk"] if home.firm.levels[c] == level)


def test_all_clients_are_scored_into_a_file_of_the_owners(home: Any) -> None:
    plan, file = model(home)
    out = home.firm.folder / "scores.parquet"
    shown = home.call("score", "--model", file, "--plan", plan, "--out", out, "--json")
    assert shown.exit_code == 0
    body = json.loads(shown.stdout)
    assert body["model_sha256"] == sha256(file.read_bytes()).hexdigest()
    assert out.stat().st_mode & 0o777 == 0o600
    assert pq.read_table(out).column_names[:2] == ["client_id", "probability"]
    assert "CL0" not in shown.output


def test_one_client_is_scored_and_explained_in_the_terminal(home: Any) -> None:
    plan, file = model(home)
    asked = ("--model", file, "--plan", plan, "--client", covered(home, 3))
    score = json.loads(home.call("score", *asked, "--json").stdout)["scores"]["probability"]
    assert 0 < score < 1
    shown = home.call("explain", *asked)
    assert shown.exit_code == 0
    for part in ("LOCAL, NEVER TO BE SHARED", "nothing known", "closed by the client", "together"):
        assert part in shown.stdout
    assert json.loads(home.call("explain", *asked, "--json").stdout)["scores"] == {
        "probability": score
    }
    file_out = home.firm.folder / "why.json"
    assert home.call("explain", *asked, "--out", file_out).stdout == ""
    assert file_out.stat().st_mode & 0o777 == 0o600


def test_a_client_who_is_not_covered_is_refused_without_being_named(home: Any) -> None:
    plan, file = model(home)
    for client in (covered(home, 1), "CANARY-77"):
        for command in ("score", "explain"):
            shown = home.call(command, "--model", file, "--plan", plan, "--client", client)
            assert isinstance(shown.exception, ClientNotCovered)
            assert client not in shown.output + str(shown.exception)
            assert exit_of(shown.exception) == Exit.REFUSED
    assert b"CANARY-77" not in (home.state / "node.log").read_bytes()


def test_a_card_of_another_file_refuses_the_model(home: Any) -> None:
    plan, file = model(home)
    card = home.firm.folder / "card.json"
    asked = ("--model", file, "--plan", plan, "--client", covered(home, 3), "--card", card)
    card.write_text(json.dumps({"sha256": sha256(file.read_bytes()).hexdigest()}))
    assert home.call("score", *asked).exit_code == 0
    card.write_text(json.dumps({"sha256": "0" * 64}))
    assert isinstance(home.call("score", *asked).exception, ModelFileInvalid)


def test_a_local_training_is_marked_and_a_training_of_all_is_sent_to_the_desk(home: Any) -> None:
    plan, _file = model(home)
    shown = home.call("train", "--local", "--plan", plan, "--by", "age")
    assert shown.exit_code == 0
    assert "NEVER TO BE SHARED" in shown.stdout
    assert "AUC" in shown.stdout
    assert len(list((home.state / "local").glob("LOCAL-*.safetensors"))) == 1
    body = json.loads(home.call("train", "--local", "--plan", plan, "--json").stdout)
    assert body["marked"] == "LOCAL, NEVER TO BE SHARED"
    assert home.call("train", "--plan", plan).exit_code == 2
    assert home.call("score", "--model", "m", "--plan", plan).exit_code == 2
