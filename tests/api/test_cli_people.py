import json
import stat
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import text
from typer.testing import CliRunner

from api.auth import caller_of, load_tokens
from api.cli.main import app
from api.errors import TokensInvalid
from api.people.accounts import Accounts
from api.people.roles import Role
from api.people.setup_link import SetupLinks
from api.settings import Settings
from federation.coordinator.settings import load_coordinator_settings
from federation.database import open_database

WORDS = "correct horse battery"


@pytest.fixture
def place(settings: Settings) -> list[str]:
    return ["--coordinator", str(settings.coordinator)]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_an_account_made_here_can_be_set_up_and_closed(place: list[str]) -> None:
    made = json.loads(run("people", "add", "wei", "advisor", *place, "--json").stdout)
    engine = open_database(load_coordinator_settings(Path(place[1])).database)
    link = made["setup_path"].partition("link=")[2]
    assert SetupLinks(engine).use(link, password=WORDS, now=1) == "wei"
    assert Accounts(engine).check("wei", WORDS).role is Role.ADVISOR
    (listed,) = json.loads(run("people", "list", *place, "--json").stdout)
    assert (listed["name"], listed["ready"], listed["made_by"]) == ("wei", True, "command line")
    assert listed["logged"]
    assert "client_id" not in listed
    closed = run("people", "close", "wei", *place, "--json")
    assert json.loads(closed.stdout) == {"name": "wei", "closed": True}
    assert not Accounts(engine).get("wei").ready
    Accounts(engine).add(name="eve", role=Role.PRIVACY_OFFICER, made_by="wei", now=1)
    found = json.loads(run("people", "list", *place, "--json").stdout)
    assert {one["name"]: one["logged"] for one in found} == {"wei": True, "eve": False}


def test_a_new_link_ends_the_earlier_one(place: list[str]) -> None:
    first = json.loads(run("people", "add", "wei", "advisor", *place, "--json").stdout)
    again = json.loads(run("people", "link", "wei", *place, "--json").stdout)
    assert first["setup_path"] != again["setup_path"]


@pytest.mark.parametrize(
    "arguments", [("add", "Wei Wu", "advisor"), ("add", "c1", "client"), ("add", "wei", "king")]
)
def test_a_wrong_account_is_bad_input(place: list[str], arguments: tuple[str, ...]) -> None:
    assert run("people", *arguments, *place).exit_code == 2


def test_doctor_says_what_is_wrong_and_what_to_do(place: list[str]) -> None:
    done = run("doctor", *place, "--port", "127.0.0.1:1", "--json")
    report = json.loads(done.stdout)
    wrong = {c["what"]: c["do"] for c in report["checks"] if c["verdict"] == "bad"}
    assert done.exit_code == 4
    assert not report["ok"]
    assert set(wrong) == {"ServerApp", "port 127.0.0.1:1"}
    assert all(wrong.values())
    assert "do" in run("doctor", *place).stdout


def test_doctor_asks_a_running_api_for_its_time_and_its_health(address: str) -> None:
    done = run("doctor", "--api", address, "--json")
    told = {check["what"]: check["verdict"] for check in json.loads(done.stdout)["checks"]}
    assert told.pop("API: coordinator") == "bad"  # no ServerApp was started
    assert set(told) == {f"port {address[7:]}", "clock", "API: database", "API: ledger"}
    assert set(told.values()) == {"ok"}


def test_doctor_needs_something_to_look_at() -> None:
    assert run("doctor").exit_code == 2


def test_a_shell_can_learn_the_commands() -> None:
    assert "--install-completion" in run("--help").stdout


def test_a_machine_gets_a_token_in_a_file_and_the_api_its_hash(
    place: list[str], settings: Settings, tmp_path: Path
) -> None:
    out = tmp_path / "nightly.token"
    more = [*place, "--tokens", str(settings.tokens), "--out", str(out)]
    made = run("people", "token", "nightly", "analyst", *more)
    assert made.exit_code == 0, made.output
    secret = out.read_text().strip()
    assert secret not in made.output + settings.tokens.read_text()
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    known = load_tokens(settings.tokens)
    assert caller_of(secret, known).name == "nightly"
    assert {one.name for one in known} > {"nightly", "auditor"}
    run("people", "add", "nightly", "analyst", *place)
    (listed,) = json.loads(run("people", "list", *place, "--json").stdout)
    assert listed["logged"]
    with open_database(load_coordinator_settings(settings.coordinator).database).connect() as db:
        entries = db.execute(text("SELECT entry FROM log_entries")).scalars()
        told = [json.loads(one) for one in entries if b'"account"' in one]
    assert [(one["change"], one["role"]) for one in told] == [
        ("token", "analyst"),
        ("made", "analyst"),
        ("link", "analyst"),
    ]
    assert told[0]["account"] == told[1]["account"]
    before = settings.tokens.read_bytes()
    assert isinstance(run("people", "token", "nightly", "auditor", *more).exception, TokensInvalid)
    run("people", "add", "wei", "advisor", *place)
    assert isinstance(run("people", "token", "wei", "auditor", *more).exception, TokensInvalid)
    assert run("people", "token", "c1", "client", *more).exit_code == 2
    assert settings.tokens.read_bytes() == before
