"""Opening a node: whatever does not belong together is refused by name, and nothing is shown."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from consent.errors import UnknownDepartment
from federation.errors import FederationError, SettingsInvalid, WrongSignature
from federation.node.announcements import announcement_json, read_announcements
from federation.node.node import REMEMBERED, open_node, remember
from federation.node.settings import NodeSettings, load_settings
from federation.secure_aggregation.keys import Announcement
from privacy.entries import Changed
from privacy.errors import BudgetBelowSpent, LedgerBroken
from privacy.loss import Rho

NOW = datetime.fromtimestamp(1_800_000_000, UTC)


def settings_of(firm: Any, department: str = "risk") -> NodeSettings:
    return load_settings(firm.folder / department / "node.toml")


def test_opening_twice_keeps_the_budget_and_makes_a_new_session(firm: Any) -> None:
    first, second = firm.nodes["risk"], open_node(settings_of(firm), now=NOW)
    assert first.session.public != second.session.public
    entries = second.ledger.entries()
    assert entries == first.ledger.entries()
    assert len(entries) == 2
    assert second.memory.snapshot.epoch == 0


def test_a_changed_budget_is_taken_as_an_entry_that_says_why(firm: Any, policy: str) -> None:
    settings = settings_of(firm)
    reason = "the board's decision of 3 May"
    changed = policy.replace("review = 100.0", "review = 99.0")
    settings.policy.write_text(f'reason = "{reason}"\n{changed}')
    for _ in range(2):
        entries = open_node(settings, now=NOW).ledger.entries()
    assert len(entries) == 3
    event = entries[-1].event
    assert isinstance(event, Changed)
    assert (event.pool, event.who, event.reason) == ("department/review", "policy file", reason)


def test_a_budget_below_what_is_spent_is_refused_with_both_numbers(firm: Any, policy: str) -> None:
    firm.nodes["risk"].ledger.reserve("department/review", Rho(40.0), "r", NOW)
    settings = settings_of(firm)
    settings.policy.write_text(policy.replace("review = 100.0", "review = 2.0"))
    with pytest.raises(BudgetBelowSpent, match=r"40\.0"):
        open_node(settings, now=NOW)
    settings.policy.write_text(policy)
    assert open_node(settings, now=NOW).ledger.state("department").reserved == Rho(40.0)


def test_a_ledger_put_back_to_an_older_copy_is_not_served(firm: Any) -> None:
    settings, database = settings_of(firm), Path(firm.folder / "risk" / "state" / "node.db")
    older = database.with_name("older.db")
    with sqlite3.connect(database) as source, sqlite3.connect(older) as target:
        source.backup(target)
    open_node(settings, now=NOW).ledger.reserve("department/review", Rho(1.0), "r", NOW)
    with sqlite3.connect(older) as source, sqlite3.connect(database) as target:
        source.backup(target)
    with pytest.raises(LedgerBroken, match="is missing"):
        open_node(settings, now=NOW)


def test_a_node_shows_no_key(firm: Any) -> None:
    node = firm.nodes["risk"]
    text = repr(node) + repr(node.memory)
    assert text.startswith("Node(department='risk')")
    assert node.pseudonym_key.hex() not in text
    assert repr(node.alignment_key) not in text


def test_all_departments_hold_the_same_alignment_key_and_other_pseudonym_keys(firm: Any) -> None:
    nodes = firm.nodes.values()
    assert len({node.alignment_key for node in nodes}) == 1
    assert len({node.pseudonym_key for node in nodes}) == 3


@pytest.mark.parametrize("name", ["identity.key", "sealing.key", "root.pub"])
@pytest.mark.parametrize("fault", ["gone", "no key", "another kind"])
def test_a_key_that_is_not_there_is_named(firm: Any, name: str, fault: str) -> None:
    settings = settings_of(firm)
    path: Path = settings.keys / name
    path.chmod(0o600)
    if fault == "gone":
        path.unlink()
    elif fault == "no key":
        path.write_bytes(b"-----BEGIN NOTHING-----")
    else:
        other = {"identity.key": "sealing.key", "sealing.key": "identity.key"}
        source = settings.keys / other.get(name, "root.pub")
        path.write_bytes(_p256() if name == "root.pub" else source.read_bytes())
    with pytest.raises(SettingsInvalid, match=name):
        open_node(settings, now=NOW)


def _p256() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_another_departments_keys_are_refused(firm: Any) -> None:
    settings = settings_of(firm)
    other = settings_of(firm, "research")
    for name in ("identity.key", "sealing.key"):
        kept = (settings.keys / name).read_bytes()
        (settings.keys / name).write_bytes((other.keys / name).read_bytes())
        with pytest.raises(FederationError):
            open_node(settings, now=NOW)
        (settings.keys / name).write_bytes(kept)


def test_a_roster_of_another_root_is_refused(make_firm: Any) -> None:
    firm, stranger = make_firm(3), make_firm(3)
    settings = settings_of(firm)
    theirs = settings_of(stranger).keys / "roster.signed"
    (settings.keys / "roster.signed").write_bytes(theirs.read_bytes())
    with pytest.raises(WrongSignature):
        open_node(settings, now=NOW)


def test_a_department_outside_the_catalogue_is_refused(firm: Any) -> None:
    settings = settings_of(firm).model_copy(update={"department": "sales"})
    with pytest.raises(UnknownDepartment, match="sales"):
        open_node(settings, now=NOW)


def test_memory_forgets_the_oldest_attempt_first() -> None:
    memory: dict[int, str] = {}
    for key in range(REMEMBERED + 3):
        remember(memory, key, "x")
    assert list(memory) == list(range(3, REMEMBERED + 3))


def test_an_announcement_survives_its_json() -> None:
    announcement = Announcement(
        department="risk", session=bytes(16), public=b"\xff" * 32, signature=b"\x01" * 64
    )
    written = announcement_json(announcement)
    assert read_announcements(b"[" + written + b"]") == (announcement,)


@pytest.mark.parametrize("data", [b"", b"{}", b"[{}]", b'[{"department":1}]', b"\xff"])
def test_other_json_is_no_announcement(data: bytes) -> None:
    with pytest.raises(FederationError, match="cannot be read"):
        read_announcements(data)
