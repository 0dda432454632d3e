"""Accounts in the transparency log: what happened to which, when, and by whom, without a name.

An entry is written in the very transaction that changes the account, so both stand or neither. A
name is committed to under a salt that only the consent service can make again; so with its keys,
and with nothing less, the table of accounts can be held against the log.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection

from api.people.roles import Caller, Role
from consent.log_entries import AccountChanged, encode, read_entry
from federation.coordinator.evidence_log import Evidence, named

_ACCOUNTS = "accounts"
_MARK = b'"kind":"account"'


class What(StrEnum):
    """What happened: ``link`` is leave to set a new password, ``password`` its use.

    ``token``: a machine of this name was given one; it needs no account.
    """

    MADE = "made"
    ROLE = "role"
    LINK = "link"
    PASSWORD = "password"  # noqa: S105 - a kind of change
    CLOSED = "closed"
    TOKEN = "token"  # noqa: S105 - a kind of change


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChange:
    """A change of an account, at seconds since the Unix epoch. role: that it has afterwards."""

    what: What
    name: str
    role: Role
    by: str
    at: int


Within = Callable[[Connection, AccountChange], None]
"""Writes what belongs to a change into the transaction that makes it."""


def nothing_else(_db: Connection, _change: AccountChange) -> None:
    """Write nothing beside the account."""


def logging_accounts(evidence: Evidence) -> Within:
    """Return what the stores of accounts call, so that every change is logged with it."""

    def within(db: Connection, change: AccountChange) -> None:
        evidence.log.append_within(db, [_entry(evidence, change)])

    return within


def log_token(evidence: Evidence, caller: Caller, *, by: str, at: int) -> None:
    """Log that a machine is about to be given a token, in its role."""
    change = AccountChange(what=What.TOKEN, name=caller.name, role=caller.role, by=by, at=at)
    evidence.log.append([_entry(evidence, change)])


def logged(evidence: Evidence, names: Iterable[str]) -> dict[str, tuple[Role, bool]]:
    """Return the role of each account, and whether it is closed, as the log tells it.

    One that the log does not know is not in the answer: nobody made it by the doors.
    """
    told: dict[str, tuple[Role, bool]] = {}
    for entry in evidence.log.entries(0, evidence.log.head().size):
        if _MARK not in entry:
            continue
        change = read_entry(entry)
        if isinstance(change, AccountChanged) and change.change != What.TOKEN.value:
            told[change.account] = Role(change.role), change.change == What.CLOSED.value
    references = {name: _reference(evidence, name) for name in names}
    return {name: told[place] for name, place in references.items() if place in told}


def _entry(evidence: Evidence, change: AccountChange) -> bytes:
    return encode(
        AccountChanged(
            at=change.at,
            change=change.what.value,
            role=change.role.value,
            account=_reference(evidence, change.name),
            by=_reference(evidence, change.by),
        )
    )


def _reference(evidence: Evidence, name: str) -> str:
    return named(evidence, _ACCOUNTS, "account", name)
