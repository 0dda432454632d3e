"""Admission fails closed: every refusal leaves ledger and journal as they were."""

import sqlite3
from itertools import combinations
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federation.messages import Ask
from federation.node.admission import admit
from federation.node.answer import answer
from federation.plans import canonical
from federation.question_journey import ask_question
from federation.rounds import drive
from privacy.errors import BudgetExceeded

NOW = 1_800_000_000
STRANGER = Ed25519PrivateKey.generate()


def nonces(firm: Any) -> int:
    with sqlite3.connect(firm.folder / "risk" / "state" / "node.db") as db:
        return int(db.execute("SELECT count(*) FROM nonces").fetchone()[0])


def refused(firm: Any, ask: Ask, code: str, now: int = NOW) -> None:
    before, taken = firm.traces("risk"), nonces(firm)
    assert answer(firm.nodes["risk"], ask, now).code == code
    assert firm.traces("risk") == before
    assert nonces(firm) == taken


def test_an_honest_leg_is_admitted_and_reserves_the_whole_plan(firm: Any) -> None:
    plan = firm.plan()
    admitted = admit(firm.nodes["risk"], firm.ask(plan, "sum", "risk"), NOW)
    assert admitted.plan == plan
    assert admitted.permit.fields == ("age",)
    assert admitted.request == f"{admitted.run.plan}#0"
    pool = firm.nodes["risk"].ledger.state("department/review")
    assert (pool.reserved.value, pool.spent.value) == (plan.rho, 0.0)
    assert firm.nodes["risk"].ledger.state("department").reserved.value == plan.rho


def test_a_tokens_leg_reserves_nothing_but_must_be_affordable(make_firm: Any, policy: str) -> None:
    firm = make_firm(policy=policy.replace("review = 100.0", "review = 1.0"))
    admit(firm.nodes["risk"], firm.ask(firm.plan(rho=0.001), "tokens", "risk"), NOW)
    assert firm.nodes["risk"].ledger.state("department").reserved.value == 0.0
    with pytest.raises(BudgetExceeded):
        admit(firm.nodes["risk"], firm.ask(firm.plan(rho=8.0), "tokens", "risk"), NOW)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"key": STRANGER}, "permit_invalid"),
        ({"leg": "sum"}, "permit_invalid"),
        ({"plan": "0" * 64}, "permit_invalid"),
        ({"round": 1}, "permit_invalid"),
        ({"cohort": ["advisory", "risk"]}, "permit_invalid"),
        ({"issued_at": NOW + 3600, "expires_at": NOW + 7200}, "permit_invalid"),
        ({"expires_at": NOW}, "permit_expired"),
        ({"epoch": 9}, "epoch_stale"),
    ],
)
def test_a_permit_for_anything_else_is_refused(
    firm: Any, changes: dict[str, Any], code: str
) -> None:
    plan = firm.plan()
    permit = firm.permit(plan, changes.pop("leg", "tokens"), **changes)
    refused(firm, firm.ask(plan, "tokens", "risk", permit=permit), code)


def test_a_plan_other_than_the_permits_is_refused(firm: Any) -> None:
    plan, other = firm.plan(), firm.plan(rho=7.0)
    refused(firm, firm.ask(plan, "tokens", "risk", plan=canonical(other)), "permit_invalid")
    loose = canonical(plan).replace(b",", b", ", 1)
    refused(firm, firm.ask(plan, "tokens", "risk", plan=loose), "permit_invalid")
    refused(firm, firm.ask(plan, "tokens", "risk", plan=b"{}"), "plan_invalid")


@pytest.mark.parametrize(
    ("changes", "leg"),
    [
        ({"owned": False}, "tokens"),
        ({}, "round"),
        ({"kind": "training"}, "sum"),
        ({"kind": "training"}, "tokens"),
    ],
)
def test_a_leg_the_plan_does_not_have_is_refused(
    firm: Any, changes: dict[str, Any], leg: str
) -> None:
    refused(firm, firm.ask(firm.plan(**changes), leg, "risk"), "permit_invalid")


def test_a_round_beyond_the_plans_is_refused(firm: Any) -> None:
    plan = firm.plan(kind="training", rounds=2)
    permit = firm.permit(plan, "round", round=2)
    refused(firm, firm.ask(plan, "round", "risk", permit=permit), "permit_invalid")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"catalogue": "0" * 64}, "plan_invalid"),
        ({"unit": "household", "clients_per_household": 9}, "plan_invalid"),
        ({"by": ("age", "age")}, "plan_invalid"),
        ({"by": ("shoe_size",), "unit": "client"}, "unknown_field"),
        ({"statistics": ({"kind": "mean", "field": "education"},)}, "plan_invalid"),
        ({"kind": "training", "target": "education", "objective": "binary"}, "plan_invalid"),
        ({"by": ("income",), "unit": "client"}, "household_unprotected"),
        ({"tolerance": 0}, "policy_refusal"),
        ({"rho": 60.0}, "policy_refusal"),
        ({"purpose": "marketing"}, "policy_refusal"),
    ],
)
def test_a_plan_this_department_cannot_carry_out_is_refused(
    firm: Any, changes: dict[str, Any], code: str
) -> None:
    plan = firm.plan(**changes)
    leg = "round" if plan.kind == "training" else "tokens"
    refused(firm, firm.ask(plan, leg, "risk"), code)


def test_a_field_closed_to_the_purpose_is_refused(make_firm: Any, policy: str) -> None:
    firm = make_firm(policy=policy + "marketing = 100.0\n")
    plan = firm.plan(purpose="marketing", by=("defaulted",))
    refused(firm, firm.ask(plan, "tokens", "risk"), "purpose_not_open")


def test_a_cohort_without_this_department_is_refused(firm: Any) -> None:
    plan = firm.plan(cohort=("advisory", "research"))
    announcements = firm.announcements(plan.cohort)
    ask = firm.ask(plan, "tokens", "risk", announcements=announcements)
    refused(firm, ask, "permit_invalid")


def test_a_department_outside_the_roster_is_refused(firm: Any) -> None:
    plan = firm.plan(cohort=("advisory", "risk", "sales"))
    refused(firm, firm.ask(plan, "tokens", "risk"), "not_in_roster")


def test_announcements_must_be_the_cohorts_own(firm: Any) -> None:
    plan = firm.plan()
    honest = firm.announcements()
    forged = honest.replace(b'"department":"advisory"', b'"department":"research"', 1)
    for announcements, code in (
        (b"", "protocol_error"),
        (b"[1]", "protocol_error"),
        (firm.announcements(("advisory", "risk")), "protocol_error"),
        (forged, "wrong_signature"),
    ):
        ask = firm.ask(plan, "tokens", "risk", announcements=announcements)
        refused(firm, ask, code)


def test_a_restarted_worker_refuses_its_old_session(firm: Any) -> None:
    plan, old = firm.plan(), firm.announcements()
    firm.open("risk")
    refused(firm, firm.ask(plan, "tokens", "risk", announcements=old), "session_unknown")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"key": STRANGER}, "epoch_invalid"),
        ({"department": "research"}, "epoch_invalid"),
        ({"recipient": "research"}, "protocol_error"),
        ({"epoch": 0}, "epoch_stale"),
        ({"base": 1}, "epoch_stale"),
        ({"expires_at": NOW - 1, "issued_at": NOW - 2}, "epoch_stale"),
    ],
)
def test_a_stale_or_foreign_epoch_is_refused(firm: Any, changes: dict[str, Any], code: str) -> None:
    plan = firm.plan()
    consent = firm.delta("risk", **changes)
    refused(firm, firm.ask(plan, "tokens", "risk", consent=consent), code)


def test_no_epoch_at_all_is_refused_and_a_held_one_lasts_until_it_expires(firm: Any) -> None:
    plan = firm.plan(owned=False)
    refused(firm, firm.ask(plan, "sum", "risk", consent=b""), "epoch_stale")
    assert answer(firm.nodes["risk"], firm.ask(plan, "sum", "risk"), NOW).code == "ok"
    for later, code in ((600, "ok"), (601, "epoch_stale")):
        permit = firm.permit(plan, "sum", attempt=later, expires_at=NOW + 3600)
        ask = firm.ask(plan, "sum", "risk", consent=b"", permit=permit)
        assert answer(firm.nodes["risk"], ask, NOW + later).code == code


def test_an_older_epoch_does_not_bring_a_withdrawn_client_back(firm: Any) -> None:
    old = firm.delta("risk")
    firm.epoch, firm.levels = 2, dict.fromkeys(firm.levels, 0)
    plan = firm.plan(owned=False)
    assert answer(firm.nodes["risk"], firm.ask(plan, "sum", "risk"), NOW).code == "ok"
    permit = firm.permit(plan, "sum", attempt=1)
    admitted = admit(
        firm.nodes["risk"], firm.ask(plan, "sum", "risk", consent=old, permit=permit), NOW
    )
    assert admitted.permit.epoch == 2


def test_a_permit_is_used_once_even_after_a_restart(firm: Any) -> None:
    plan = firm.plan(owned=False)
    ask = firm.ask(plan, "sum", "risk")
    assert answer(firm.nodes["risk"], ask, NOW).code == "ok"
    refused(firm, ask, "permit_replayed")
    firm.open("risk")
    again = ask.model_copy(update={"announcements": firm.announcements()})
    refused(firm, again, "permit_replayed")


def test_a_leg_is_answered_once_under_any_permit_even_after_a_restart(firm: Any) -> None:
    plan = firm.plan(owned=False)
    assert answer(firm.nodes["risk"], firm.ask(plan, "sum", "risk"), NOW).code == "ok"
    refused(firm, firm.ask(plan, "sum", "risk"), "already_answered")
    firm.open("risk")
    refused(firm, firm.ask(plan, "sum", "risk"), "already_answered")


def test_the_departments_own_ledger_has_the_last_word(make_firm: Any, policy: str) -> None:
    firm = make_firm(policy=policy.replace("review = 100.0", "review = 6.0"))
    plan = firm.plan(rho=0.4)
    drive(ask_question(firm.brief(plan)), firm.exchange)
    before = firm.traces("risk")
    permit = firm.permit(plan, "tokens", attempt=1)
    for _ in range(2):
        ask = firm.ask(plan, "tokens", "risk", permit=permit)
        assert answer(firm.nodes["risk"], ask, NOW).code in ("budget_exceeded", "permit_replayed")
    assert firm.traces("risk") == before
    firm.open("risk")
    ask = firm.ask(plan, "tokens", "risk", permit=firm.permit(plan, "tokens", attempt=2))
    assert answer(firm.nodes["risk"], ask, NOW).code == "budget_exceeded"


FAULTS = ("permit_expired", "wrong_signature", "policy_refusal", "epoch_invalid", "permit_replayed")


@pytest.mark.parametrize("pair", list(combinations(FAULTS, 2)), ids=" before ".join)
def test_of_two_faults_the_earlier_check_speaks(firm: Any, pair: tuple[str, str]) -> None:
    used = "ab" * 16
    first = firm.plan(owned=False, rho=1.0)
    spend = firm.permit(first, "sum", nonce=used)
    assert (
        answer(firm.nodes["risk"], firm.ask(first, "sum", "risk", permit=spend), NOW).code == "ok"
    )
    plan = firm.plan(tolerance=0) if "policy_refusal" in pair else firm.plan()
    permit: dict[str, Any] = {}
    ask: dict[str, Any] = {}
    if "permit_expired" in pair:
        permit["expires_at"] = NOW
    if "permit_replayed" in pair:
        permit["nonce"] = used
    if "wrong_signature" in pair:
        forged = firm.announcements().replace(b'"advisory"', b'"research"', 1)
        ask["announcements"] = forged
    if "epoch_invalid" in pair:
        ask["consent"] = firm.delta("risk", key=STRANGER)
    signed = firm.permit(plan, "tokens", **permit)
    refused(firm, firm.ask(plan, "tokens", "risk", permit=signed, **ask), pair[0])


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_alone_is_a_fault(firm: Any, fault: str) -> None:
    test_of_two_faults_the_earlier_check_speaks(firm, (fault, fault))


def test_refusals_name_no_client(firm: Any) -> None:
    plan = firm.plan()
    for department in firm.nodes:
        for ask in (
            firm.ask(plan, "tokens", department, permit=""),
            firm.ask(plan, "tokens", department, consent=b"x" * 99),
            firm.ask(plan, "sum", department, payload=b"x"),
        ):
            said = answer(firm.nodes[department], ask, NOW)
            assert said.code != "ok"
            assert "CL0" not in said.text


def test_an_admitted_leg_shows_no_client(firm: Any) -> None:
    admitted = admit(firm.nodes["risk"], firm.ask(firm.plan(), "tokens", "risk"), NOW)
    assert "levels" not in repr(admitted)
    assert "pseudonyms" not in repr(admitted)
