"""Evidence in one file: what is there checks out, by two accountants, and names no client."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from federation.coordinator.desk import Desk, plan_of, submit
from federation.coordinator.documents import Documents
from federation.coordinator.export import export, read_evidence
from federation.coordinator.findings import Wrong
from federation.coordinator.verify import Unchecked, verify
from federation.coordinator.verify_pools import PoolFigures, _disagreement

AT = datetime(2026, 11, 22, tzinfo=UTC)
POLICY = """
delta = 1e-6
automatic_epsilon = 2.0
[firm]
epsilon = 9.0
[purposes.review]
epsilon = 8.0
"""


def test_honest_evidence_checks_out(evidence: bytes, desk: Desk) -> None:
    report = verify(evidence, head=desk.ledger.verify(), roster=desk.evidence.roster)
    assert report.findings == ()
    assert report.unchecked == ()
    assert (report.runs, report.releases) == (7, 3)
    assert report.entries == len(desk.ledger.entries())


def test_both_accountants_say_the_same_of_every_pool(evidence: bytes, desk: Desk) -> None:
    pools = {pool.pool: pool for pool in verify(evidence).pools}
    assert set(pools) == {"firm", "firm/review"}
    for pool in pools.values():
        assert pool.used_rho == pytest.approx(0.05 + 0.03 + 0.3 + 0.02)
        assert pool.epsilon_renyi == pytest.approx(pool.epsilon, rel=1e-4)
        assert 0.8 * pool.epsilon < pool.epsilon_exact <= pool.epsilon
        assert pool.budget_rho == desk.ledger.state(pool.pool).budget.value


def test_without_the_roster_the_log_s_signatures_are_said_to_be_unchecked(evidence: bytes) -> None:
    assert verify(evidence).unchecked == (Unchecked.LOG_KEYS,)


def test_an_export_of_a_desk_that_never_did_anything_checks_out(
    make_desk: Callable[..., Desk],
) -> None:
    empty = b"".join(export(make_desk(POLICY), now=AT))
    assert verify(empty).ok


def test_evidence_holds_no_client_and_no_request_key(evidence: bytes) -> None:
    assert b"CL00" not in evidence
    assert not any("request" in run for run in read_evidence(evidence).runs)


HONEST = PoolFigures(
    pool="firm",
    budget_rho=1.0,
    used_rho=0.5,
    delta=1e-6,
    budget_epsilon=8.0,
    epsilon=5.2215,
    epsilon_renyi=5.2216,
    epsilon_exact=4.8866,
)


def test_an_accountant_that_says_too_little_is_named() -> None:
    assert _disagreement(HONEST) is None
    assert _disagreement(replace(HONEST, epsilon=5.0)) is not None
    assert _disagreement(replace(HONEST, epsilon_exact=5.3)) is not None


JUNK = [b"", b"\n", b"{}", b"[]\n" * 3, b"\xff\xfe", b'{"format": "other"}', b'{"run": 1}\n']


@pytest.mark.parametrize("data", JUNK)
def test_what_is_no_export_is_malformed(data: bytes) -> None:
    assert Wrong.MALFORMED in {finding.wrong for finding in verify(data).findings}


def test_what_the_desk_works_under_is_kept_once_until_it_changes(
    make_desk: Callable[..., Desk],
) -> None:
    make_desk(POLICY)
    make_desk(POLICY)
    make_desk(POLICY.replace("2.0", "1.0"))
    desk = make_desk(POLICY)
    kinds = [document.kind for document in Documents(desk.engine).all()]
    assert kinds == ["policy", "catalogue", "policy", "policy"]
    file = read_evidence(b"".join(export(desk, now=AT)))
    assert [p["policy"]["automatic_epsilon"] for p in file.policies] == [2.0, 1.0, 2.0]


def test_a_repair_is_told_and_what_it_lost_is_not_called_tampering(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(POLICY)
    plan = {"kind": "question", "purpose": "review", "statistics": [{"kind": "count"}]}
    for number in range(3):
        asked = plan_of(plan | {"rho": 0.01 + number / 100, "reason": "a test"}, desk)
        submit(asked, desk, asker="ann", now=AT)
    with desk.engine.begin() as database:
        database.execute(text('DELETE FROM privacy_ledger WHERE "index" = 4'))
    desk.ledger.repair("a bad disk", "olga", AT)
    report = verify(b"".join(export(make_desk(POLICY), now=AT + timedelta(hours=1))))
    assert report.findings == ()
    assert Unchecked.REPAIRED in report.unchecked
    assert [line.endswith("olga: a bad disk") for line in report.repairs] == [True]
    assert all(pool.used_rho >= 0.06 for pool in report.pools)
