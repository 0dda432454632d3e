"""``infosandbox log`` and ``infosandbox client`` on a firm's own files."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api.auth import Role
from api.cli.exits import Exit
from api.cli.main import app
from api.idempotency import Answers
from api.people.accounts import Accounts
from api.settings import Settings
from consent.log_errors import LevelProofInvalid
from federation.coordinator.settings import load_coordinator_settings
from federation.database import open_database

RUNNER = CliRunner()


@pytest.fixture
def firm(settings: Settings) -> Path:
    """The folder of a firm with two clients in its register."""
    return settings.coordinator.parent


@pytest.fixture
def download(firm: Path) -> Path:
    out = firm / "log.jsonl"
    coordinator = str(firm / "coordinator.toml")
    assert (
        RUNNER.invoke(app, ["log", "export", str(out), "--coordinator", coordinator]).exit_code == 0
    )
    return out


def log_verify(download: Path, firm: Path, *options: str) -> tuple[int, dict[str, object]]:
    keys = ["--keys", str(firm / "keys" / "departments" / "wealth")]
    done = RUNNER.invoke(app, ["log", "verify", str(download), *keys, "--json", *options])
    return done.exit_code, json.loads(done.stdout)


def client(firm: Path, *arguments: str) -> Any:
    where = ["--coordinator", str(firm / "coordinator.toml")]
    done = RUNNER.invoke(app, ["client", *arguments, *where], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_a_download_is_whole(download: Path, firm: Path) -> None:
    code, report = log_verify(download, firm, "--quorum", "0")
    assert (code, report["ok"], report["size"]) == (0, True, 4)
    assert report["kinds"] == {"collection": 2, "consent": 2}


def test_every_department_is_asked_for_its_cosignature(download: Path, firm: Path) -> None:
    code, report = log_verify(download, firm)
    assert (code, report["ok"]) == (Exit.REFUSED, False)
    assert "0 witnesses have cosigned, 2 are needed" in str(report["findings"])


def test_an_edited_download_is_found_out(download: Path, firm: Path) -> None:
    download.write_bytes(download.read_bytes().replace(b'"epoch":2', b'"epoch":3'))
    code, report = log_verify(download, firm, "--quorum", "0")
    assert code == Exit.REFUSED
    assert [f["wrong"] for f in report["findings"]] == ["edited"]  # type: ignore[attr-defined]


def test_a_log_that_shows_less_than_before_is_found_out(download: Path, firm: Path) -> None:
    old = download.read_bytes()
    client(firm, "erase", "c0002")
    coordinator = str(firm / "coordinator.toml")
    RUNNER.invoke(app, ["log", "export", str(download), "--coordinator", coordinator])
    newest = [line for line in download.read_text().splitlines() if '"checkpoint"' in line][-1]
    (firm / "kept.txt").write_text(json.loads(newest)["checkpoint"])
    download.write_bytes(old)
    code, report = log_verify(download, firm, "--quorum", "0", "--kept", str(firm / "kept.txt"))
    assert code == Exit.REFUSED
    assert "rollback" in str(report["findings"])


def test_people_read_a_report(download: Path, firm: Path) -> None:
    keys = ["--keys", str(firm / "keys" / "firm"), "--quorum", "0"]
    shown = RUNNER.invoke(app, ["log", "verify", str(download), *keys])
    assert "4 entries under 1 checkpoints: 2 collection, 2 consent" in shown.stdout
    assert "nothing is wrong" in shown.stdout


def test_receipts_uses_and_erasure_are_printed_as_json(firm: Path) -> None:
    receipts = client(firm, "receipts", "c0001")
    assert isinstance(receipts, list)
    assert receipts[0].count(".") == 2
    assert client(firm, "uses", "c0001") == []
    erased = client(firm, "erase", "c0001")
    assert isinstance(erased, dict)
    assert erased["entry"]["what"] == "pseudonym_key"


def test_an_erasure_from_a_terminal_reaches_account_and_stored_answers(firm: Path) -> None:
    engine = open_database(load_coordinator_settings(firm / "coordinator.toml").database)
    accounts, answers = Accounts(engine), Answers(engine)
    accounts.add(name="cleo", role=Role.CLIENT, client_id="c0001", made_by="boss", now=1)
    answers.begin("k", "r", place="/api/v1/clients/c0001/level", now=1)
    client(firm, "erase", "c0001")
    assert (accounts.get("cleo").client_id, accounts.get("cleo").ready) == (None, False)
    assert answers.begin("k", "another", place="/api/v1/clients/c0002/level", now=2) is None
    engine.dispose()


def test_a_proof_is_checked_at_a_department_without_a_network(firm: Path) -> None:
    made = client(firm, "prove", "c0001", "--department", "wealth", "--at-least", "3")
    assert isinstance(made, dict)
    (firm / "proof.json").write_text(json.dumps(made))
    keys = ["--keys", str(firm / "keys" / "departments" / "wealth")]
    ask = ["client", "check", str(firm / "proof.json"), *keys, "--epoch"]
    assert RUNNER.invoke(app, [*ask, str(made["epoch"])]).exit_code == 0
    assert isinstance(RUNNER.invoke(app, [*ask, "1"]).exception, LevelProofInvalid)
    (firm / "proof.json").write_text(json.dumps(made | {"at_least": 4}))
    assert isinstance(RUNNER.invoke(app, [*ask, str(made["epoch"])]).exception, LevelProofInvalid)
    (firm / "proof.json").write_text("nothing")
    assert isinstance(RUNNER.invoke(app, [*ask, str(made["epoch"])]).exception, LevelProofInvalid)


def test_a_clients_choices_have_commands(firm: Path) -> None:
    assert client(firm, "object-to", "c0001", "bond_model")["epoch"] == 3
    assert client(firm, "family", "c0001")["epoch"] == 4
    standing = client(firm, "standing", "c0001")
    assert (standing["objections"], standing["family_objection"]) == (["bond_model"], True)
    reasons = {one["because"] for one in client(firm, "closed", "c0001", "bond_model")}
    assert reasons == {"objection", "purpose", "family"}
    client(firm, "object-to", "c0001", "bond_model", "--withdraw")
    client(firm, "family", "c0001", "--withdraw")
    until = client(firm, "level", "c0001", "2", "--until", "2099-01-01")
    assert until["level"]["level"] == 2
    standing = client(firm, "standing", "c0001")
    assert standing["expires_at"] == "2099-01-01T00:00:00Z"
    assert (standing["objections"], standing["family_objection"]) == ([], False)
    proposal = client(firm, "stage", "c0002", "onboarding")
    assert (proposal["needed"], proposal["stage"]["level"]["level"]) == (True, 1)
    entered = client(firm, "enter", "c0003", "h1")
    assert entered["level"]["level"] == 0
