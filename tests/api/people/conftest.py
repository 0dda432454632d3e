"""People who sign in by password, over plain HTTP on a host named testserver."""

import time
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from api.people.people import People
from api.people.roles import Role

WORDS = "correct horse battery"
Open = Callable[[str], TestClient]


@pytest.fixture
def people(anyone: TestClient) -> People:
    """The opened stores of the API, with one account per role; the client's is of c0001."""
    people: People = anyone.app.state.people  # type: ignore[attr-defined]
    for role in Role:
        client = "c0001" if role is Role.CLIENT else None
        name = f"{role.value}_person"
        people.accounts.add(name=name, role=role, client_id=client, made_by="test", now=1)
    return people


@pytest.fixture
def open_session(anyone: TestClient, people: People) -> Open:
    """Return a browser of somebody who is signed in already, its token in every request."""

    def opened(role: str) -> TestClient:
        browser = TestClient(anyone.app)
        browser.cookies.set("session", people.sessions.open(f"{role}_person", int(time.time())))
        browser.headers["X-CSRF-Token"] = browser.get("/api/v1/me").json()["csrf_token"]
        return browser

    return opened
