"""The desk's commands against the real API on a real port; verifying needs none."""

import json
import threading
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from api.cli.exits import Exit, exit_of
from api.cli.main import app
from api.cli.tables import price_table
from api.errors import ApiRefused, ApiUnreachable, InputInvalid
from federation.coordinator.runs import Runs
from federation.errors import SettingsInvalid
from privacy.errors import InvalidLoss

LABEL = {"rho": 0.05, "epsilon": 1.0, "delta": 1e-6, "privacy_unit": "client"}
RESULT = {
    "kind": "question",
    "by": ["region"],
    "rows": [
        {"cell": {"region": "north"}, "count": {"value": 131.2, "half_width": 8.0}, "means": {}}
    ],
}


Call = Callable[..., Result]


@pytest.fixture
def call(address: str, tokens: dict[str, str], tmp_path: Path) -> Call:
    """Run a command as one of the staff."""

    def run(who: str, *command: object) -> Result:
        file = tmp_path / f"{who}.token"
        file.write_text(tokens[who] + "\n")
        given = [*map(str, command), "--api", address, "--token", str(file)]
        return CliRunner().invoke(app, given, env={"COLUMNS": "160"})

    return run


@pytest.fixture
def question(tiny_folder: Path) -> Path:
    return tiny_folder / "question.toml"


@pytest.fixture
def dear(tmp_path: Path) -> Path:
    body = {"purpose": "product_insight", "statistics": [{"kind": "count"}], "epsilon": 12.0}
    path = tmp_path / "dear.json"
    path.write_text(json.dumps(body | {"reason": "a dear question"}))
    return path


def told(result: Result) -> dict[str, object]:
    assert result.exit_code == 0, result.output
    found: dict[str, object] = json.loads(result.stdout)
    return found


def test_a_question_is_asked_and_its_answer_shown(call: Call, question: Path, runs: Runs) -> None:
    run = told(call("analyst", "ask", question, "--no-wait", "--json"))
    assert (run["state"], run["new"]) == ("accepted", True)
    taken = runs.take()
    assert taken is not None
    runs.end_released(taken.id, result=RESULT, label=LABEL, now=1)
    shown = call("analyst", "ask", question)
    assert shown.exit_code == 0
    assert "131.2 ± 8.0" in shown.stdout
    assert "Cost: ρ = 0.05" in shown.stdout


def test_a_training_is_followed_to_its_end(call: Call, tiny_folder: Path, runs: Runs) -> None:
    def carry_out() -> None:
        while (taken := runs.take()) is None:
            time.sleep(0.01)
        model = {"model": "m.safetensors", "sha256": "0" * 64}
        runs.end_released(taken.id, result=model, label=LABEL, now=1)

    worker = threading.Thread(target=carry_out)
    worker.start()
    shown = call("analyst", "train", tiny_folder / "training.toml")
    worker.join()
    assert "m.safetensors" in shown.stdout


def test_a_refusal_is_exit_code_3(call: Call, tiny_folder: Path) -> None:
    refused = call("analyst", "ask", tiny_folder / "refused.toml", "--json")
    assert refused.exit_code == Exit.REFUSED
    assert json.loads(refused.stdout)["refusal"]["code"] == "purpose-not-open"
    assert call("analyst", "ask", tiny_folder / "refused.toml").stdout == ""


def test_why_a_plan_is_refused_is_told_before_it_is_asked(
    call: Call, question: Path, tiny_folder: Path
) -> None:
    fine = call("analyst", "explain", question)
    assert fine.exit_code == 0
    assert "income: level 1 (basic assets), open to product_insight, bond_model" in fine.stdout
    refused = call("analyst", "explain", tiny_folder / "refused.toml")
    assert refused.exit_code == Exit.REFUSED
    assert "debt: level 4" in refused.stdout
    assert "Refused (purpose-not-open)" in refused.stdout
    told_ = json.loads(call("analyst", "explain", tiny_folder / "refused.toml", "--json").stdout)
    assert (told_["passes"], told_["unit"]) == (False, "household")


def test_a_price_and_the_budget_are_shown(call: Call, question: Path, tiny_folder: Path) -> None:
    assert told(call("analyst", "price", question, "--json"))["epsilon"] == pytest.approx(4.0)
    assert "ε = 8" in call("analyst", "price", tiny_folder / "training.toml").stdout
    shown = call("auditor", "budget").stdout
    assert "firm/product_insight" in shown
    assert "0 of 40" in shown


def test_a_price_tells_what_a_household_costs() -> None:
    price = {"epsilon": 1.0, "delta": 1e-6, "rho": 0.1, "remaining_rho": 1.0}
    price |= {"needs_approval": False, "owners_save": 1.0, "clients_per_household": 8}
    page = Console(width=120, record=True)
    page.print(price_table(price))
    page.print(price_table(price | {"clients_per_household": 1}))
    assert page.export_text().count("up to 8 clients of one count, at 8 times the noise") == 1


@pytest.fixture
def wished(question: Path, tmp_path: Path) -> Path:
    asked = tomllib.loads(question.read_text())
    asked = {key: value for key, value in asked.items() if key not in {"epsilon", "rho"}}
    asked["statistics"] = [{"kind": "count"}]
    path = tmp_path / "wished.json"
    path.write_text(json.dumps({"question": asked, "targets": [{"kind": "count", "within": 40}]}))
    return path


def test_what_is_solved_for_can_be_asked(call: Call, wished: Path, tmp_path: Path) -> None:
    out = tmp_path / "solved.json"
    solved = told(call("analyst", "solve", wished, "--out", out, "--json"))
    priced = told(call("analyst", "price", out, "--json"))
    assert priced["rho"] == pytest.approx(float(str(solved["rho"])))
    shown = call("analyst", "solve", wished, "--language", "zh").stdout
    assert "± 40 wanted" in shown
    assert "隐私损失" in shown


def test_without_a_past_model_no_auc_is_promised(
    call: Call, tiny_folder: Path, tmp_path: Path
) -> None:
    training = tomllib.loads((tiny_folder / "training.toml").read_text())
    training = {k: v for k, v in training.items() if k not in {"epsilon", "rho", "kind"}}
    wish = tmp_path / "wish.json"
    wish.write_text(json.dumps({"training": training, "auc": 0.8}))
    refused = call("analyst", "solve", wish).exception
    assert isinstance(refused, ApiRefused)
    assert refused.code == "no-past-model"


def test_less_error_costs_more(call: Call, wished: Path) -> None:
    answer = json.loads(call("analyst", "what-if", wished, "--points", 3, "--json").stdout)
    assert [point["epsilon"] for point in answer] == pytest.approx([0.1, 1.0, 10.0])
    assert answer[0]["errors"][0] > answer[2]["errors"][0]
    assert "questions left" in call("analyst", "what-if", wished).stdout


def test_the_past_is_replayed_under_a_smaller_budget(call: Call, question: Path) -> None:
    call("analyst", "ask", question, "--no-wait")
    shown = call("auditor", "replay", "--budget", "firm=0.01").stdout
    assert "1 of 1 requests would have been refused" in shown
    assert "0 of 1" in call("auditor", "replay").stdout
    assert call("auditor", "replay", "--budget", "firm").exit_code == Exit.BAD_INPUT


def test_two_officers_approve_from_a_terminal(call: Call, dear: Path) -> None:
    run = str(told(call("analyst", "ask", dear, "--json"))["id"])
    assert run in call("privacy_officer", "approve").stdout
    words = ("--opinion", "approve", "--reason", "the yearly review")
    first = told(call("privacy_officer", "approve", run, *words, "--json"))
    assert first["given"] == 1
    assert "1 of 2 opinions" in call("second_officer", "approve", run).stdout
    assert "the yearly review" not in call("second_officer", "approve", run).stdout
    shown = call("second_officer", "approve", run, *words).stdout
    assert "is accepted" in shown
    assert shown.count("the yearly review") == 2
    again = call("second_officer", "approve", run, "--opinion", "decline", "--reason", "why not")
    assert isinstance(again.exception, ApiRefused)
    assert exit_of(again.exception) is Exit.REFUSED


def test_evidence_is_taken_away_and_checked(call: Call, dear: Path, tmp_path: Path) -> None:
    told(call("analyst", "ask", dear, "--json"))
    out = tmp_path / "evidence.jsonl"
    assert told(call("auditor", "export", out, "--json"))["file"] == str(out)
    nowhere = CliRunner().invoke(app, ["verify", str(out), "--keys", str(tmp_path)])
    assert isinstance(nowhere.exception, SettingsInvalid)
    check = ["verify", str(out), "--keys", str(tmp_path / "keys" / "coordinator")]
    shown = CliRunner().invoke(app, check, env={"COLUMNS": "160"})
    assert shown.exit_code == 0, shown.output
    assert "ε dp_accounting" in shown.stdout
    assert "Everything that was checked holds." in shown.stdout
    report = json.loads(CliRunner().invoke(app, [*check, "--json"]).stdout)
    assert (report["ok"], report["runs"]) == (True, 1)
    assert {pool["pool"] for pool in report["pools"]} >= {"firm", "firm/product_insight"}


def test_evidence_that_was_tampered_with_is_exit_code_3(call: Call, tmp_path: Path) -> None:
    out = tmp_path / "evidence.jsonl"
    call("auditor", "export", out)
    out.write_text(out.read_text().replace('"budget_rho":', '"budget_rho":1', 1))
    shown = CliRunner().invoke(app, ["verify", str(out)], env={"COLUMNS": "160"})
    assert shown.exit_code == Exit.REFUSED
    assert "totals" in shown.stdout
    assert "This evidence is not whole." in shown.stdout
    head = CliRunner().invoke(app, ["verify", str(out), "--head", "0" * 64, "--json"])
    assert "other head" in {finding["wrong"] for finding in json.loads(head.stdout)["findings"]}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_odds_need_no_api(language: str) -> None:
    said = CliRunner().invoke(app, ["odds", "--epsilon", "1", "--language", language])
    assert "73.1" in said.stdout
    as_json = CliRunner().invoke(app, ["odds", "--epsilon", "1", "--language", language, "--json"])
    assert json.loads(as_json.stdout)["gaussian_guess"] == pytest.approx(0.547, abs=1e-3)


def test_odds_of_a_slip_are_refused() -> None:
    assert isinstance(CliRunner().invoke(app, ["odds", "--epsilon", "1000"]).exception, InvalidLoss)
    wrong = CliRunner().invoke(app, ["odds", "--epsilon", "1", "--language", "fr"])
    assert wrong.exit_code == Exit.BAD_INPUT


@pytest.mark.parametrize(
    ("name", "text"), [("no.toml", None), ("no.toml", "= 1"), ("no.json", "[1]"), ("a.json", "{")]
)
def test_a_file_that_holds_no_request_is_named(
    call: Call, tmp_path: Path, name: str, text: str | None
) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    failed = call("analyst", "ask", path).exception
    assert isinstance(failed, InputInvalid)
    assert name in str(failed)


def test_no_token_and_no_api_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("secret\n")
    somewhere = ["--api", "http://127.0.0.1:9", "--token"]
    nobody = CliRunner().invoke(app, ["budget", *somewhere, str(tmp_path / "none")]).exception
    assert isinstance(nobody, InputInvalid)
    nowhere = CliRunner().invoke(app, ["budget", *somewhere, str(tmp_path / "t")]).exception
    assert isinstance(nowhere, ApiUnreachable)
    assert "secret" not in str(nowhere)
