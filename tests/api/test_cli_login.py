"""A person signs in on the command line: a password is typed, a session kept, and ended."""

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from api.cli.main import app
from api.errors import ApiRefused, InputInvalid
from api.people.accounts import Accounts
from api.people.roles import Role
from federation.coordinator.settings import CoordinatorSettings
from federation.database import open_database

WORDS = "correct horse battery"
Run = Callable[..., Result]


@pytest.fixture
def run(address: str, coordinator: CoordinatorSettings, tmp_path: Path) -> Run:
    """Run a command as wei, an analyst, whose home is an empty folder."""
    engine = open_database(coordinator.database)
    accounts = Accounts(engine)
    accounts.add(name="wei", role=Role.ANALYST, made_by="test", now=1)
    accounts.set_password("wei", WORDS, now=1)
    engine.dispose()
    assert address

    def run(*command: str, typed: str = WORDS) -> Result:
        file = str(tmp_path / "home" / "session.json")
        return CliRunner().invoke(app, [*command, "--token", file], input=f"{typed}\n")

    return run


def test_who_has_signed_in_needs_no_token_and_no_address(
    run: Run, address: str, tmp_path: Path
) -> None:
    signed_in = run("login", "wei", "--api", address)
    assert signed_in.exit_code == 0, signed_in.output
    assert "wei, analyst" in signed_in.stdout
    assert WORDS not in signed_in.output
    file = tmp_path / "home" / "session.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert WORDS not in file.read_text()
    assert json.loads(run("budget", "--json").stdout)


def test_a_session_may_change_what_its_role_may_and_no_more(
    run: Run, address: str, tiny_folder: Path
) -> None:
    run("login", "wei", "--api", address)
    asked = run("ask", str(tiny_folder / "question.toml"), "--no-wait", "--json")
    assert json.loads(asked.stdout)["state"] == "accepted", asked.output
    refused = run("withdrawals").exception
    assert isinstance(refused, ApiRefused)
    assert refused.status == 403


def test_a_session_ends_when_its_person_says_so(run: Run, address: str, tmp_path: Path) -> None:
    run("login", "wei", "--api", address)
    kept = (tmp_path / "home" / "session.json").read_text()
    assert run("logout").exit_code == 0
    assert isinstance(run("budget").exception, InputInvalid)
    (tmp_path / "home" / "session.json").write_text(kept)
    ended = run("budget").exception
    assert isinstance(ended, ApiRefused)
    assert ended.status == 401


def test_a_wrong_password_keeps_nothing(run: Run, address: str, tmp_path: Path) -> None:
    wrong = run("login", "wei", "--api", address, typed="wrong horse battery")
    assert isinstance(wrong.exception, ApiRefused)
    assert not (tmp_path / "home").exists()


def test_a_session_is_sent_to_no_other_api(run: Run, address: str) -> None:
    run("login", "wei", "--api", address)
    elsewhere = run("budget", "--api", "http://127.0.0.1:9").exception
    assert isinstance(elsewhere, InputInvalid)


def test_a_password_leaves_this_machine_over_https_only(run: Run) -> None:
    refused = run("login", "wei", "--api", "http://sandbox.example")
    assert refused.exit_code == 2
    assert "https" in refused.output
