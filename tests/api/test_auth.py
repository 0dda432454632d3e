import json
import stat
from collections.abc import Callable
from hashlib import sha256
from itertools import product
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.auth import (
    STAFF,
    KnownToken,
    caller_of,
    enroll_tokens,
    load_tokens,
    new_token,
)
from api.errors import NotSignedIn, TokensInvalid
from api.people.roles import STAFF_ROLES, Caller, Role


def test_a_token_names_its_caller(tmp_path: Path) -> None:
    tokens = enroll_tokens(tmp_path / "tokens.json")
    known = load_tokens(tmp_path / "tokens.json")
    assert caller_of(tokens[Role.STEWARD], known) == Caller(name="steward", role=Role.STEWARD)


def test_a_hash_is_not_a_token(tmp_path: Path) -> None:
    enroll_tokens(tmp_path / "tokens.json")
    known = load_tokens(tmp_path / "tokens.json")
    with pytest.raises(NotSignedIn):
        caller_of(known[0].sha256, known)


@pytest.mark.parametrize("token", ["", "x", new_token()])
def test_a_stranger_is_refused(tmp_path: Path, token: str) -> None:
    enroll_tokens(tmp_path / "tokens.json")
    with pytest.raises(NotSignedIn):
        caller_of(token, load_tokens(tmp_path / "tokens.json"))


def test_only_hashes_are_written_and_only_the_owner_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    tokens = enroll_tokens(path)
    text = path.read_text()
    assert not any(token in text for token in tokens.values())
    assert {line["sha256"] for line in json.loads(text)} == {
        sha256(token.encode()).hexdigest() for token in tokens.values()
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_tokens_are_never_the_same_twice() -> None:
    assert len({new_token() for _ in range(100)}) == 100


def test_a_hash_stays_out_of_a_repr() -> None:
    known = KnownToken(name="a", role=Role.ANALYST, sha256="0" * 64)
    assert "000" not in repr(known)


@pytest.mark.parametrize("text", ["", "{}", '[{"name": "a"}]', '[{"name":"a","role":"king"}]'])
def test_a_damaged_token_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tokens.json"
    path.write_text(text)
    with pytest.raises(TokensInvalid, match=r"tokens\.json"):
        load_tokens(path)


def test_a_missing_token_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TokensInvalid, match="No such file"):
        load_tokens(tmp_path / "tokens.json")


def test_a_name_with_two_roles_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    twice = (Caller(name="ann", role=Role.ANALYST), Caller(name="ann", role=Role.PRIVACY_OFFICER))
    enroll_tokens(path, twice)
    with pytest.raises(TokensInvalid, match="two roles"):
        load_tokens(path)


def test_a_caller_may_have_a_token_of_yesterday_and_one_of_today(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    enroll_tokens(path)
    path.write_text(json.dumps(json.loads(path.read_text()) * 2))
    assert len(load_tokens(path)) == 2 * len(STAFF)


OPEN = {"/healthz", "/readyz", "/api/v1/sign-in", "/api/v1/sign-out", "/api/v1/setup"}
HEADERS = [{}, {"Authorization": "Bearer nobody"}, {"Authorization": "x"}]


def routes(client: TestClient) -> list[tuple[str, str]]:
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    return [
        (
            method.upper(),
            path.replace("{run_id}", "0" * 16)
            .replace("{client_id}", "c0001")
            .replace("{name}", "ann"),
        )
        for path, item in paths.items()
        for method in item
        if path not in OPEN
    ]


def test_every_route_but_health_asks_who_calls(anyone: TestClient) -> None:
    assert len(routes(anyone)) > 20
    for (method, path), header in product(routes(anyone), HEADERS):
        answer = anyone.request(method, path, headers=header)
        assert answer.status_code == 401, path
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.headers["content-type"] == "application/problem+json"


MAY = {
    ("POST", "/api/v1/questions"): {"analyst", "researcher", "advisor"},
    ("POST", "/api/v1/trainings"): {"analyst", "researcher"},
    ("POST", "/api/v1/approvals/0000000000000000"): {"privacy_officer"},
    ("GET", "/api/v1/approvals"): {"privacy_officer", "auditor"},
    ("GET", "/api/v1/approvals/0000000000000000"): {"privacy_officer", "auditor"},
    ("POST", "/api/v1/replay"): {"privacy_officer", "auditor"},
    ("GET", "/api/v1/evidence"): {"auditor"},
}


@pytest.mark.parametrize("role", STAFF_ROLES)
def test_only_some_may(sign_in: Callable[[str], TestClient], role: Role) -> None:
    client = sign_in(role)
    for (method, path), roles in MAY.items():
        status = client.request(method, path).status_code
        assert (status == 403) is (role not in roles), (method, path, status)


def test_an_analyst_may_not_read_or_change_levels(analyst: TestClient) -> None:
    path = "/api/v1/clients/c0001/level"
    assert analyst.get(path).status_code == 403
    assert analyst.put(path, json={"level": 0}).json()["type"].endswith(":not-allowed")


def test_a_steward_may_not_spend(steward: TestClient) -> None:
    body = {"purpose": "product_insight", "statistics": [{"kind": "count"}], "reason": "why not"}
    assert steward.post("/api/v1/questions", json=body | {"epsilon": 1}).status_code == 403
