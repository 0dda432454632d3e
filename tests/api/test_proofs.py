"""Level proofs through the doors: what holds, and for whom it does not."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi.testclient import TestClient

from consent.level_proof import show

CLIENT = "/api/v1/clients/c0001"
CHECK = "/api/v1/level-proofs/check"
RISK = {"department": "lending", "at_least": 2}


def made(steward: TestClient, **wanted: object) -> dict[str, object]:
    answer = steward.post(f"{CLIENT}/level-proof", json=RISK | wanted)
    assert answer.status_code == 200, answer.text
    body: dict[str, object] = answer.json()
    return body


def test_a_proof_holds_for_what_it_was_made_for(steward: TestClient, analyst: TestClient) -> None:
    proof = made(steward)
    answer = analyst.post(CHECK, json=proof)
    assert answer.json() == {"holds": True, "at_least": 2, "department": "lending"}
    assert "c0001" not in str(proof)


@pytest.mark.parametrize(
    "change", [{"at_least": 3}, {"department": "wealth"}, {"epoch": 1}, {"proof": "0" * 64}]
)
def test_a_proof_holds_for_nothing_else(
    steward: TestClient, analyst: TestClient, change: dict[str, object]
) -> None:
    answer = analyst.post(CHECK, json=made(steward) | change)
    assert answer.status_code == 422
    assert answer.json()["type"].endswith(":level-proof-invalid")


def test_a_level_that_is_not_reached_is_not_proved(steward: TestClient) -> None:
    steward.put(f"{CLIENT}/level", json={"level": 1})
    answer = steward.post(f"{CLIENT}/level-proof", json=RISK)
    assert answer.status_code == 403
    assert answer.json()["type"].endswith(":level-not-reached")


def test_a_withdrawal_ends_the_proofs_of_that_client_and_of_no_other(
    steward: TestClient, analyst: TestClient
) -> None:
    proof = made(steward)
    steward.put("/api/v1/clients/c0002/level", json={"level": 3})
    assert analyst.post(CHECK, json=proof).status_code == 200
    steward.put(f"{CLIENT}/level", json={"level": 0})
    assert analyst.post(CHECK, json=proof).status_code == 422


def test_an_erasure_ends_every_proof_from_before_it(
    steward: TestClient, analyst: TestClient
) -> None:
    proof = made(steward)
    steward.delete("/api/v1/clients/c0002")
    assert analyst.post(CHECK, json=proof).status_code == 422
    fresh = made(steward)
    assert analyst.post(CHECK, json=fresh).status_code == 200
    steward.delete(CLIENT)
    assert analyst.post(CHECK, json=fresh).status_code == 422


def test_a_bound_proof_needs_its_holder(steward: TestClient, analyst: TestClient) -> None:
    key, nonce = Ed25519PrivateKey.generate(), b"n" * 16
    proof = made(steward, holder=key.public_key().public_bytes_raw().hex())
    assert analyst.post(CHECK, json=proof).status_code == 422
    shown = show(bytes.fromhex(str(proof["proof"])), nonce, key).hex()
    bound = proof | {"nonce": nonce.hex(), "shown": shown}
    assert analyst.post(CHECK, json=bound).status_code == 200
    assert analyst.post(CHECK, json=bound | {"nonce": "00" * 16}).status_code == 422


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"department": "nobody"}, 422),
        ({"at_least": 0}, 422),
        ({"at_least": 5}, 422),
        ({"holder": "zz"}, 422),
        ({"extra": 1}, 422),
    ],
)
def test_a_wish_that_is_none_is_refused(
    steward: TestClient, body: dict[str, object], status: int
) -> None:
    assert steward.post(f"{CLIENT}/level-proof", json=RISK | body).status_code == status


def test_an_anchor_that_is_none_is_refused(steward: TestClient, analyst: TestClient) -> None:
    for anchor in ("00" * 65, "ff" * 200, "", "zz"):
        assert analyst.post(CHECK, json=made(steward) | {"anchor": anchor}).status_code == 422
