"""Issue 4's list of bad input, through the doors: refused by name, nothing done, nothing repeated.

Below the doors each has its own test: tests/consent/test_clients.py (ids), test_intake.py and
test_store.py (levels, purposes, clocks), test_stages.py (jumps), test_epochs.py and
test_receipts.py (flipped bits), test_snapshots.py and tests/federation/node/test_admission.py
(another department's snapshot, a node's clock).
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from consent.store import Register

CLIENT = "/api/v1/clients/c0001"
DOORS: Mapping[str, tuple[str, str, dict[str, object] | None]] = {
    "level": ("PUT", "/level", {"level": 1}),
    "standing": ("GET", "/standing", None),
    "objection": ("PUT", "/objections/bond_model", None),
    "objection back": ("DELETE", "/objections/bond_model", None),
    "family": ("PUT", "/family-objection", None),
    "family back": ("DELETE", "/family-objection", None),
    "closed": ("GET", "/closed/bond_model", None),
    "stage": ("GET", "/stages/onboarding", None),
    "receipts": ("GET", "/receipts", None),
    "uses": ("GET", "/uses", None),
    "proof": ("POST", "/level-proof", {"department": "wealth", "at_least": 1}),
    "erasure": ("DELETE", "", None),
}
STRANGE = {
    "NUL": "can%00ary",
    "right-to-left override": "can%E2%80%AEary",
    "full-width": quote("ｃanary"),
    "letter and accent": quote("cane\u0301ary"),
    "half a character": "can%ED%A0%80ary",
    "white space": "%20canary",
    "too long": "canary" * 50,
    "a path": "..%2F..%2Fcanary",
    "a statement": quote("canary'; DROP TABLE consent_events; --"),
}


def kind(answer: object) -> str:
    return str(answer.json()["type"]).rpartition(":")[2]  # type: ignore[attr-defined]


@pytest.mark.parametrize("door", DOORS)
def test_an_unknown_client_is_named_unknown(
    steward: TestClient, register: Register, door: str
) -> None:
    method, path, body = DOORS[door]
    answer = steward.request(method, f"/api/v1/clients/c9999{path}", json=body)
    assert (answer.status_code, kind(answer)) == (404, "unknown-client")
    assert "c9999" not in answer.text
    assert register.head() == 2


@pytest.mark.parametrize("id_", STRANGE)
def test_a_malformed_id_is_refused_at_every_door(
    steward: TestClient, register: Register, id_: str
) -> None:
    for door, (method, path, body) in DOORS.items():
        answer = steward.request(method, f"/api/v1/clients/{STRANGE[id_]}{path}", json=body)
        assert answer.status_code in {404, 422}, (door, answer.text)
        assert "canary" not in answer.text
    assert register.head() == 2


def test_a_megabyte_is_no_household(steward: TestClient, register: Register) -> None:
    for household, status in (("x" * 2**20, 413), ("x" * 257, 422), ("", 422), (" h", 422)):
        answer = steward.put("/api/v1/clients/c0009", json={"household": household})
        assert answer.status_code == status
    assert register.head() == 2


@pytest.mark.parametrize(
    ("asked", "refused"),
    [
        (("PUT", "/objections/astrology", None), "unknown-purpose"),
        (("GET", "/closed/astrology", None), "unknown-purpose"),
        (
            ("POST", "/level-proof", {"department": "astrology", "at_least": 1}),
            "unknown-department",
        ),
        (("GET", "/stages/astrology", None), "unknown-stage"),
        (("PUT", "/level", {"level": 5}), "request-invalid"),
        (("PUT", "/level", {"level": -1}), "request-invalid"),
        (("POST", "/level-proof", {"department": "wealth", "at_least": 5}), "request-invalid"),
    ],
)
def test_an_unknown_purpose_department_stage_or_level_is_refused(
    steward: TestClient, register: Register, asked: tuple[str, str, object], refused: str
) -> None:
    method, path, body = asked
    answer = steward.request(method, CLIENT + path, json=body)
    assert (answer.status_code, kind(answer)) == (422, refused)
    assert (register.head(), register.level("c0001")) == (2, 4)


def test_a_jump_that_skips_what_the_stage_needs_is_refused(steward: TestClient) -> None:
    answer = steward.get("/api/v1/clients/c0002/stages/succession")
    assert (answer.status_code, kind(answer)) == (409, "level-skipped")


def test_a_clock_that_is_late_opens_nothing(steward: TestClient, register: Register) -> None:
    register.set_level("c0001", 0, datetime.now(UTC) + timedelta(hours=1))
    answer = steward.put(f"{CLIENT}/level", json={"level": 4})
    assert (answer.status_code, kind(answer)) == (409, "clock-skew")
    assert register.level("c0001") == 0
    assert steward.put(f"{CLIENT}/level", json={"level": 0}).status_code == 200


def test_no_flipped_bit_of_a_level_proof_holds(steward: TestClient) -> None:
    asked = {"department": "wealth", "at_least": 2}
    shown = steward.post(f"{CLIENT}/level-proof", json=asked).json()
    for part in ("anchor", "proof"):
        whole = bytes.fromhex(shown[part])
        for bit in range(0, 8 * len(whole), 61):
            flipped = (int.from_bytes(whole) ^ 1 << bit).to_bytes(len(whole)).hex()
            answer = steward.post("/api/v1/level-proofs/check", json=shown | {part: flipped})
            assert kind(answer) == "level-proof-invalid"
    assert steward.post("/api/v1/level-proofs/check", json=shown).status_code == 200
