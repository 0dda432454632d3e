"""What the keys and values of a consent receipt mean: a JSON-LD context with W3C DPV terms.

The context stands in every receipt, so nobody fetches one from a network. Keys are the fields of
ISO/IEC TS 27560:2023 and map as the DPV community's guide to that standard maps them (Consent
Records and Receipts as per ISO/IEC TS 27560:2023 using DPV); "sandbox" terms are our own.
"""

from typing import Any, Final, Literal

RECEIPT_SCHEMA: Final = "https://w3id.org/dpv/schema/dpv-27560#receipt-record"
RECORD_SCHEMA: Final = "https://w3id.org/dpv/schema/dpv-27560#record"

CONTEXT: Final[dict[str, Any]] = {
    "dct": "http://purl.org/dc/terms/",
    "dpv": "https://w3id.org/dpv#",
    "sandbox": "urn:infosandbox:term:",
    "schema_version": {"@id": "dct:conformsTo", "@type": "@id"},
    "receipt_id": "dct:identifier",
    "created": "dct:created",
    "statements": "dct:description",
    "record": "dpv:hasRecordOfActivity",
    "record_id": "dct:identifier",
    "pii_principal_id": "dpv:hasDataSubject",
    "pii_processing": "dpv:hasProcess",
    "privacy_notice": {"@id": "dpv:hasNotice", "@type": "@id"},
    "notice_digest": "sandbox:notice_digest",
    "language": "dct:language",
    "purposes": "dpv:hasPurpose",
    "purpose": "dct:identifier",
    "title": "dct:title",
    "pii_information": "dpv:hasPersonalData",
    "pii_type": "dct:title",
    "lawful_basis": {"@id": "dpv:hasLegalBasis", "@type": "@id"},
    "pii_controllers": "dpv:hasDataController",
    "storage_locations": "dpv:hasLocation",
    "retention_period": "dpv:hasStorageCondition",
    "jurisdiction": "dpv:hasJurisdiction",
    "recipient_third_parties": "dpv:hasRecipientThirdParty",
    "withdrawal_method": "dpv:hasConsentControl",
    "party_id": "dpv:hasIdentifier",
    "party_name": "dpv:hasName",
    "party_address": "dpv:hasAddress",
    "party_contact": "dpv:hasContact",
    "party_type": "@type",
    "event": "sandbox:event",
    "event_time": "dpv:isIndicatedAtTime",
    "validity_duration": "dpv:hasDuration",
    "entity_id": "dpv:isIndicatedBy",
    "event_type": {"@id": "dpv:hasLegalBasis", "@type": "@id"},
    "event_state": {"@id": "dpv:hasConsentStatus", "@type": "@id"},
    "change": "sandbox:change",
    "level": "sandbox:level",
    "epoch": "sandbox:epoch",
    "log": "sandbox:log",
    "origin": "sandbox:origin",
    "index": "sandbox:index",
    "at": "sandbox:at",
    "salt": "sandbox:salt",
    "inclusion": "sandbox:inclusion",
    "checkpoint": "sandbox:checkpoint",
    "proof": {"@id": "sandbox:proof", "@container": "@list"},
}

Change = Literal[
    "entered",
    "given",
    "raised",
    "lowered",
    "withdrawn",
    "expired",
    "objected",
    "objection_withdrawn",
    "family_objected",
    "family_objection_withdrawn",
    "notice_changed",
]
"""What happened to an authorization, in the register's words."""

State = Literal[
    "dpv:ConsentGiven",
    "dpv:RenewedConsentGiven",
    "dpv:ConsentWithdrawn",
    "dpv:ConsentExpired",
    "dpv:ConsentUnknown",
]

_STATES: Final[dict[Change, State]] = {
    "entered": "dpv:ConsentGiven",
    "given": "dpv:ConsentGiven",
    "raised": "dpv:RenewedConsentGiven",
    "lowered": "dpv:RenewedConsentGiven",
    "withdrawn": "dpv:ConsentWithdrawn",
    "expired": "dpv:ConsentExpired",
    "objected": "dpv:ConsentWithdrawn",
    "objection_withdrawn": "dpv:RenewedConsentGiven",
    "family_objected": "dpv:ConsentWithdrawn",
    "family_objection_withdrawn": "dpv:RenewedConsentGiven",
    "notice_changed": "dpv:ConsentGiven",
}


def state_after(change: Change, level: int) -> State:
    """Return the DPV consent state after a change that left this level (0 to 4) in force.

    For an objection it is the state of the purpose, or of the family fields, that was objected to.
    """
    state = _STATES[change]
    closing = state in ("dpv:ConsentWithdrawn", "dpv:ConsentExpired")
    return state if level or closing else "dpv:ConsentUnknown"
