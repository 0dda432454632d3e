"""What a door meets on a bad day: whole disks, half characters, strange languages."""

import json
from collections.abc import Callable
from io import StringIO

import pytest
from fastapi.testclient import TestClient

from api.people.access import ACCESS

SignIn = Callable[[str], TestClient]
Open = Callable[[str], TestClient]
QUESTION = {
    "purpose": "product_insight",
    "statistics": [{"kind": "count"}],
    "epsilon": 1.0,
    "reason": "how many there are",
}
TEN_MB = b'{"reason": "' + b"x" * 10_000_000 + b'"}'


WRITING = [
    (method, path.replace("{", "").replace("}", ""))
    for method, _, path in (route.partition(" ") for route in ACCESS)
    if method in {"POST", "PUT"}
]


def test_ten_megabytes_are_read_by_nobody(anyone: TestClient) -> None:
    for method, path in WRITING:
        answer = anyone.request(method, path, content=TEN_MB)
        assert (answer.status_code, path) == (413, path)
        assert answer.json()["type"].endswith(":body-too-large")


BODIES = [
    b"\xff\xfe",
    b'{"reason": "\xed\xa0\x80"}',
    b'{"reason": "\\ud800\\udc"}',
    json.dumps(QUESTION | {"reason": "\ud800 alone"}).encode(),
    b"[" * 30_000,
    b'{"epsilon": 1e999}',
    b'{"epsilon": NaN}',
    b"1" * 10_000,
    b"",
    b"null",
    b'"\\u0000"',
]


@pytest.mark.parametrize("body", BODIES)
def test_half_characters_and_half_json_are_a_problem(analyst: TestClient, body: bytes) -> None:
    header = {"Content-Type": "application/json"}
    answer = analyst.post("/api/v1/questions", content=body, headers=header)
    assert answer.status_code in {400, 422}, answer.text
    assert analyst.get("/api/v1/runs").json() == []


@pytest.mark.parametrize("path", ["/api/v1/runs/%ff", "/api/v1/clients/%ff%fe/level", "/%00", "/é"])
def test_a_path_that_is_no_text_is_refused(steward: TestClient, path: str) -> None:
    assert 400 <= steward.get(path).status_code < 500


@pytest.mark.parametrize("language", ["tlh", "zh;q=x", ",,,", "*", "e" * 5000, "\xe9"])
def test_an_unknown_language_is_no_error(analyst: TestClient, language: str) -> None:
    header = {"Accept-Language": language.encode("latin-1")}
    assert analyst.get("/api/v1/budget", headers=header).status_code == 200


@pytest.mark.parametrize("name", ["X-Request-Id", "Idempotency-Key", "Last-Event-ID", "If-Match"])
def test_a_header_cannot_write_into_an_answer_or_the_log(
    analyst: TestClient, log: StringIO, name: str
) -> None:
    forged = b'a\tb canary: {"event": 1}'
    answer = analyst.post("/api/v1/questions", json=QUESTION, headers={name: forged})
    said = answer.text + str(answer.headers) + log.getvalue()
    assert "canary" not in said
    assert all(isinstance(json.loads(line), dict) for line in log.getvalue().splitlines())


def test_a_query_cannot_write_into_a_link_header(analyst: TestClient) -> None:
    for _ in range(2):
        analyst.post("/api/v1/questions", json=QUESTION | {"epsilon": 1.0 + _ / 10})
    answer = analyst.get("/api/v1/runs", params={"limit": "1\r\nX-Evil: 1"})
    assert answer.status_code == 422
    assert "x-evil" not in answer.headers


def test_a_double_click_on_an_equal_question_spends_once(open_session: Open) -> None:
    advisor = open_session("advisor")
    first, second = (advisor.post("/api/v1/questions", json=QUESTION).json() for _ in range(2))
    assert first["id"] == second["id"]
    assert not second["new"]


FORM = "application/x-www-form-urlencoded"
NULS = {
    "JSON": (b'{"reason": "a\\u0000b"}', "application/json"),
    "JSON behind a backslash": (b'{"reason": "a\\\\\\u0000b"}', "application/json"),
    "JSON of no declared type": (b'{"reason": "a\\u0000b"}', ""),
    "JSON in UTF-16": ('{"reason": "a\\u0000b"}'.encode("utf-16"), "application/json"),
    "a raw one": (b'{"reason": "a\x00b"}', "application/json"),
    "a form": (b"reason=a%00b", FORM),
}


@pytest.mark.parametrize("form", NULS)
def test_a_nul_in_a_body_is_refused_at_every_door(anyone: TestClient, form: str) -> None:
    body, kind = NULS[form]
    for method, path in WRITING:
        answer = anyone.request(method, path, content=body, headers={"Content-Type": kind})
        assert (answer.status_code, path) == (422, path)
        assert answer.json()["type"].endswith(":nul-character")


def test_a_nul_in_a_path_or_a_query_is_refused(analyst: TestClient) -> None:
    for path in ("/api/v1/models/a%00b", "/api/v1/people?after=a%00", "/sign-in?next=%00"):
        assert analyst.get(path).json()["type"].endswith(":nul-character")


def test_what_only_looks_like_a_nul_passes(analyst: TestClient) -> None:
    for reason in ("a \\u0000 b", "100%00 sure"):
        answer = analyst.post("/api/v1/questions", json=QUESTION | {"reason": reason})
        assert answer.status_code == 202, answer.text
