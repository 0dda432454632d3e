"""What a client, or the steward who helps one, asks of the consent service: change, proof, erasure.

Everything here is about one person: nothing of it may stand in a log or in an error.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

import rfc8785
from joserfc import jws
from joserfc.jwk import OKPKey
from sqlalchemy import Connection

from consent.commitments import SALT_BYTES, commit
from consent.errors import UnknownClient
from consent.events import Event, Request
from consent.levels import Level
from consent.log_entries import Destroyed, encode
from consent.receipts import ALGORITHM, Inclusion, sign_receipt
from consent.register import Standing
from consent.salt_store import Salt
from federation.coordinator.consent_log import principal_of, standings_after
from federation.coordinator.desk import Desk
from federation.coordinator.evidence_log import publish
from federation.coordinator.receipt_forms import Told, family_closed_at, receipt_of
from federation.coordinator.witnessing import newest

ERASURE_TYPE = "vnd.infosandbox.erasure+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """A change that is in force for every later plan, and in the log. About one person: hidden.

    epoch: that it opened. index: of its entry in the log. receipt: a signed compact JWS.
    """

    epoch: int
    index: int
    level: Level = field(repr=False)
    receipt: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """The proof that a client's reference and salts were destroyed. About one person: hidden.

    epoch: the first one without the client. index: of the log's entry. entry: its bytes. salt:
    opens the entry's ``subject`` to the client's pseudonym in receipts; it is kept nowhere else.
    statement: signed by the consent service; its SHA-256 is the entry's ``evidence``. inclusion:
    that the log holds the entry.
    """

    epoch: int
    index: int
    entry: bytes
    salt: bytes = field(repr=False)
    statement: str = field(repr=False)
    inclusion: Inclusion


def change(request: Request, desk: Desk, *, now: datetime) -> Acknowledged:
    """Record what one client asks of the register, opening and closing alike; return the receipt.

    When this returns, the change is durable, in the log, and in the epoch of every later plan.

    Args:
        request: of one client (sensitive).
        desk: of the coordinator.
        now: with a time zone.

    Raises:
        InvalidClientId, UnknownClient, UnknownLevel, InvalidRequest, ClockSkew: nothing was
            changed.
        LogBroken: the log takes no entry, so nothing was changed.
    """
    epoch = desk.register.record([request], now)[0]
    told = next((t for t in _told(request.client, desk) if t.event.seq == epoch), None)
    if told is None or told.salt is None:  # erased at this very moment, by another request
        raise UnknownClient
    receipt = receipt_of(told, desk, created=int(now.timestamp()))
    return Acknowledged(
        epoch=epoch,
        index=told.salt.index,
        level=told.standing.level,
        receipt=sign_receipt(receipt, desk.evidence.keys.signing),
    )


def enter(client_id: str, household_id: str, desk: Desk, *, now: datetime) -> Standing:
    """Enter a client at level 0, unless the register knows the client; return the standing.

    Entering opens nothing: a level is given by a request of its own.

    Raises:
        InvalidClientId: one of the ids (both sensitive) is not normalized; nothing was entered.
    """
    desk.register.load([(client_id, household_id, Level.NONE)], now)
    return desk.register.standing(client_id)


def receipts_of(
    client_id: str, desk: Desk, *, now: datetime, after: int = -1, limit: int | None = None
) -> list[str]:
    """Return a signed receipt of each change of a client, oldest first, each with its proof.

    Args:
        client_id: normalized (sensitive).
        desk: of the coordinator.
        now: with a time zone.
        after: an epoch; only later changes.
        limit: how many at most.

    Raises:
        InvalidClientId, UnknownClient: there is no such client.
    """
    history = [told for told in _told(client_id, desk) if told.event.seq > after][:limit]
    tree = _tree_with(max((t.salt.index for t in history if t.salt), default=-1), desk)
    signing, created = desk.evidence.keys.signing, int(now.timestamp())
    receipts = []
    for told in history:
        inclusion = None if told.salt is None else _inclusion(told.salt.index, tree, desk)
        receipt = receipt_of(told, desk, created=created, inclusion=inclusion)
        receipts.append(sign_receipt(receipt, signing))
    return receipts


def erase(client_id: str, desk: Desk, *, now: datetime) -> Erasure:
    """Withdraw a client, destroy what ties register, epochs and log to the client, and log that.

    Destroyed in one transaction: the client's reference in the register, which was the only key to
    the client's events, and the salts of the client's entries in the log. The next epoch has the
    client no more, and replaces what the nodes hold. `docs/consent.md` says what is left.

    Raises:
        InvalidClientId, UnknownClient: there is no such client.
        LogBroken: the log takes no entry; nothing was changed.
    """
    evidence, at = desk.evidence, int(now.timestamp())
    salt = secrets.token_bytes(SALT_BYTES)
    subject = commit(salt, {"principal": principal_of(evidence.keys.receipts, client_id)})
    statement = jws.serialize_compact(
        {"alg": ALGORITHM, "typ": ERASURE_TYPE},
        rfc8785.dumps({"destroyed": ["pseudonym_key", "salts"], "subject": subject, "at": at}),
        OKPKey.import_key(evidence.keys.signing),
        algorithms=[ALGORITHM],
    )
    digest = sha256(statement.encode()).hexdigest()
    entry = encode(Destroyed(at=at, what="pseudonym_key", subject=subject, evidence=digest))
    index = -1

    def destroy(connection: Connection) -> None:
        nonlocal index
        evidence.salts.erase_within(connection, client_id)
        index = evidence.log.append_within(connection, [entry])

    epoch = desk.register.erase(client_id, now, destroy=destroy)
    inclusion = _inclusion(index, _tree_with(index, desk), desk)
    return Erasure(
        epoch=epoch,
        index=index,
        entry=entry,
        salt=salt,
        statement=statement,
        inclusion=inclusion,
    )


def history_of(client_id: str, desk: Desk) -> list[Event]:
    """Return every event of a client, oldest first; InvalidClientId or UnknownClient."""
    return desk.register.history(client_id)


def _told(client_id: str, desk: Desk) -> list[Told]:
    events = history_of(client_id, desk)
    standings = standings_after(events)
    salts: dict[int, Salt] = {salt.epoch: salt for salt in desk.evidence.salts.of(client_id)}
    closed = family_closed_at(standings[events[-1].seq].household, desk)
    return [
        Told(
            event=event,
            standing=standings[event.seq],
            family_closed=closed(event.seq),
            salt=salts.get(event.seq),
        )
        for event in events
    ]


def _tree_with(index: int, desk: Desk) -> tuple[int, str] | None:
    """Return the size and note of a checkpoint that covers an entry, publishing one if needed."""
    found = newest(desk.evidence)
    if index >= 0 and (found is None or found[0] <= index):
        publish(desk.evidence)
        found = newest(desk.evidence)
    return found


def _inclusion(index: int, tree: tuple[int, str] | None, desk: Desk) -> Inclusion:
    size, note = tree or (0, "")
    proof: Sequence[bytes] = desk.evidence.log.inclusion_proof(index, size)
    return Inclusion(checkpoint=note, proof=tuple(each.hex() for each in proof))
