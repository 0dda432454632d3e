from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import socket

import pytest
from sqlalchemy import delete

from federation.coordinator.witness_book import Heard, WitnessBook
from federation.database import open_database
from federation.deployment.checkup import (
    Check,
    Verdict,
    check_certificate,
    check_coordinator,
    check_node,
    check_port,
    check_private,
    check_skew,
    check_writable,
)
from federation.deployment.enrolment import enrol
from federation.node.journal import Journal
from federation.node.settings import load_settings
from federation.run_permit import RunPermit
from privacy.ledger_tables import ENTRIES
from privacy.loss import Delta, Rho
from privacy.store import Ledger

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def enrolled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    keys = tmp_path_factory.mktemp("firm") / "keys"
    enrol("tiny firm", ("lending", "wealth"), keys, now=NOW)
    return keys


@pytest.fixture
def coordinator(tmp_path: Path, enrolled: Path) -> Path:
    path = tmp_path / "coordinator.toml"
    path.write_text(
        f'database = "sqlite:///{tmp_path}/state/coordinator.db"\n'
        'catalogue = "catalogue.toml"\npolicy = "policy.toml"\n'
        f'keys = "{enrolled}/coordinator"\nconsent_keys = "{enrolled}/consent"\n'
        f'models = "{tmp_path}/models"\n'
    )
    engine = open_database(f"sqlite:///{tmp_path}/state/coordinator.db")
    ledger = Ledger(engine, head=tmp_path / "models" / "ledger.head")
    ledger.open_pool("firm", Rho(1.0), Delta(1e-6), NOW)
    heard = {"lending": timedelta(minutes=1), "wealth": timedelta(days=2)}
    for department, ago in heard.items():
        at = int((NOW - ago).timestamp())
        WitnessBook(engine).keep(Heard(department=department, size=1, refusal="", at=at))
    engine.dispose()
    return path


def by_name(checks: Iterator[Check]) -> dict[str, Check]:
    return {check.what: check for check in checks}


def test_a_coordinator_is_looked_at_all_over(coordinator: Path) -> None:
    found = by_name(check_coordinator(coordinator, NOW))
    assert {what for what, check in found.items() if check.verdict is not Verdict.OK} == {
        "ServerApp",
        "department wealth",
    }
    assert found["ServerApp"].verdict is Verdict.BAD
    assert found["department wealth"].verdict is Verdict.LOOK
    assert {"clock", "ledger", "certificate superlink.crt", "keys in coordinator"} <= set(found)


def test_what_is_not_well_says_what_to_do(coordinator: Path) -> None:
    for check in check_coordinator(coordinator, NOW + timedelta(days=820)):
        assert bool(check.do) is (check.verdict is not Verdict.OK), check


def test_a_clock_behind_the_ledger_is_found(coordinator: Path) -> None:
    early = by_name(check_coordinator(coordinator, NOW - timedelta(hours=1)))
    assert early["clock"].verdict is Verdict.BAD
    assert "NTP" in early["clock"].do


def test_a_broken_ledger_is_found(coordinator: Path, tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/state/coordinator.db")
    with engine.begin() as db:
        db.execute(delete(ENTRIES))
    engine.dispose()
    assert by_name(check_coordinator(coordinator, NOW))["ledger"].verdict is Verdict.BAD


def test_settings_that_cannot_be_read_end_the_look(tmp_path: Path) -> None:
    for look in (check_coordinator, check_node):
        (check,) = look(tmp_path / "none.toml", NOW)
        assert check.verdict is Verdict.BAD


@pytest.mark.parametrize(
    ("days", "verdict"),
    [(-1, Verdict.BAD), (1, Verdict.OK), (800, Verdict.LOOK), (826, Verdict.BAD)],
)
def test_a_certificate_is_renewed_in_time(enrolled: Path, days: int, verdict: Verdict) -> None:
    path = enrolled / "coordinator" / "superlink.crt"
    assert check_certificate(path, NOW + timedelta(days=days)).verdict is verdict


def test_a_key_that_others_may_read_is_found(tmp_path: Path) -> None:
    (tmp_path / "permit.key").write_text("x")
    (tmp_path / "permit.key").chmod(0o600)
    assert check_private(tmp_path).verdict is Verdict.OK
    (tmp_path / "permit.key").chmod(0o640)
    assert check_private(tmp_path).verdict is Verdict.BAD


def test_a_folder_that_cannot_be_written_is_found(tmp_path: Path) -> None:
    assert check_writable("state", tmp_path / "not" / "yet").verdict is Verdict.OK
    (tmp_path / "file").touch()
    assert check_writable("state", tmp_path / "file").verdict is Verdict.BAD


def test_an_open_port_and_a_closed_one_are_told_apart() -> None:
    with socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        assert check_port(address).verdict is Verdict.OK
    assert check_port(address).verdict is Verdict.BAD
    assert check_port("nonsense").verdict is Verdict.BAD


def test_two_clocks_that_disagree_are_found() -> None:
    assert check_skew(NOW, NOW + timedelta(seconds=59)).verdict is Verdict.OK
    assert check_skew(NOW, NOW - timedelta(seconds=61)).verdict is Verdict.BAD


@pytest.fixture
def node(tmp_path: Path, enrolled: Path) -> Path:
    (tmp_path / "data").mkdir()
    for name in ("catalogue.toml", "view.sql", "policy.toml"):
        (tmp_path / name).touch()
    path = tmp_path / "node.toml"
    path.write_text(
        'department = "wealth"\ncatalogue = "catalogue.toml"\ndata = "data"\nview = "view.sql"\n'
        f'policy = "policy.toml"\nkeys = "{enrolled}/departments/wealth"\nstate = "state"\n'
    )
    return path


def test_a_department_is_looked_at(node: Path) -> None:
    found = by_name(check_node(node, NOW))
    assert found["epoch"].verdict is Verdict.LOOK
    del found["epoch"]
    assert {check.verdict for check in found.values()} == {Verdict.OK}
    assert not node.with_name("state").exists()


@pytest.mark.parametrize(("hours", "verdict"), [(1, Verdict.OK), (25, Verdict.LOOK)])
def test_an_epoch_that_nobody_has_asked_on_for_a_day_is_stale(
    node: Path, hours: int, verdict: Verdict
) -> None:
    engine, at = open_database(load_settings(node).database), NOW - timedelta(hours=hours)
    permit = RunPermit(
        plan="ab" * 32,
        leg="sum",
        attempt=0,
        round=0,
        cohort=["lending", "wealth"],
        reservation="r",
        epoch=7,
        issued_at=1,
        expires_at=2,
        nonce="00" * 16,
    )
    Journal(engine).admit(permit)
    Journal(engine).record(permit, at=int(at.timestamp()), size=8, epoch=7)
    engine.dispose()
    (found,) = (check for check in check_node(node, NOW) if check.what == "epoch")
    assert found.verdict is verdict
    assert found.says.startswith("7, ")
    assert bool(found.do) is (verdict is not Verdict.OK)
