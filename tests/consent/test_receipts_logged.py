"""A receipt with its place in the log opens the log's commitment; no other receipt does."""

from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.checkpoints import ED25519, Checkpoint, public_key, sign_checkpoint
from consent.commitments import commit
from consent.errors import ConsentError
from consent.log_entries import ConsentChanged, encode
from consent.log_errors import ProofInvalid, ReceiptInvalid
from consent.log_store import Log, TreeHead
from consent.receipt_context import Change, state_after
from consent.receipts import (
    Event,
    Inclusion,
    LogPlace,
    Party,
    Processing,
    Receipt,
    Record,
    change_facts,
    rfc3339,
    sign_receipt,
    verify_logged,
    verify_receipt,
)

KEY = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
ORIGIN = "infosandbox/demo"
LOG_KEY = public_key(ORIGIN, KEY, ED25519)
PRINCIPAL = "5e" * 16
SALT = bytes(range(32))
AT = 1_763_779_200
PROCESSING = Processing(
    privacy_notice="notice",
    notice_digest="a" * 64,
    language="en",
    purposes=(),
    pii_controllers=(
        Party(
            party_type="dpv:DataController",
            party_id="firm",
            party_name="firm",
            party_address="address",
            party_contact="contact",
        ),
    ),
    storage_locations=("TW",),
    retention_period="5 years",
    jurisdiction="TW",
    withdrawal_method="call",
)


def receipt(
    change: Change, level: int, *, purpose: str = "", log: LogPlace | None = None
) -> Receipt:
    event = Event(
        event_time=rfc3339(AT),
        validity_duration="until withdrawn",
        entity_id=PRINCIPAL,
        event_state=state_after(change, level),
        change=change,
        level=level,
        purpose=purpose,
        epoch=12,
    )
    record = Record(
        record_id="782c2fab-8bca-4ff9-b5c6-52f7d79f4095",
        pii_principal_id=PRINCIPAL,
        pii_processing=PROCESSING,
        event=event,
    )
    return Receipt(
        receipt_id="a6f58318-72e6-46a2-bfd7-f36d795e30cd",
        created=rfc3339(AT + 1),
        record=record,
        log=log,
    )


def sign(head: TreeHead) -> str:
    return sign_checkpoint(Checkpoint(origin=ORIGIN, size=head.size, root=head.root), KEY)


def logged(change: Change = "raised", level: int = 3, purpose: str = "") -> Receipt:
    """Log a change between others and return its receipt with the proof."""
    facts = change_facts(PRINCIPAL, change, level=level, purpose=purpose)
    entry = ConsentChanged(at=AT, epoch=12, change=commit(SALT, facts))
    log = Log(sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool))
    log.append([b"an earlier entry"] * 5)
    index = log.append([encode(entry)])
    log.append([b"a later entry"] * 7)
    note, size = log.publish(sign), log.head().size
    proof = tuple(each.hex() for each in log.inclusion_proof(index, size))
    inclusion = Inclusion(checkpoint=note, proof=proof)
    place = LogPlace(origin=ORIGIN, index=index, at=AT, salt=SALT.hex(), inclusion=inclusion)
    return receipt(change, level, purpose=purpose, log=place)


def test_a_receipt_proves_that_its_change_was_logged() -> None:
    found = verify_receipt(sign_receipt(logged(), KEY), KEY.public_key())
    assert found == logged()
    assert verify_logged(found, LOG_KEY) == 13


def test_an_objection_to_a_purpose_is_logged_too() -> None:
    assert verify_logged(logged("objected", 3, "kyc"), LOG_KEY) == 13


@pytest.mark.parametrize(
    "path",
    [
        ("record", "event", "level", 2),
        ("record", "event", "change", "given"),
        ("record", "event", "epoch", 13),
        ("record", "pii_principal_id", "00" * 16),
        ("log", "salt", "00" * 32),
        ("log", "index", 4),
        ("log", "at", AT + 1),
    ],
    ids=lambda path: str(path[-2]),
)
def test_a_receipt_that_says_otherwise_than_the_log_is_found_out(path: tuple[Any, ...]) -> None:
    body = logged().model_dump(by_alias=True)
    *keys, last, value = path
    inner = body
    for key in keys:
        inner = inner[key]
    inner[last] = value
    event = body["record"]["event"]
    event["event_state"] = state_after(event["change"], event["level"])
    with pytest.raises(ProofInvalid):
        verify_logged(Receipt.model_validate(body), LOG_KEY)


def test_a_receipt_without_a_proof_is_not_taken_for_logged() -> None:
    place = LogPlace(origin=ORIGIN, index=0, at=AT, salt=SALT.hex())
    for unproved in (receipt("raised", 3), receipt("raised", 3, log=place)):
        with pytest.raises(ReceiptInvalid):
            verify_logged(unproved, LOG_KEY)


def test_another_logs_proof_is_refused() -> None:
    other = public_key("infosandbox/other", KEY, ED25519)
    with pytest.raises(ConsentError):
        verify_logged(logged(), other)


def test_a_salt_stays_out_of_a_repr() -> None:
    assert SALT.hex() not in repr(logged())
