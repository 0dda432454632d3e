"""The transparency log through the doors: what is read there can be checked without trusting it."""

import pytest
from fastapi.testclient import TestClient

from consent.checkpoints import open_checkpoint
from consent.merkle import leaf_hash, verify_consistency, verify_inclusion
from consent.transparency import verify_export
from federation.coordinator.desk import Desk
from federation.witness import log_key

LOG = "/api/v1/log"
QUESTION = {
    "purpose": "product_insight",
    "statistics": [{"kind": "count"}],
    "epsilon": 1.0,
    "reason": "how many they are",
}


@pytest.fixture
def desk(anyone: TestClient) -> Desk:
    found: Desk = anyone.app.state.desk  # type: ignore[attr-defined]
    return found


def test_the_log_holds_collections_changes_and_plans_in_their_order(
    steward: TestClient, analyst: TestClient
) -> None:
    run = analyst.post("/api/v1/questions", json=QUESTION).json()["id"]
    steward.put("/api/v1/clients/c0001/level", json={"level": 1})
    page = analyst.get(f"{LOG}/entries").json()
    kinds = [each["entry"]["kind"] for each in page["entries"]]
    assert kinds == ["consent", "consent", "collection", "collection", "plan", "consent"]
    assert page["size"] == 6
    assert page["entries"][4]["entry"]["run"] == run
    text = str(page)
    assert "c0001" not in text
    assert "analyst" not in text


def test_a_collection_is_logged_once_for_each_catalogue(analyst: TestClient, desk: Desk) -> None:
    first = analyst.get(f"{LOG}/entries").json()["entries"]
    held = [e["entry"] for e in first if e["entry"]["kind"] == "collection"]
    assert [e["department"] for e in held] == ["lending", "wealth"]
    assert {e["catalogue"] for e in held} == {desk.catalogue.digest()}
    assert "debt" in held[0]["fields"]
    assert "debt" not in held[1]["fields"]


def test_the_same_question_again_is_no_new_plan(analyst: TestClient) -> None:
    analyst.post("/api/v1/questions", json=QUESTION)
    size = analyst.get(f"{LOG}/entries").json()["size"]
    analyst.post("/api/v1/questions", json=QUESTION | {"reason": "another reason"})
    assert analyst.get(f"{LOG}/entries").json()["size"] == size


def test_proofs_lead_to_the_signed_roots(
    steward: TestClient, analyst: TestClient, desk: Desk
) -> None:
    key = log_key(desk.evidence.roster)
    old = open_checkpoint(analyst.get(f"{LOG}/checkpoint").text, key).checkpoint
    for level in (0, 1, 2):
        steward.put("/api/v1/clients/c0001/level", json={"level": level})
    new = open_checkpoint(analyst.get(f"{LOG}/checkpoint").text, key).checkpoint
    assert new.size == old.size + 3

    def proof(path: str) -> list[bytes]:
        hashes = analyst.get(f"{LOG}/{path}").json()["proof"]
        return [bytes.fromhex(each) for each in hashes]

    sizes = f"consistency?first={old.size}&second={new.size}"
    verify_consistency(old.size, new.size, proof(sizes), old.root, new.root)
    leaf = leaf_hash(desk.evidence.log.entries(5, 6)[0])
    verify_inclusion(leaf, 5, new.size, proof(f"inclusion?index=5&size={new.size}"), new.root)


def test_a_download_verifies_and_an_edited_one_does_not(analyst: TestClient, desk: Desk) -> None:
    analyst.get(f"{LOG}/checkpoint")
    download = analyst.get(f"{LOG}/export").content
    key = log_key(desk.evidence.roster)
    report = verify_export(download, log=key)
    assert report.ok, report.findings
    assert report.kinds == {"collection": 2, "consent": 2}
    edited = download.replace(b'"kind":"collection"', b'"kind":"destruction"', 1)
    assert not verify_export(edited, log=key).ok


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("inclusion?index=99&size=4", 404),
        ("inclusion?index=0&size=99", 404),
        ("consistency?first=3&second=2", 404),
        ("consistency?first=1&second=99", 404),
        ("inclusion?index=-1&size=4", 422),
        ("entries?start=9007199254740992", 422),
        ("entries?limit=100000", 422),
    ],
)
def test_what_is_not_in_the_log_is_refused(analyst: TestClient, path: str, status: int) -> None:
    assert analyst.get(f"{LOG}/{path}").status_code == status


def test_entries_beyond_the_end_are_none(analyst: TestClient) -> None:
    assert analyst.get(f"{LOG}/entries?start=10").status_code == 200
    assert analyst.get(f"{LOG}/entries?start=10").json()["entries"] == []


@pytest.mark.parametrize("path", ["checkpoint", "entries", "export", "witnesses"])
def test_the_log_is_for_those_who_are_signed_in(anyone: TestClient, path: str) -> None:
    assert anyone.get(f"{LOG}/{path}").status_code == 401


def test_the_keys_shown_are_those_of_the_roster(analyst: TestClient, desk: Desk) -> None:
    shown = analyst.get(f"{LOG}/witnesses").json()
    assert shown["log_key"] == log_key(desk.evidence.roster).text
    assert set(shown["keys"]) == {"lending", "wealth"}
    assert shown["witnesses"] == []
