"""Every change of an account is in the transparency log, without a name, and an edit is seen."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, update

from api.people.account_log import Within, logged, logging_accounts
from api.people.accounts import PEOPLE, Accounts
from api.people.errors import PersonExists
from api.people.roles import Role
from api.people.setup_link import SetupLinks
from consent.log_entries import AccountChanged, read_entry
from consent.store import Register
from federation.coordinator.evidence_log import Evidence, open_evidence
from federation.coordinator.settings import CoordinatorSettings
from federation.database import open_database

WORDS = "correct horse battery"
SignIn = Callable[[str], TestClient]


@pytest.fixture
def engine(coordinator: CoordinatorSettings) -> Iterator[Engine]:
    engine = open_database(coordinator.database)
    yield engine
    engine.dispose()


@pytest.fixture
def evidence(coordinator: CoordinatorSettings, engine: Engine) -> Evidence:
    return open_evidence(coordinator, engine)


@pytest.fixture
def within(evidence: Evidence) -> Within:
    return logging_accounts(evidence)


def changes(evidence: Evidence) -> list[AccountChanged]:
    entries = map(read_entry, evidence.log.entries(0, evidence.log.head().size))
    return [entry for entry in entries if isinstance(entry, AccountChanged)]


def test_an_accounts_whole_life_is_in_the_log(
    engine: Engine, evidence: Evidence, within: Within
) -> None:
    accounts, links = Accounts(engine, within), SetupLinks(engine, within)
    first = links.first(1)
    assert first is not None
    links.use(first, name="mei", password=WORDS, now=2)
    accounts.add(name="ling", role=Role.ADVISOR, made_by="mei", now=3)
    links.use(links.renew("ling", by="mei", now=4), password=WORDS, now=5)
    accounts.set_role("ling", Role.AUDITOR, by="provider", now=6)
    accounts.close("ling", by="mei", now=7)
    told = changes(evidence)
    assert [(c.at, c.change, c.role) for c in told] == [
        (2, "made", "privacy_officer"),
        (2, "password", "privacy_officer"),
        (3, "made", "advisor"),
        (4, "link", "advisor"),
        (5, "password", "advisor"),
        (6, "role", "auditor"),
        (7, "closed", "auditor"),
    ]
    mei, ling = told[1].account, told[2].account
    assert [c.account for c in told] == [mei, mei, ling, ling, ling, ling, ling]
    assert [c.by == mei for c in told] == [False, True, True, True, False, False, True]
    assert not any(name.encode() in entry for name in ("mei", "ling") for entry in all_of(evidence))


def all_of(evidence: Evidence) -> list[bytes]:
    return list(evidence.log.entries(0, evidence.log.head().size))


def test_a_role_that_was_granted_behind_the_doors_is_seen(
    engine: Engine, evidence: Evidence, within: Within
) -> None:
    Accounts(engine, within).add(name="ling", role=Role.ADVISOR, made_by="mei", now=1)
    Accounts(engine).add(name="eve", role=Role.PRIVACY_OFFICER, made_by="mei", now=1)
    assert logged(evidence, ["ling", "eve"]) == {"ling": (Role.ADVISOR, False)}
    with engine.begin() as db:
        db.execute(update(PEOPLE).values(role=Role.PRIVACY_OFFICER))
    assert logged(evidence, ["ling"])["ling"] != (Accounts(engine).get("ling").role, False)


def test_an_account_and_its_entry_are_written_together_or_not_at_all(
    engine: Engine, evidence: Evidence, within: Within
) -> None:
    accounts = Accounts(engine, within)
    accounts.add(name="ling", role=Role.ADVISOR, made_by="mei", now=1)
    before = all_of(evidence)
    with pytest.raises(PersonExists):
        accounts.add(name="ling", role=Role.AUDITOR, made_by="mei", now=2)
    assert all_of(evidence) == before

    def full(*_: object) -> None:
        raise OSError(28, "no space")

    with pytest.raises(OSError, match="no space"):
        Accounts(engine, full).close("ling", by="mei", now=3)
    assert accounts.get("ling").closed_at is None


def test_every_door_to_an_account_writes_the_log(
    sign_in: SignIn, register: Register, evidence: Evidence
) -> None:
    officer, steward = sign_in("privacy_officer"), sign_in("steward")
    made = officer.post("/api/v1/people", json={"name": "ling", "role": "advisor"}).json()
    body = {"link": made["setup_path"].partition("link=")[2], "password": WORDS}
    assert officer.post("/api/v1/setup", json=body).is_success
    client = {"name": "c1", "role": "client", "client_id": "c0001"}
    assert steward.post("/api/v1/people", json=client).status_code == 201
    officer.post("/api/v1/people/ling/link")
    officer.delete("/api/v1/people/ling")
    assert register.level("c0001", datetime.now(UTC)) == 4
    steward.delete("/api/v1/clients/c0001")
    found = [(c.change, c.role) for c in changes(evidence)]
    assert found == [
        ("made", "advisor"),
        ("link", "advisor"),
        ("password", "advisor"),
        ("made", "client"),
        ("link", "client"),
        ("link", "advisor"),
        ("closed", "advisor"),
        ("closed", "client"),
    ]
    assert logged(evidence, ["ling", "c1"]) == {
        "ling": (Role.ADVISOR, True),
        "c1": (Role.CLIENT, True),
    }
