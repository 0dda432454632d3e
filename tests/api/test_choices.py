"""What clients choose beside a level, through the doors: objections, ends, stages, reasons."""

from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from consent.events import SetLevel
from consent.receipts import verify_receipt
from consent.store import Register
from federation.coordinator.desk import Desk

CLIENT = "/api/v1/clients/c0001"
MODEL = f"{CLIENT}/objections/bond_model"
FAMILY = f"{CLIENT}/family-objection"
TRAINING = {
    "kind": "training",
    "purpose": "product_insight",
    "target": "buys_bonds",
    "features": ["income", "patience"],
    "rounds": 1,
    "local_steps": 1,
    "epsilon": 1.0,
    "reason": "to be explained",
}


@pytest.fixture
def desk(anyone: TestClient) -> Desk:
    found: Desk = anyone.app.state.desk  # type: ignore[attr-defined]
    return found


def closed(steward: TestClient, purpose: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in steward.get(f"{CLIENT}/closed/{purpose}").json():
        found.setdefault(one["field"], []).append(one["because"])
    return found


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        (MODEL, ("objected", "objection_withdrawn")),
        (FAMILY, ("family_objected", "family_objection_withdrawn")),
    ],
)
def test_an_objection_is_made_and_taken_back_in_one_call_each_with_a_receipt(
    steward: TestClient, desk: Desk, path: str, changes: tuple[str, str]
) -> None:
    for method, change in zip(("PUT", "DELETE"), changes, strict=True):
        answer = steward.request(method, path)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        receipt = verify_receipt(body["receipt"], desk.evidence.keys.signing.public_key())
        assert receipt.record.event.change == change
        assert (body["epoch"], body["level"]["level"]) == (desk.register.head(), 4)


def test_an_objection_closes_its_purpose_and_no_other(steward: TestClient) -> None:
    assert closed(steward, "bond_model") == {"debt": ["purpose"]}
    steward.put(MODEL)
    assert set(closed(steward, "bond_model")) == {
        "region",
        "income",
        "patience",
        "buys_bonds",
        "debt",
    }
    assert closed(steward, "product_insight") == {"debt": ["purpose"]}
    assert steward.get(f"{CLIENT}/standing").json()["objections"] == ["bond_model"]
    steward.delete(MODEL)
    assert closed(steward, "bond_model") == {"debt": ["purpose"]}


def test_a_member_closes_the_family_fields_of_the_household(
    steward: TestClient, register: Register
) -> None:
    register.load([("c0003", "h1", 1)], datetime.now(UTC))
    assert closed(steward, "lending_review").get("debt") is None
    steward.put("/api/v1/clients/c0003/family-objection")
    assert closed(steward, "lending_review")["debt"] == ["family"]
    assert steward.get(f"{CLIENT}/standing").json()["family_objection"] is False
    steward.delete(FAMILY)  # it is the other member's to take back
    assert closed(steward, "lending_review")["debt"] == ["family"]
    steward.delete("/api/v1/clients/c0003/family-objection")
    assert closed(steward, "lending_review").get("debt") is None


def test_an_unknown_purpose_is_no_objection(steward: TestClient, register: Register) -> None:
    before = register.head()
    for method in ("PUT", "DELETE"):
        answer = steward.request(method, f"{CLIENT}/objections/astrology")
        assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (
            422,
            "unknown-purpose",
        )
    assert (register.head(), register.level("c0001")) == (before, 4)


def test_an_ended_authorization_is_shown_as_closed_at_once(
    steward: TestClient, register: Register
) -> None:
    at = datetime.now(UTC) - timedelta(hours=1)
    ended = int(at.timestamp()) + 120
    register.load([("c0004", "h4", 0)], at)
    register.record(
        [SetLevel(client="c0004", level=3, expires_at=ended)], at + timedelta(minutes=1)
    )
    path = "/api/v1/clients/c0004"
    assert register.level("c0004") == 3  # nobody has written the end down
    assert steward.get(f"{path}/level").json()["level"] == 0
    standing = steward.get(f"{path}/standing").json()
    assert (standing["level"]["level"], standing["expires_at"]) == (0, None)
    reasons = steward.get(f"{path}/closed/product_insight").json()
    assert {one["because"] for one in reasons if one["field"] == "income"} == {"expired"}
    assert steward.get(f"{path}/stages/mandate").status_code == 409


def test_a_level_may_be_given_until_a_moment(steward: TestClient) -> None:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)
    body = {"level": 2, "expires_at": until.isoformat()}
    assert steward.put(f"{CLIENT}/level", json=body).status_code == 200
    standing = steward.get(f"{CLIENT}/standing").json()
    assert standing["expires_at"] == until.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize(
    "body",
    [
        {"level": 2, "expires_at": "2020-01-01T00:00:00Z"},
        {"level": 0, "expires_at": "2099-01-01T00:00:00Z"},
        {"level": 2, "expires_at": "2099-01-01T00:00:00"},
    ],
)
def test_an_end_that_cannot_be_is_refused(
    steward: TestClient, register: Register, body: dict[str, object]
) -> None:
    assert steward.put(f"{CLIENT}/level", json=body).status_code == 422
    assert register.head() == 2


def test_a_stage_proposes_and_never_raises(steward: TestClient, register: Register) -> None:
    proposed = steward.get("/api/v1/clients/c0002/stages/onboarding").json()
    assert (proposed["needed"], proposed["stage"]["level"]["level"]) == (True, 1)
    assert proposed["opens"] == ["region", "income", "buys_bonds"]
    assert proposed["stays_closed"] == ["patience", "debt"]
    assert proposed["stage"]["never"]
    assert proposed["stage"]["never_zh"]
    assert (register.head(), register.level("c0002")) == (2, 0)
    enough = steward.get(f"{CLIENT}/stages/succession").json()
    assert (enough["needed"], enough["stage"]) == (False, None)


def test_a_stage_that_skips_a_level_names_the_one_before(steward: TestClient) -> None:
    answer = steward.get("/api/v1/clients/c0002/stages/family_office")
    assert answer.status_code == 409
    assert answer.json()["type"].endswith(":level-skipped")
    assert '"onboarding"' in answer.json()["detail"]
    unknown = steward.get(f"{CLIENT}/stages/retirement")
    assert unknown.json()["type"].endswith(":unknown-stage")


def test_everyone_may_read_what_the_stages_are(analyst: TestClient) -> None:
    stages = analyst.get("/api/v1/stages").json()
    assert [stage["name"] for stage in stages] == [
        "onboarding",
        "mandate",
        "family_office",
        "succession",
    ]
    assert "debt" in stages[3]["opens"]
    assert "debt" not in stages[2]["opens"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", MODEL),
        ("DELETE", MODEL),
        ("PUT", FAMILY),
        ("DELETE", FAMILY),
        ("GET", f"{CLIENT}/standing"),
        ("GET", f"{CLIENT}/closed/bond_model"),
        ("GET", f"{CLIENT}/stages/mandate"),
        ("PUT", CLIENT),
    ],
)
def test_nobody_else_reads_or_makes_a_clients_choices(
    analyst: TestClient, register: Register, method: str, path: str
) -> None:
    answer = analyst.request(method, path, json={"household": "h1"})
    assert answer.status_code == 403
    assert register.head() == 2


# Why a plan is refused


def test_a_plan_that_passes_has_nothing_against_it(analyst: TestClient) -> None:
    found = analyst.post("/api/v1/explain", json=TRAINING).json()
    assert (found["passes"], found["refusals"], found["unit"]) == (True, [], "client")
    assert [(n["field"], n["level"]["level"]) for n in found["needs"]] == [
        ("buys_bonds", 1),
        ("income", 1),
        ("patience", 2),
    ]


def test_a_refusal_names_field_level_and_what_would_make_it_pass(
    analyst: TestClient, desk: Desk
) -> None:
    plan = TRAINING | {"features": ["debt", "income"], "epsilon": 90.0}
    before = desk.ledger.entries()
    found = analyst.post("/api/v1/explain", json=plan).json()
    assert found["passes"] is False
    assert found["unit"] == "household"  # as the desk sets it where nobody does
    types = [refusal["type"] for refusal in found["refusals"]]
    assert types == ["purpose-not-open", "budget-exceeded"]
    detail = found["refusals"][0]["detail"]
    for said in ('"debt"', "level 4", "full family finances", '"lending_review"', "Leave the"):
        assert said in detail
    assert next(n for n in found["needs"] if n["field"] == "debt")["family"] is True
    assert desk.ledger.entries() == before


def test_a_plan_that_leaves_the_household_open_is_told_what_to_set(analyst: TestClient) -> None:
    answer = analyst.post(
        "/api/v1/questions",
        json={
            "purpose": "lending_review",
            "unit": "client",
            "statistics": [{"kind": "mean", "field": "debt"}],
            "epsilon": 0.5,
            "reason": "one client only",
        },
    )
    assert answer.status_code == 422
    assert answer.json()["type"].endswith(":household-unprotected")
    assert 'set unit = "household"' in answer.json()["detail"]


def test_the_desk_protects_the_household_where_nobody_says_whom(analyst: TestClient) -> None:
    question = {
        "purpose": "lending_review",
        "statistics": [{"kind": "mean", "field": "debt"}],
        "epsilon": 0.5,
        "reason": "the desk chooses",
    }
    plan = analyst.post("/api/v1/questions", json=question).json()["plan"]
    assert (plan["unit"], plan["clients_per_household"]) == ("household", 8)
    fewer = question | {"clients_per_household": 2, "epsilon": 0.4}
    plan = analyst.post("/api/v1/questions", json=fewer).json()["plan"]
    assert (plan["unit"], plan["clients_per_household"]) == ("household", 2)
