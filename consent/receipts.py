"""Consent receipts: what a client is handed for every change, signed, and checkable by anyone.

A receipt has the fields of ISO/IEC TS 27560:2023 as JSON-LD (`consent.receipt_context`) and is
signed as a compact JWS (RFC 7515) with Ed25519 (RFC 9864). The client stands in it under a
pseudonym and nothing else about the client does but the level and what changed. With its place in
the transparency log, a receipt also opens the log's commitment: its holder can show that exactly
this change was logged.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from pydantic import BaseModel, ConfigDict, Field, model_validator

from consent.checkpoints import NoteKey, open_checkpoint
from consent.commitments import Fact, commit
from consent.log_entries import ConsentChanged, Digest, Name, Number, encode
from consent.log_errors import ReceiptInvalid
from consent.merkle import leaf_hash, verify_inclusion
from consent.receipt_context import (
    CONTEXT,
    RECEIPT_SCHEMA,
    RECORD_SCHEMA,
    Change,
    State,
    state_after,
)

ALGORITHM = "Ed25519"
TYPE = "vnd.infosandbox.consent-receipt+json"
MAXIMUM_BYTES = 100_000
STATEMENTS = (
    "Privacy loss that was already spent is not given back.",
    "Results that were already released stand; later plans follow this receipt.",
)
_HEADER = {"alg": ALGORITHM, "typ": TYPE}
_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)

Text = Annotated[str, Field(min_length=1, max_length=500)]
Pseudonym = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Id = Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Time = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_by_name=True)


class Party(_Frozen):
    """Who answers for the processing, and where to reach them."""

    party_type: Literal["dpv:DataController", "dpv:DataProcessor", "dpv:Representative"]
    party_id: Text
    party_name: Text
    party_address: Text
    party_contact: Text


class DataKind(_Frozen):
    """One kind of personal data, as the catalogue names it. Never a value."""

    pii_type: Text


class PurposeOpened(_Frozen):
    """A purpose and what the level opens to it."""

    purpose: Name
    title: Text
    pii_information: tuple[DataKind, ...]


class Processing(_Frozen):
    """What the client was told: the notice, the purposes, where data lies and how to withdraw."""

    privacy_notice: Text
    notice_digest: Digest
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
    purposes: tuple[PurposeOpened, ...]
    lawful_basis: Text = "dpv:Consent"
    pii_controllers: Annotated[tuple[Party, ...], Field(min_length=1)]
    storage_locations: Annotated[tuple[Text, ...], Field(min_length=1)]
    retention_period: Text
    jurisdiction: Text
    recipient_third_parties: tuple[Text, ...] = ()
    withdrawal_method: Text


class Event(_Frozen):
    """What happened and what is in force since.

    entity_id: who did it: the client's pseudonym, or a party's id. purpose: of an objection, or "".
    """

    event_time: Time
    validity_duration: Text
    entity_id: Text
    event_type: Literal["dpv:ExplicitlyExpressedConsent"] = "dpv:ExplicitlyExpressedConsent"
    event_state: State
    change: Change
    level: Annotated[int, Field(ge=0, le=4)]
    purpose: Name | Literal[""] = ""
    epoch: Number

    @model_validator(mode="after")
    def _state_belongs_to_the_change(self) -> Self:
        if self.event_state != state_after(self.change, self.level):
            raise ValueError("the state is not the one this change leaves")
        return self


class Record(_Frozen):
    """The consent record: whose, for what, and its newest event."""

    type: Literal["dpv:ConsentRecord"] = Field(default="dpv:ConsentRecord", alias="@type")
    schema_version: Literal["https://w3id.org/dpv/schema/dpv-27560#record"] = RECORD_SCHEMA
    record_id: Id
    pii_principal_id: Pseudonym
    pii_processing: Processing
    event: Event


class Inclusion(_Frozen):
    """The proof that the log had the entry when it signed this checkpoint."""

    checkpoint: Annotated[str, Field(max_length=20_000)]
    proof: Annotated[tuple[Hash, ...], Field(max_length=64)]


class LogPlace(_Frozen):
    """Where the change stands in the transparency log, and the salt that opens it.

    at: of the entry, in seconds since the Unix epoch.
    """

    origin: Text
    index: Number
    at: Number
    salt: Hash = Field(repr=False)
    inclusion: Inclusion | None = None


class Receipt(_Frozen):
    """One change of one client's authorization, as its receipt says it."""

    type: Literal["dpv:ConsentReceipt"] = Field(default="dpv:ConsentReceipt", alias="@type")
    schema_version: Literal["https://w3id.org/dpv/schema/dpv-27560#receipt-record"] = RECEIPT_SCHEMA
    receipt_id: Id
    created: Time
    record: Record
    log: LogPlace | None = None
    statements: tuple[Text, ...] = STATEMENTS


def change_facts(
    principal: str, change: Change, *, level: int, purpose: str = ""
) -> Mapping[str, Fact]:
    """Return the facts that the log's commitment is made of (sensitive).

    Args:
        principal: the client's pseudonym in receipts, 32 hexadecimal digits.
        change: what happened.
        level: in force afterwards, 0 to 4.
        purpose: of an objection, or "".
    """
    return {"principal": principal, "change": change, "level": level, "purpose": purpose}


def rfc3339(at: int) -> str:
    """Write a time as receipts do. at: seconds since the Unix epoch."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def as_json_ld(receipt: Receipt) -> dict[str, Any]:
    """Return the receipt as JSON-LD with its context."""
    body = receipt.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {"@context": CONTEXT, **body}


def sign_receipt(receipt: Receipt, key: Ed25519PrivateKey) -> str:
    """Sign a receipt with the consent service's key; return the compact JWS."""
    payload = rfc8785.dumps(as_json_ld(receipt))
    return jws.serialize_compact(_HEADER, payload, OKPKey.import_key(key), algorithms=[ALGORITHM])


def verify_receipt(token: str, key: Ed25519PublicKey) -> Receipt:
    """Return the receipt behind a valid signature. Any flipped bit is refused.

    Args:
        token: the compact JWS as it arrived; not trusted.
        key: the consent service's pinned public key.

    Raises:
        ReceiptInvalid: it is not signed by the consent service, or not a receipt of this version.
    """
    if len(token) > MAXIMUM_BYTES or not _TOKEN.fullmatch(token):
        raise ReceiptInvalid("it is not a compact JWS")
    try:
        signed = jws.deserialize_compact(token, OKPKey.import_key(key), algorithms=[ALGORITHM])
    except (JoseError, ValueError):
        raise ReceiptInvalid("it is not signed by the consent service") from None
    try:
        body = json.loads(signed.payload or b"")
        if signed.headers() != _HEADER or body.pop("@context") != CONTEXT:
            raise ReceiptInvalid("it is of another version")
        return Receipt.model_validate_json(json.dumps(body))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ReceiptInvalid("it lacks a field or has one too many") from None


def verify_logged(receipt: Receipt, log: NoteKey) -> int:
    """Check that the log holds the receipt's change, and return the size of the signed tree.

    The receipt must have been verified. The log's commitment is made anew from what the receipt
    says, so a log that wrote anything else at this place is found out.

    Args:
        receipt: with its place in the log and an inclusion proof.
        log: the log's pinned key.

    Raises:
        ReceiptInvalid: it has no place or no proof.
        CheckpointInvalid, ProofInvalid, NotInLog: the log does not hold this change there.
    """
    if receipt.log is None or receipt.log.inclusion is None:
        raise ReceiptInvalid("it has no place in the log, or no proof of it yet")
    place, inclusion, event = receipt.log, receipt.log.inclusion, receipt.record.event
    facts = change_facts(
        receipt.record.pii_principal_id, event.change, level=event.level, purpose=event.purpose
    )
    commitment = commit(bytes.fromhex(place.salt), facts)
    entry = ConsentChanged(at=place.at, epoch=event.epoch, change=commitment)
    tree = open_checkpoint(inclusion.checkpoint, log).checkpoint
    proof = [bytes.fromhex(each) for each in inclusion.proof]
    verify_inclusion(leaf_hash(encode(entry)), place.index, tree.size, proof, tree.root)
    return tree.size
