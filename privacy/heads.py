"""The head of a ledger, kept a second time, so that a tail that was cut off is missed. Pure.

A chain that is cut short is whole in itself. So its length, its last digest and what weighs on each
pool are kept beside it in the same transaction, and in a file if there is a place for one: a
database that is restored from an old copy comes back with its old head, the file does not. Neither
is signed: who can write the database and the file can shorten all three together, which only a
witness outside shows.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from privacy.errors import LedgerBroken, PrivacyError
from privacy.ledger_state import LedgerState
from privacy.loss import Rho
from privacy.pools import rounded


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What is kept of a ledger: its length, its last digest, and the rho charged to each pool.

    What is promised counts as charged; each amount is rounded up. Public.
    """

    length: int
    digest: str
    charged: Mapping[str, Rho]


def head_of(state: LedgerState) -> Head:
    """Return the head that belongs to a state."""
    charged = {name: rounded(amount) for name, amount in state.charged.items()}
    return Head(length=state.length, digest=state.head, charged=charged)


def head_text(head: Head) -> str:
    """Return a head as JSON."""
    charged = {name: rho.value for name, rho in head.charged.items()}
    return json.dumps({"length": head.length, "digest": head.digest, "charged": charged})


def read_head(text: str | None) -> Head | None:
    """Return the head that was kept, or None if there is none that can be read."""
    try:
        record = json.loads(text or "")
        return Head(
            length=int(record["length"]),
            digest=str(record["digest"]),
            charged={name: Rho(rho) for name, rho in record["charged"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, PrivacyError):
        return None


def check_head(state: LedgerState, head: Head | None) -> None:
    """Refuse a chain that is not the one whose head was kept beside it.

    Raises:
        LedgerBroken: names the first entry that is missing, or is there and should not be.
    """
    if head is None:
        if state.length:
            raise LedgerBroken(state.length - 1, "has no readable head beside it")
    elif state.length < head.length:
        raise LedgerBroken(state.length, f"is missing, of {head.length} that were written")
    elif state.length > head.length:
        raise LedgerBroken(head.length, "was not written by a ledger")
    elif state.head != head.digest:
        raise LedgerBroken(head.length - 1, "is not the last one that was written")
