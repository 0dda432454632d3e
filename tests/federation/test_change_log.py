from pathlib import Path
from secrets import token_bytes

import pytest

from consent.commitments import check_opening
from consent.errors import InvalidClientId
from consent.log_entries import ConsentChanged, read_entry
from consent.log_errors import CommitmentInvalid
from consent.log_store import Log
from consent.receipts import change_facts
from consent.salt_store import Salt, Salts
from federation.change_log import ClientChange, log_changes
from federation.database import open_database


class Office:
    """A consent service's database with a register of one table."""

    def __init__(self, folder: Path) -> None:
        self.engine = open_database(f"sqlite:///{folder / 'consent.db'}")
        self.log, self.salts = Log(self.engine), Salts(self.engine)
        with self.engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE register (epoch INTEGER)")

    def record(self, changes: list[ClientChange]) -> list[Salt]:
        with self.engine.begin() as connection:
            for each in changes:
                connection.exec_driver_sql("INSERT INTO register VALUES (?)", (each.epoch,))
            return log_changes(
                connection, changes, log=self.log, salts=self.salts, draw=token_bytes
            )

    def epochs(self) -> list[int]:
        with self.engine.connect() as connection:
            return list(connection.exec_driver_sql("SELECT epoch FROM register").scalars())


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def change(epoch: int, client: str = "TW003696") -> ClientChange:
    return ClientChange(
        epoch=epoch, at=7, client_id=client, principal="5e" * 16, change="raised", level=3
    )


def test_a_change_and_its_entry_are_written_together(office: Office) -> None:
    first = office.record([change(1)])
    rest = office.record([change(2, "TW1"), change(3)])
    assert [each.index for each in first + rest] == [0, 1, 2]
    entries = [read_entry(entry) for entry in office.log.entries(0, 3)]
    assert [entry.epoch for entry in entries if isinstance(entry, ConsentChanged)] == [1, 2, 3]
    assert office.epochs() == [1, 2, 3]
    assert office.log.verify().size == 3


def test_the_salt_of_a_change_opens_its_entry_only(office: Office) -> None:
    office.record([change(1), change(2, "TW1"), change(3)])
    facts = change_facts("5e" * 16, "raised", level=3)
    found = office.salts.of("TW003696")
    assert [each.epoch for each in found] == [1, 3]
    entries = [read_entry(entry) for entry in office.log.entries(0, 3)]
    commitments = [entry.change for entry in entries if isinstance(entry, ConsentChanged)]
    check_opening(commitments[found[1].index], found[1].salt, facts)
    with pytest.raises(CommitmentInvalid):
        check_opening(commitments[found[0].index], found[1].salt, facts)


def test_equal_changes_have_nothing_in_common_in_the_log(office: Office) -> None:
    office.record([change(1)] * 5)
    assert len(set(office.log.entries(0, 5))) == 5


def test_what_cannot_be_logged_does_not_happen(office: Office) -> None:
    with pytest.raises(InvalidClientId):
        office.record([change(1), change(2, " malformed")])
    assert office.epochs() == []
    assert office.log.head().size == 0
    assert office.record([change(1)])[0].index == 0


def test_no_change_is_no_entry(office: Office) -> None:
    assert office.record([]) == []
    assert office.log.head().size == 0


def test_a_change_hides_its_person() -> None:
    said = repr(change(4))
    assert "TW003696" not in said
    assert "5e5e" not in said
    assert "raised" not in said
