from pathlib import Path

import pytest
from sqlalchemy import Engine

from api.people.accounts import Accounts
from api.people.errors import LinkInvalid, PersonExists, WeakPassword
from api.people.roles import Role
from api.people.setup_link import LASTS_S, SetupLinks
from federation.database import open_database

WORDS = "correct horse battery"


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return open_database(f"sqlite:///{tmp_path}/people.db")


@pytest.fixture
def accounts(engine: Engine) -> Accounts:
    return Accounts(engine)


@pytest.fixture
def links(engine: Engine, accounts: Accounts) -> SetupLinks:
    assert accounts.count() == 0
    return SetupLinks(engine)


def first(links: SetupLinks, now: int = 0) -> str:
    link = links.first(now)
    assert link is not None
    return link


def test_the_first_link_makes_the_first_officer(links: SetupLinks, accounts: Accounts) -> None:
    assert links.use(first(links), name="mei", password=WORDS, now=1) == "mei"
    assert accounts.check("mei", WORDS).role is Role.PRIVACY_OFFICER
    assert links.first(2) is None


def test_a_link_holds_once(links: SetupLinks) -> None:
    link = first(links)
    links.use(link, name="mei", password=WORDS, now=1)
    with pytest.raises(LinkInvalid):
        links.use(link, name="eve", password=WORDS, now=2)


def test_a_link_holds_for_a_day(links: SetupLinks) -> None:
    link = first(links)
    assert links.find(link, LASTS_S - 1).name is None
    with pytest.raises(LinkInvalid):
        links.use(link, name="mei", password=WORDS, now=LASTS_S)


def test_a_new_first_link_ends_the_one_before(links: SetupLinks) -> None:
    before, after = first(links), first(links, 1)
    with pytest.raises(LinkInvalid):
        links.find(before, 2)
    assert links.find(after, 2)


def test_a_weak_password_leaves_the_link(links: SetupLinks) -> None:
    link = first(links)
    with pytest.raises(WeakPassword):
        links.use(link, name="mei", password=WORDS[:5], now=1)
    assert links.use(link, name="mei", password=WORDS, now=2)


def test_an_invited_person_cannot_take_another_name(links: SetupLinks, accounts: Accounts) -> None:
    accounts.add(name="ling", role=Role.ADVISOR, made_by="mei", now=1)
    assert (
        links.use(links.renew("ling", by="test", now=1), name="mei", password=WORDS, now=2)
        == "ling"
    )
    assert accounts.check("ling", WORDS).role is Role.ADVISOR


def test_the_first_link_needs_a_name(links: SetupLinks) -> None:
    with pytest.raises(LinkInvalid):
        links.use(first(links), password=WORDS, now=1)


def test_a_first_link_is_void_once_there_is_an_account(
    links: SetupLinks, accounts: Accounts
) -> None:
    link = first(links)
    accounts.add(name="ling", role=Role.ADVISOR, made_by="cli", now=1)
    with pytest.raises(PersonExists):
        links.use(link, name="eve", password=WORDS, now=2)


def test_a_closed_account_is_not_opened_again_by_a_link(
    links: SetupLinks, accounts: Accounts
) -> None:
    accounts.add(name="ling", role=Role.ADVISOR, made_by="mei", now=1)
    link = links.renew("ling", by="test", now=1)
    accounts.close("ling", by="test", now=2)
    with pytest.raises(LinkInvalid):
        links.use(link, password=WORDS, now=3)


def test_the_database_holds_no_link(links: SetupLinks, engine: Engine) -> None:
    link = first(links)
    with engine.connect() as db:
        rows = db.exec_driver_sql("SELECT * FROM setup_links").all()
    assert link not in str(rows)
