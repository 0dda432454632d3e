"""Every route × every role, and nobody: what the one table says is what the doors do."""

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from httpx import Response

from api.people.access import ACCESS, EVERYBODY
from api.people.roles import Role

Open = Callable[[str], TestClient]
OWN = "c0001"
PLACES = {
    "{run_id}": "0" * 16,
    "{name}": "nobody",
    "{client_id}": OWN,
    "{purpose}": "x",
    "{stage}": "x",
}


def call(browser: TestClient, route: str, **places: str) -> Response:
    method, _, path = route.partition(" ")
    for name, value in (PLACES | {f"{{{k}}}": v for k, v in places.items()}).items():
        path = path.replace(name, value)
    return browser.request(method, path)


def turned_away(answer: Response) -> bool:
    """Say whether the caller was refused for the role; a refused plan is another matter."""
    if answer.status_code == 401:
        return answer.json()["type"].endswith(":not-signed-in")
    return answer.status_code == 403 and answer.json()["type"].endswith(":not-allowed")


def wrong(route: str, role: Role | None, answer: Response) -> bool:
    """Say whether the table says otherwise."""
    who = ACCESS[route]
    allowed = who is EVERYBODY or (role is not None and role in who)
    return turned_away(answer) is allowed


@pytest.mark.parametrize("role", Role)
def test_a_role_may_what_the_table_says(open_session: Open, role: Role) -> None:
    for route in ACCESS:
        answer = call(open_session(role), route)
        assert not wrong(route, role, answer), (route, answer.status_code, answer.text)
        assert answer.status_code != 500


def test_nobody_may_what_needs_an_account(anyone: TestClient) -> None:
    for route in ACCESS:
        assert not wrong(route, None, call(anyone, route)), route


def test_a_door_that_stands_open_is_found(open_session: Open) -> None:
    route = "POST /api/v1/trainings"
    assert wrong(route, Role.ADVISOR, call(open_session("analyst"), route))
    assert wrong(route, Role.ANALYST, call(open_session("advisor"), route))


def test_a_client_passes_no_door_with_anothers_id(open_session: Open) -> None:
    doors = [route for route in ACCESS if "{client_id}" in route]
    assert len(doors) > 4
    for route in doors:
        for other in ("c0002", "c9999", "C0001", "c0001x", "c0001/", "%630001/x"):
            answer = call(open_session("client"), route, client_id=other)
            assert turned_away(answer) or answer.status_code in {404, 405}, (route, other)
