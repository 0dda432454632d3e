"""What a client gets from the consent service: a receipt that opens the log, uses, an erasure."""

import json
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
import rfc8785
from fastapi.testclient import TestClient

from consent.checkpoints import open_checkpoint
from consent.commitments import check_opening
from consent.errors import UnknownClient
from consent.log_entries import Destroyed, read_entry
from consent.merkle import leaf_hash, verify_inclusion
from consent.receipts import verify_logged, verify_receipt
from consent.store import Register
from federation.coordinator.consent_log import principal_of
from federation.coordinator.desk import Desk
from federation.witness import log_key

CLIENT = "/api/v1/clients/c0001"


@pytest.fixture
def desk(anyone: TestClient) -> Desk:
    found: Desk = anyone.app.state.desk  # type: ignore[attr-defined]
    return found


def test_a_change_is_answered_with_a_signed_receipt_and_its_place_in_the_log(
    steward: TestClient, desk: Desk
) -> None:
    answer = steward.put(f"{CLIENT}/level", json={"level": 1}).json()
    receipt = verify_receipt(answer["receipt"], desk.evidence.keys.signing.public_key())
    event = receipt.record.event
    assert (event.change, event.level, event.epoch) == ("lowered", 1, answer["epoch"])
    assert event.event_state == "dpv:RenewedConsentGiven"
    assert receipt.log is not None
    assert receipt.log.index == answer["log_index"]
    opened = {p.purpose: p.pii_information for p in receipt.record.pii_processing.purposes}
    assert set(opened) == {"product_insight", "bond_model"}
    assert [kind.pii_type for kind in opened["bond_model"]] == ["Region", "Income", "Buys bonds"]
    entry = read_entry(desk.evidence.log.entries(answer["log_index"], answer["log_index"] + 1)[0])
    assert (entry.kind, getattr(entry, "epoch", 0)) == ("consent", answer["epoch"])


@pytest.mark.parametrize("level", [4, 3, 2, 1, 0])
def test_raising_and_lowering_are_one_call_with_one_receipt(
    steward: TestClient, desk: Desk, level: int
) -> None:
    for client in ("c0001", "c0002"):
        answer = steward.put(f"/api/v1/clients/{client}/level", json={"level": level})
        assert answer.status_code == 200
        receipt = verify_receipt(answer.json()["receipt"], desk.evidence.keys.signing.public_key())
        assert receipt.record.event.level == level
        assert desk.register.level(client) == level


def test_every_receipt_in_a_history_opens_its_entry_in_the_signed_log(
    steward: TestClient, desk: Desk
) -> None:
    for level in (0, 3):
        steward.put(f"{CLIENT}/level", json={"level": level})
    tokens = steward.get(f"{CLIENT}/receipts").json()["receipts"]
    receipts = [verify_receipt(t, desk.evidence.keys.signing.public_key()) for t in tokens]
    assert [r.record.event.change for r in receipts] == ["entered", "withdrawn", "given"]
    assert len({r.receipt_id for r in receipts}) == 3
    assert len({r.record.record_id for r in receipts}) == 1
    size = desk.evidence.log.head().size
    assert [verify_logged(r, log_key(desk.evidence.roster)) for r in receipts] == [size] * 3
    assert "c0001" not in "".join(r.model_dump_json() for r in receipts)


def test_a_receipt_that_says_another_level_does_not_open_the_log(
    steward: TestClient, desk: Desk
) -> None:
    token = steward.get(f"{CLIENT}/receipts").json()["receipts"][0]
    receipt = verify_receipt(token, desk.evidence.keys.signing.public_key())
    event = receipt.record.event.model_copy(update={"level": 3})
    forged = receipt.model_copy(
        update={"record": receipt.record.model_copy(update={"event": event})}
    )
    with pytest.raises(Exception, match="refused"):
        verify_logged(forged, log_key(desk.evidence.roster))


def test_an_erasure_closes_the_client_and_leaves_nothing_that_opens_the_log(
    steward: TestClient, desk: Desk, register: Register
) -> None:
    before = desk.evidence.log.head().size
    done = steward.delete(CLIENT).json()
    with pytest.raises(UnknownClient):
        register.level("c0001")
    assert done["epoch"] == register.head() == register.erased()
    assert desk.evidence.salts.of("c0001") == []
    entry = read_entry(rfc8785.dumps(done["entry"]))
    assert isinstance(entry, Destroyed)
    assert (entry.what, done["log_index"]) == ("pseudonym_key", before + 1)
    assert entry.evidence == sha256(done["statement"].encode()).hexdigest()
    principal = principal_of(desk.evidence.keys.receipts, "c0001")
    assert entry.subject is not None
    check_opening(entry.subject, bytes.fromhex(done["salt"]), {"principal": principal})
    tree = open_checkpoint(done["checkpoint"], log_key(desk.evidence.roster)).checkpoint
    proof = [bytes.fromhex(each) for each in done["proof"]]
    leaf = leaf_hash(rfc8785.dumps(done["entry"]))
    verify_inclusion(leaf, done["log_index"], tree.size, proof, tree.root)
    assert desk.evidence.log.verify().size == tree.size
    for path in ("level", "receipts", "uses"):
        assert steward.get(f"{CLIENT}/{path}").status_code == 404
    assert len(desk.evidence.salts.of("c0002")) == 1


def test_a_client_who_was_erased_comes_back_as_a_new_one_at_level_0(
    steward: TestClient, register: Register
) -> None:
    steward.delete(CLIENT)
    assert steward.put(f"{CLIENT}/level", json={"level": 2}).status_code == 404
    assert steward.put(CLIENT, json={"household": "h1"}).json()["level"]["level"] == 0
    assert [event.kind for event in register.history("c0001")] == ["entered"]
    assert steward.put(f"{CLIENT}/level", json={"level": 2}).status_code == 200


def test_after_an_erasure_no_file_of_the_coordinator_holds_the_id(
    steward: TestClient, desk: Desk, tmp_path: Path
) -> None:
    def held() -> bool:
        files = [file for file in tmp_path.glob("*.db*") if file.is_file()]
        assert files
        return any(b"c0001" in file.read_bytes() for file in files)

    key = {"Idempotency-Key": "monday-1"}
    assert steward.put(f"{CLIENT}/level", json={"level": 2}, headers=key).status_code == 200
    assert held()
    assert steward.delete(CLIENT).status_code == 200
    assert not held()
    assert desk.register.head() == 4


def test_entering_a_client_again_changes_nothing(steward: TestClient, register: Register) -> None:
    before = register.head()
    answer = steward.put(CLIENT, json={"household": "h1"}).json()
    assert (answer["level"]["level"], answer["epoch"], register.head()) == (4, 1, before)


@pytest.mark.parametrize("path", ["/receipts", "/uses", ""])
def test_a_client_nobody_knows_has_nothing(steward: TestClient, path: str) -> None:
    ask = steward.get if path else steward.delete
    answer = ask(f"/api/v1/clients/c9999{path}")
    assert answer.status_code == 404
    assert "c9999" not in answer.text


@pytest.mark.parametrize("name", ["a%00b", "x" * 5000, "%E2%80%AEtxt", "%20"])
def test_an_id_that_is_none_is_refused_without_repeating_it(steward: TestClient, name: str) -> None:
    for answer in (
        steward.get(f"/api/v1/clients/{name}/receipts"),
        steward.put(f"/api/v1/clients/{name}/level", json={"level": 1}),
        steward.delete(f"/api/v1/clients/{name}"),
    ):
        assert answer.status_code in (404, 422)
        assert name not in answer.text


def test_an_analyst_sees_nothing_of_a_client(analyst: TestClient) -> None:
    for answer in (
        analyst.get(f"{CLIENT}/receipts"),
        analyst.get(f"{CLIENT}/uses"),
        analyst.delete(CLIENT),
        analyst.post(f"{CLIENT}/level-proof", json={"department": "wealth", "at_least": 1}),
    ):
        assert answer.status_code == 403


def test_uses_tell_purposes_dates_and_releases_never_answers(
    steward: TestClient, analyst: TestClient, desk: Desk
) -> None:
    question = {
        "purpose": "product_insight",
        "statistics": [{"kind": "mean", "field": "income"}],
        "by": ["region"],
        "epsilon": 1.0,
        "reason": "who earns what",
    }

    def released(epsilon: float) -> str:
        run: str = analyst.post("/api/v1/questions", json=question | {"epsilon": epsilon}).json()[
            "id"
        ]
        taken = desk.runs.take()
        assert taken is not None
        label = {"consent_epoch": desk.register.head(), "log_index": 7}
        now = int(datetime.now(UTC).timestamp())
        desk.runs.end_released(run, result={"rows": ["secret figures"]}, label=label, now=now)
        return run

    with_client = released(1.0)
    steward.put(f"{CLIENT}/level", json={"level": 0})
    without = released(1.1)
    answer = steward.get(f"{CLIENT}/uses")
    (use,) = answer.json()["uses"]
    assert use["run"] == with_client != without
    assert use["purpose"] == "product_insight"
    assert (use["fields"], use["departments"]) == (["income", "region"], ["lending", "wealth"])
    assert (use["epoch"], use["log_index"], use["known"]) == (2, 7, True)
    assert "secret figures" not in answer.text
    assert steward.get("/api/v1/clients/c0002/uses").json() == {"uses": []}
    assert json.loads(answer.text)
