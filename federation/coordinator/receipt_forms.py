"""The content of a receipt: one event of one client, with what it opens, in the standard's fields.

What a level opens is read from the catalogue in force when the receipt is written; its digest, and
that of the notice, stand in the receipt.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from uuid import UUID

import rfc8785
import sqlalchemy as sa

from consent import tables
from consent.events import Event, Kind
from consent.explanations import explain
from consent.levels import Level
from consent.receipt_context import Change, state_after
from consent.receipts import (
    DataKind,
    Inclusion,
    LogPlace,
    Party,
    Processing,
    PurposeOpened,
    Receipt,
    Record,
    rfc3339,
)
from consent.receipts import Event as ReceiptEvent
from consent.register import SECOND, Standing
from consent.salt_store import Salt
from federation.coordinator.consent_log import principal_of
from federation.coordinator.desk import Desk
from federation.witness import origin_of

_FAMILY = (Kind.FAMILY_OBJECTED.value, Kind.FAMILY_OBJECTION_WITHDRAWN.value)
_ID_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One event of a client and what followed from it. About one person: hidden.

    standing: of the client after the event. family_closed: whether anybody in the household
    objected by then. salt: of the event's entry in the log, None once it is erased.
    """

    event: Event = field(repr=False)
    standing: Standing = field(repr=False)
    family_closed: bool = field(repr=False)
    salt: Salt | None = field(repr=False)


def receipt_of(
    told: Told, desk: Desk, *, created: int, inclusion: Inclusion | None = None
) -> Receipt:
    """Compose the receipt of one event (sensitive); sign it with `consent.receipts`.

    Args:
        told: what happened.
        desk: whose catalogue, notice and keys.
        created: seconds since the Unix epoch.
        inclusion: the proof that the log holds the event's entry, if there is one yet.
    """
    key, event, standing = desk.evidence.keys.receipts, told.event, told.standing
    principal = principal_of(key, event.client)
    level, at = int(standing.level), event.at // SECOND
    change: Change = event.kind.value
    record = Record(
        record_id=_id(key, "record", event.client),
        pii_principal_id=principal,
        pii_processing=_processing(told, desk),
        event=ReceiptEvent(
            event_time=rfc3339(at),
            validity_duration=_validity(standing),
            entity_id=principal,
            event_state=state_after(change, level),
            change=change,
            level=level,
            purpose=event.purpose,
            epoch=event.seq,
        ),
    )
    place = None
    if told.salt is not None:
        place = LogPlace(
            origin=origin_of(desk.evidence.roster),
            index=told.salt.index,
            at=at,
            salt=told.salt.salt.hex(),
            inclusion=inclusion,
        )
    return Receipt(
        receipt_id=_id(key, "receipt", f"{event.seq} {created}"),
        created=rfc3339(created),
        record=record,
        log=place,
    )


def family_closed_at(household: str, desk: Desk) -> Callable[[int], bool]:
    """Return whether any member of a household objected to family uses, by epoch; sensitive.

    An objection of a member who was erased since has no date any more: it counts for every epoch.
    """
    own = tables.standings.c
    members = own.household_id == household
    with desk.engine.connect() as db:
        events = tables.events_where(db, members, tables.events.c.kind.in_(_FAMILY))
        standings = db.execute(sa.select(own.family_closed, own.family_objected_at).where(members))
        marks = [(row.family_closed, row.family_objected_at) for row in standings]
    kept = any(closed for closed, _ in marks) and all(objected is None for _, objected in marks)

    def closed(epoch: int) -> bool:
        objected: dict[str, int] = {}
        for event in events:
            if event.seq > epoch:
                break
            if event.kind is Kind.FAMILY_OBJECTED:
                objected[event.client] = event.at
            elif objected.get(event.client) != event.at:  # at one instant, what closes wins
                objected.pop(event.client, None)
        return bool(objected) or kept

    return closed


def open_fields(
    fields: tuple[str, ...],
    purpose: str,
    standing: Standing,
    desk: Desk,
    *,
    family_closed: bool,
    now: int,
) -> tuple[str, ...]:
    """Return those of the named fields that a standing opens to a purpose at ``now`` (seconds)."""
    return tuple(
        name
        for name in fields
        if not explain(
            desk.catalogue, name, purpose, standing, family_closed=family_closed, now=now
        )
    )


def _processing(told: Told, desk: Desk) -> Processing:
    notice, firm = desk.evidence.notice, desk.evidence.roster.firm
    names = tuple(f.name for f in desk.catalogue.fields)
    opened = []
    for purpose in desk.catalogue.purposes:
        fields = open_fields(
            names,
            purpose.name,
            told.standing,
            desk,
            family_closed=told.family_closed,
            now=told.event.at // SECOND,
        )
        kinds = tuple(DataKind(pii_type=desk.catalogue.field(name).title) for name in fields)
        if kinds:
            opened.append(
                PurposeOpened(purpose=purpose.name, title=purpose.title, pii_information=kinds)
            )
    said = notice.model_dump(mode="json") | {"catalogue": desk.catalogue.digest()}
    return Processing(
        privacy_notice=notice.notice,
        notice_digest=sha256(rfc8785.dumps(said)).hexdigest(),
        language=notice.language,
        purposes=tuple(opened),
        pii_controllers=(
            Party(
                party_type="dpv:DataController",
                party_id=firm,
                party_name=firm,
                party_address=notice.address,
                party_contact=notice.contact,
            ),
        ),
        storage_locations=notice.storage_locations,
        retention_period=notice.retention_period,
        jurisdiction=notice.jurisdiction,
        recipient_third_parties=notice.recipients,
        withdrawal_method=notice.withdrawal_method,
    )


def _validity(standing: Standing) -> str:
    if standing.level is Level.NONE:
        return "nothing is authorized"
    if standing.expires_at is not None:
        return f"until {rfc3339(standing.expires_at)}"
    return "until it is lowered or withdrawn"


def _id(key: bytes, kind: str, name: str) -> str:
    """Make an id that tells nothing: the same for the same thing, another for any other."""
    return str(UUID(bytes=hmac.digest(key, f"{kind}\n{name}".encode(), "sha256")[:_ID_BYTES]))
