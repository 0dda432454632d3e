from pathlib import Path

import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from api.people.accounts import METADATA, Accounts
from api.people.errors import PersonExists, PersonUnknown, WeakPassword, WrongPassword
from api.people.roles import Caller, Role
from federation.database import open_database

WORDS = "correct horse battery"


@pytest.fixture
def accounts(tmp_path: Path) -> Accounts:
    return Accounts(open_database(f"sqlite:///{tmp_path}/people.db"))


@pytest.fixture
def ling(accounts: Accounts) -> str:
    accounts.add(name="ling", role=Role.ADVISOR, made_by="boss", now=1)
    accounts.set_password("ling", WORDS, now=1)
    return "ling"


def test_the_right_password_opens_the_account(accounts: Accounts, ling: str) -> None:
    assert accounts.check(ling, WORDS).caller == Caller(name="ling", role=Role.ADVISOR)


@pytest.mark.parametrize("name", ["ling", "nobody"])
@pytest.mark.parametrize("password", ["", "wrong", WORDS.upper(), "x" * 10_000, "\ud800"])
@pytest.mark.usefixtures("ling")
def test_any_other_does_not(accounts: Accounts, name: str, password: str) -> None:
    with pytest.raises(WrongPassword):
        accounts.check(name, password)


def test_an_account_that_is_not_set_up_has_no_password(accounts: Accounts) -> None:
    accounts.add(name="new", role=Role.AUDITOR, made_by="boss", now=1)
    assert not accounts.get("new").ready
    with pytest.raises(WrongPassword):
        accounts.check("new", "")


def test_a_closed_account_stays_closed_and_keeps_its_name(accounts: Accounts, ling: str) -> None:
    accounts.close(ling, by="test", now=2)
    with pytest.raises(WrongPassword):
        accounts.check(ling, WORDS)
    with pytest.raises(PersonExists):
        accounts.add(name=ling, role=Role.ADVISOR, made_by="boss", now=3)


def test_the_account_of_an_erased_client_is_nobodys(accounts: Accounts) -> None:
    accounts.add(name="ann", role=Role.CLIENT, client_id="c0001", made_by="boss", now=1)
    accounts.set_password("ann", WORDS, now=1)
    accounts.forget("c0001", by="test", now=2)
    with pytest.raises(WrongPassword):
        accounts.check("ann", WORDS)
    assert accounts.get("ann").caller == Caller(name="ann", role=Role.CLIENT)
    with pytest.raises(PersonExists):
        accounts.add(name="ann", role=Role.ADVISOR, made_by="boss", now=3)


def test_a_password_is_kept_as_argon2id(accounts: Accounts, ling: str, tmp_path: Path) -> None:
    assert accounts.get(ling).ready
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"$argon2id$v=19$m=65536,t=3,p=4$" in kept
    assert WORDS.encode() not in kept


@pytest.mark.parametrize("password", ["short", "x" * 201, "abababababab", "a-long-name-it-is"])
def test_a_weak_password_is_refused(accounts: Accounts, password: str) -> None:
    accounts.add(name="a-long-name-it-is", role=Role.AUDITOR, made_by="boss", now=1)
    with pytest.raises(WeakPassword):
        accounts.set_password("a-long-name-it-is", password, now=1)


def test_equal_looking_passwords_are_equal(accounts: Accounts) -> None:
    accounts.add(name="zoe", role=Role.AUDITOR, made_by="boss", now=1)
    accounts.set_password("zoe", "café terrace at night", now=1)
    assert accounts.check("zoe", "cafe\u0301 terrace at night").name == "zoe"


def test_nobody_has_no_account(accounts: Accounts) -> None:
    with pytest.raises(PersonUnknown):
        accounts.get("nobody")
    with pytest.raises(PersonUnknown):
        accounts.set_password("nobody", WORDS, now=1)


def test_a_clients_id_stays_out_of_a_repr(accounts: Accounts) -> None:
    made = accounts.add(name="c-1", role=Role.CLIENT, client_id="canary", made_by="s", now=1)
    assert made.caller.client_id == "canary"
    assert "canary" not in repr(made) + repr(made.caller)


def test_only_a_client_has_a_client_id(accounts: Accounts) -> None:
    with pytest.raises(ValueError, match="client id"):
        accounts.add(name="x", role=Role.CLIENT, made_by="s", now=1)
    with pytest.raises(ValueError, match="client id"):
        accounts.add(name="x", role=Role.ADVISOR, client_id="c1", made_by="s", now=1)


def test_accounts_come_in_pages(accounts: Accounts) -> None:
    for name in ("c", "a", "b"):
        accounts.add(name=name, role=Role.ADVISOR, made_by="boss", now=1)
    assert [p.name for p in accounts.page(limit=2)] == ["a", "b"]
    assert [p.name for p in accounts.page(limit=2, after="b")] == ["c"]
    assert accounts.count() == 3


def test_a_providers_subject_has_one_account(accounts: Accounts) -> None:
    identity = ("issuer", "subject")
    accounts.add(name="a", role=Role.ADVISOR, identity=identity, made_by="p", now=1)
    found = accounts.by_identity(*identity)
    assert found is not None
    assert (found.name, found.ready) == ("a", True)
    with pytest.raises(PersonExists):
        accounts.add(name="b", role=Role.ADVISOR, identity=identity, made_by="p", now=1)


def test_postgresql_takes_every_table() -> None:
    dialect = postgresql.dialect()
    assert all(str(CreateTable(t).compile(dialect=dialect)) for t in METADATA.sorted_tables)
