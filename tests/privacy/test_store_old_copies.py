"""A database that was put back to an older copy: noticed by the head in a file beside it."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from federation.database import open_database
from privacy.entries import Repaired
from privacy.errors import LedgerBroken, PrivacyError
from privacy.loss import Delta, Rho
from privacy.store import Ledger

AT = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
DELTA = Delta(1e-6)


def old_copy(tmp_path: Path, head: Path | None) -> tuple[Ledger, str]:
    """Spend, put the database back to before it, and open it again."""
    file, copy = tmp_path / "ledger.db", tmp_path / "backup.db"
    engine = sa.create_engine(f"sqlite:///{file}", poolclass=sa.NullPool)
    ledger = Ledger(engine, head=head)
    ledger.open_pool("firm", Rho(1.0), DELTA, AT)
    shutil.copy(file, copy)
    ledger.reserve("firm", Rho(0.75), "spent", AT)
    ledger.commit("spent", AT)
    shutil.copy(copy, file)
    try:
        reopened = Ledger(engine, head=head)
        return reopened, reopened.verify()
    except PrivacyError as error:
        return reopened, str(error)


def test_an_old_copy_of_the_whole_database_is_noticed_by_the_file_beside_it(
    tmp_path: Path,
) -> None:
    ledger, said = old_copy(tmp_path, tmp_path / "elsewhere" / "ledger.head")
    assert "entry 1 is missing, of 3 that were written" in said
    with pytest.raises(LedgerBroken):
        ledger.reserve("firm", Rho(0.5), "again", AT)
    event = ledger.repair("restored from a backup", "ann", AT)
    assert isinstance(event, Repaired)
    assert dict(event.charged) == {"firm": Rho(0.75)}
    assert Ledger(ledger._engine, head=tmp_path / "elsewhere" / "ledger.head").verify()


def test_without_that_file_an_old_copy_would_pass(tmp_path: Path) -> None:
    ledger, head = old_copy(tmp_path, None)
    assert len(head) == 64
    assert ledger.state("firm", AT).remaining == Rho(1.0)


def test_a_crash_before_the_file_is_written_is_no_break(tmp_path: Path) -> None:
    engine, head = open_database(f"sqlite:///{tmp_path / 'ledger.db'}"), tmp_path / "ledger.head"
    ledger = Ledger(engine, head=head)
    ledger.open_pool("firm", Rho(1.0), DELTA, AT)
    earlier = head.read_text()
    ledger.reserve("firm", Rho(0.5), "r", AT)
    head.write_text(earlier)
    Ledger(engine, head=head).verify()
    head.write_text(earlier.replace('"digest": "', '"digest": "f'))
    with pytest.raises(LedgerBroken, match="elsewhere"):
        Ledger(engine, head=head).verify()
    engine.dispose()
