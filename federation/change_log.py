"""Consent changes into the log, in the very transaction that makes them: both are on disk, or none.

Every change becomes one entry that says only that the register moved to an epoch. Who changed what
is committed to under a salt of its own, which stays beside the register (`consent.salt_store`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from consent.commitments import SALT_BYTES, commit
from consent.log_entries import ConsentChanged, encode
from consent.log_store import Log
from consent.receipt_context import Change
from consent.receipts import change_facts
from consent.salt_store import Salt, Salts


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientChange:
    """One change as the register has just written it. About a person: hidden but for its epoch.

    principal: the client's pseudonym in receipts, 32 hexadecimal digits. level: in force after it.
    purpose: of an objection, or "". at: seconds since the Unix epoch.
    """

    epoch: int
    at: int
    client_id: str = field(repr=False)
    principal: str = field(repr=False)
    change: Change = field(repr=False)
    level: int = field(repr=False)
    purpose: str = field(default="", repr=False)


def log_changes(
    connection: sa.Connection,
    changes: Sequence[ClientChange],
    *,
    log: Log,
    salts: Salts,
    draw: Callable[[int], bytes],
) -> list[Salt]:
    """Append an entry for each change within the register's transaction, and keep its salt.

    Args:
        connection: in the transaction that writes the changes, after its first write.
        changes: in the order of their epochs (sensitive).
        log: of the same database.
        salts: of the same database.
        draw: returns so many random bytes, such as ``secrets.token_bytes``.

    Returns:
        Where each change stands in the log, and the salt that opens it (sensitive).

    Raises:
        EntryInvalid, CommitmentInvalid, InvalidClientId, LogBroken: roll the transaction back.
    """
    drawn = [draw(SALT_BYTES) for _ in changes]
    entries = [
        encode(
            ConsentChanged(
                at=each.at,
                epoch=each.epoch,
                change=commit(
                    salt,
                    change_facts(
                        each.principal, each.change, level=each.level, purpose=each.purpose
                    ),
                ),
            )
        )
        for each, salt in zip(changes, drawn, strict=True)
    ]
    first = log.append_within(connection, entries)
    kept = [
        Salt(index=index, epoch=each.epoch, client_id=each.client_id, salt=salt)
        for index, (each, salt) in enumerate(zip(changes, drawn, strict=True), start=first)
    ]
    salts.keep_within(connection, kept)
    return kept
