from hashlib import sha256
from pathlib import Path

import pytest

from api.people.accounts import Accounts
from api.people.roles import Caller, Role
from api.people.session_store import Sessions
from api.people.settings import SessionSettings
from federation.database import open_database

LENGTHS = SessionSettings(idle_s=600, longest_s=3600)


@pytest.fixture
def accounts(tmp_path: Path) -> Accounts:
    accounts = Accounts(open_database(f"sqlite:///{tmp_path}/people.db"))
    accounts.add(name="ling", role=Role.ADVISOR, made_by="boss", now=1)
    return accounts


@pytest.fixture
def sessions(accounts: Accounts, tmp_path: Path) -> Sessions:
    assert accounts.count()
    return Sessions(open_database(f"sqlite:///{tmp_path}/people.db"), LENGTHS)


def test_a_session_names_its_caller(sessions: Sessions) -> None:
    session = sessions.open("ling", 1000)
    assert sessions.find(session, 1001) == Caller(name="ling", role=Role.ADVISOR)


@pytest.mark.parametrize("session", ["", "x", "\ud800", "x" * 5000])
def test_a_guess_does_not(sessions: Sessions, session: str) -> None:
    sessions.open("ling", 1000)
    assert sessions.find(session, 1001) is None


def test_what_the_database_holds_is_no_session(sessions: Sessions) -> None:
    session = sessions.open("ling", 1000)
    assert sessions.find(sha256(session.encode()).hexdigest(), 1001) is None


def test_an_idle_session_ends(sessions: Sessions) -> None:
    session = sessions.open("ling", 0)
    assert sessions.find(session, 599) is not None
    assert sessions.find(session, 599 + 599) is not None
    assert sessions.find(session, 599 + 599 + 600) is None


def test_a_session_in_use_ends_too(sessions: Sessions) -> None:
    session = sessions.open("ling", 0)
    for now in range(500, 3600, 500):
        assert sessions.find(session, now) is not None
    assert sessions.find(session, 3600) is None


def test_a_changed_role_holds_at_once(sessions: Sessions, accounts: Accounts) -> None:
    session = sessions.open("ling", 0)
    accounts.set_role("ling", Role.AUDITOR, by="test", now=1)
    found = sessions.find(session, 1)
    assert found is not None
    assert found.role is Role.AUDITOR


def test_a_closed_account_has_no_session(sessions: Sessions, accounts: Accounts) -> None:
    session = sessions.open("ling", 0)
    accounts.close("ling", by="test", now=1)
    assert sessions.find(session, 2) is None


def test_signing_out_ends_one_and_a_new_password_ends_all(sessions: Sessions) -> None:
    first, second, third = (sessions.open("ling", 0) for _ in range(3))
    sessions.close(first)
    assert sessions.find(first, 1) is None
    assert sessions.find(second, 1) is not None
    sessions.close_all("ling")
    assert sessions.find(second, 1) is sessions.find(third, 1) is None
