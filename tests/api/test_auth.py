import json
import stat
from hashlib import sha256
from itertools import product
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.auth import Caller, KnownToken, Role, caller_of, enroll_tokens, load_tokens, new_token
from api.errors import NotSignedIn, TokensInvalid


def test_a_token_names_its_caller(tmp_path: Path) -> None:
    tokens = enroll_tokens(tmp_path / "tokens.json", tuple(Role))
    known = load_tokens(tmp_path / "tokens.json")
    assert caller_of(tokens[Role.STEWARD], known) == Caller(name="steward", role=Role.STEWARD)


def test_a_hash_is_not_a_token(tmp_path: Path) -> None:
    enroll_tokens(tmp_path / "tokens.json", (Role.ANALYST,))
    known = load_tokens(tmp_path / "tokens.json")
    with pytest.raises(NotSignedIn):
        caller_of(known[0].sha256, known)


@pytest.mark.parametrize("token", ["", "x", new_token()])
def test_a_stranger_is_refused(tmp_path: Path, token: str) -> None:
    enroll_tokens(tmp_path / "tokens.json", tuple(Role))
    with pytest.raises(NotSignedIn):
        caller_of(token, load_tokens(tmp_path / "tokens.json"))


def test_only_hashes_are_written_and_only_the_owner_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    tokens = enroll_tokens(path, tuple(Role))
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


ROUTES = [
    ("POST", "/api/v1/questions"),
    ("POST", "/api/v1/trainings"),
    ("POST", "/api/v1/price"),
    ("GET", "/api/v1/runs"),
    ("GET", "/api/v1/runs/0123456789abcdef"),
    ("GET", "/api/v1/budget"),
    ("GET", "/api/v1/catalogue"),
    ("GET", "/api/v1/clients/c0001/level"),
    ("PUT", "/api/v1/clients/c0001/level"),
]


HEADERS = [{}, {"Authorization": "Bearer nobody"}, {"Authorization": "x"}]


def test_every_route_but_health_asks_who_calls(anyone: TestClient) -> None:
    for (method, path), header in product(ROUTES, HEADERS):
        answer = anyone.request(method, path, headers=header)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.headers["content-type"] == "application/problem+json"


def test_the_list_of_guarded_routes_is_complete(anyone: TestClient) -> None:
    paths = anyone.get("/api/v1/openapi.json").json()["paths"]
    described = {(method.upper(), path) for path, item in paths.items() for method in item}
    assert len(described - {("GET", "/healthz")}) == len(ROUTES)


def test_an_analyst_may_not_read_or_change_levels(analyst: TestClient) -> None:
    path = "/api/v1/clients/c0001/level"
    assert analyst.get(path).status_code == 403
    assert analyst.put(path, json={"level": 0}).json()["type"].endswith(":not-allowed")


def test_a_steward_may_not_spend(steward: TestClient) -> None:
    body = {"purpose": "product_insight", "statistics": [{"kind": "count"}], "reason": "why not"}
    assert steward.post("/api/v1/questions", json=body | {"epsilon": 1}).status_code == 403
