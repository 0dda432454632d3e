import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import OKPKey
from pydantic import ValidationError

from consent.log_errors import ReceiptInvalid
from consent.receipt_context import CONTEXT, Change, state_after
from consent.receipts import (
    DataKind,
    Event,
    Inclusion,
    LogPlace,
    Party,
    Processing,
    PurposeOpened,
    Receipt,
    Record,
    as_json_ld,
    rfc3339,
    sign_receipt,
    verify_receipt,
)

TERMS = json.loads((Path(__file__).parents[1] / "vectors/dpv_terms.json").read_text())
KEY = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
PUBLIC = KEY.public_key()
PRINCIPAL = "5e" * 16
AT = 1_763_779_200

PROCESSING = Processing(
    privacy_notice="https://firm.example/notice/3",
    notice_digest="a" * 64,
    language="zh-Hant",
    purposes=(
        PurposeOpened(
            purpose="suitability_review",
            title="適合度評估",
            pii_information=(DataKind(pii_type="income band"), DataKind(pii_type="risk appetite")),
        ),
    ),
    pii_controllers=(
        Party(
            party_type="dpv:DataController",
            party_id="https://firm.example",
            party_name="誠信財務顧問",
            party_address="1 Example Road, Taipei",
            party_contact="privacy@firm.example",
        ),
    ),
    storage_locations=("TW",),
    retention_period="until the mandate ends, then 5 years",
    jurisdiction="TW",
    withdrawal_method="https://firm.example/consent",
)


def receipt(change: Change = "raised", level: int = 3, *, log: LogPlace | None = None) -> Receipt:
    return Receipt(
        receipt_id="a6f58318-72e6-46a2-bfd7-f36d795e30cd",
        created=rfc3339(AT + 1),
        record=Record(
            record_id="782c2fab-8bca-4ff9-b5c6-52f7d79f4095",
            pii_principal_id=PRINCIPAL,
            pii_processing=PROCESSING,
            event=Event(
                event_time=rfc3339(AT),
                validity_duration="until withdrawn",
                entity_id=PRINCIPAL,
                event_state=state_after(change, level),
                change=change,
                level=level,
                epoch=12,
            ),
        ),
        log=log,
    )


TOKEN = sign_receipt(receipt(), KEY)


def keys_in(found: Any) -> Iterator[str]:
    """Yield every key of a JSON value but those of its context."""
    if isinstance(found, dict):
        for key, value in found.items():
            yield key
            yield from () if key == "@context" else keys_in(value)
    elif isinstance(found, list):
        for each in found:
            yield from keys_in(each)


def values_in(found: Any) -> Iterator[object]:
    if isinstance(found, dict | list):
        for each in found.values() if isinstance(found, dict) else found:
            yield from values_in(each)
    else:
        yield found


# Form


def test_a_receipt_is_read_back_from_its_token() -> None:
    assert verify_receipt(TOKEN, PUBLIC) == receipt()


def test_the_token_is_a_compact_jws_with_ed25519() -> None:
    header, payload, _ = (base64.urlsafe_b64decode(p + "==") for p in TOKEN.split("."))
    assert json.loads(header) == {
        "alg": "Ed25519",
        "typ": "vnd.infosandbox.consent-receipt+json",
    }
    assert json.loads(payload) == as_json_ld(receipt())


def test_a_receipt_has_every_field_the_standard_demands() -> None:
    assert set(TERMS["iso_27560_mandatory"]) <= set(keys_in(as_json_ld(receipt())))


def test_every_key_has_a_meaning_in_the_receipts_own_context() -> None:
    inclusion = Inclusion(checkpoint="a note", proof=("a" * 64,))
    place = LogPlace(origin="log", index=0, at=AT, salt="b" * 64, inclusion=inclusion)
    keys = {k for k in keys_in(as_json_ld(receipt(log=place))) if not k.startswith("@")}
    prefixes = {"dct", "dpv", "sandbox"}
    assert keys <= CONTEXT.keys()
    for term in CONTEXT.keys() - prefixes:
        meaning = CONTEXT[term]["@id"] if isinstance(CONTEXT[term], dict) else CONTEXT[term]
        assert meaning == "@type" or meaning.partition(":")[0] in prefixes


def test_every_dpv_term_is_in_the_vocabulary() -> None:
    everything = [str(each) for c in get_args(Change) for each in values_in(as_json_ld(receipt(c)))]
    used = {name for text in everything for name in re.findall(r"\bdpv:(\w+)", text)}
    assert len(used) > 20
    assert used <= set(TERMS["terms"])


def test_nobody_fetches_a_context() -> None:
    assert isinstance(as_json_ld(receipt())["@context"], dict)


@pytest.mark.parametrize("change", get_args(Change))
@pytest.mark.parametrize("level", range(5))
def test_every_change_has_a_receipt(change: Change, level: int) -> None:
    assert verify_receipt(sign_receipt(receipt(change, level), KEY), PUBLIC) == receipt(
        change, level
    )


def test_nothing_is_given_where_no_level_is_in_force() -> None:
    states = {state_after(change, 0) for change in get_args(Change)}
    assert states == {"dpv:ConsentWithdrawn", "dpv:ConsentExpired", "dpv:ConsentUnknown"}


def test_a_receipt_says_what_cannot_be_undone() -> None:
    assert len(receipt().statements) == 2


# Privacy


def test_the_client_stands_in_a_receipt_under_the_pseudonym_only() -> None:
    """Every value is the firm's, the change's, or the pseudonym; there is no room for another."""
    record = as_json_ld(receipt())["record"]
    del record["pii_processing"]  # the firm's own words, the same for every client
    assert set(values_in(record)) == {
        "dpv:ConsentRecord",
        "https://w3id.org/dpv/schema/dpv-27560#record",
        "782c2fab-8bca-4ff9-b5c6-52f7d79f4095",
        PRINCIPAL,
        rfc3339(AT),
        "until withdrawn",
        "dpv:ExplicitlyExpressedConsent",
        "dpv:RenewedConsentGiven",
        "raised",
        3,
        "",
        12,
    }


@pytest.mark.parametrize("key", ["client_id", "household_id", "name"])
def test_a_receipt_has_no_room_for_more(key: str) -> None:
    body = receipt().record.model_dump(by_alias=True) | {key: "canary"}
    with pytest.raises(ValidationError):
        Record.model_validate(body)


@pytest.mark.parametrize("principal", ["TW003696", "5E" * 16, "5e" * 15, ""])
def test_a_principal_is_a_pseudonym(principal: str) -> None:
    body = receipt().record.model_dump(by_alias=True) | {"pii_principal_id": principal}
    with pytest.raises(ValidationError):
        Record.model_validate(body)


# Signature


def flips(token: str, bits: range) -> Iterator[str]:
    for bit in bits:
        flipped = bytearray(token.encode())
        flipped[bit // 8] ^= 1 << bit % 8
        yield flipped.decode("latin-1")


def test_no_flipped_bit_passes() -> None:
    """Every bit of the header and the signature, every 17th of the payload."""
    header, payload, _ = (len(part) * 8 for part in TOKEN.split("."))
    everything = len(TOKEN) * 8
    for bits in (
        range(header + 8),
        range(header, header + payload + 16, 17),
        range(header + payload + 8, everything),
    ):
        for flipped in flips(TOKEN, bits):
            with pytest.raises(ReceiptInvalid):
                verify_receipt(flipped, PUBLIC)


def test_a_reader_that_skips_the_signature_would_take_flipped_bits() -> None:
    """The saboteur: a flipped bit of the pseudonym gives another receipt that reads well."""
    header, payload, signature = TOKEN.split(".")
    body = base64.urlsafe_b64decode(payload + "==").replace(b"5e5e5e5e", b"5e5e5e5d", 1)
    forged = base64.urlsafe_b64encode(body).decode().rstrip("=")
    content = {k: v for k, v in json.loads(body).items() if k != "@context"}
    assert Receipt.model_validate_json(json.dumps(content)) != receipt()
    with pytest.raises(ReceiptInvalid, match="not signed"):
        verify_receipt(f"{header}.{forged}.{signature}", PUBLIC)


def test_another_services_receipt_is_refused() -> None:
    other = Ed25519PrivateKey.from_private_bytes(b"\x02" * 32)
    with pytest.raises(ReceiptInvalid, match="not signed"):
        verify_receipt(sign_receipt(receipt(), other), PUBLIC)


def signed(payload: bytes, header: dict[str, str] | None = None) -> str:
    header = header or {"alg": "Ed25519", "typ": "vnd.infosandbox.consent-receipt+json"}
    return jws.serialize_compact(header, payload, OKPKey.import_key(KEY), algorithms=["Ed25519"])


BODY = as_json_ld(receipt())
SIGNED = {
    "a permit under the same key": signed(json.dumps(BODY).encode(), {"alg": "Ed25519"}),
    "another type": signed(json.dumps(BODY).encode(), {"alg": "Ed25519", "typ": "JWT"}),
    "no JSON": signed(b"receipt"),
    "a list": signed(b"[]"),
    "a number": signed(b"1"),
    "nothing": signed(b"{}"),
    "deep nesting": signed(b"[" * 20_000),
    "another context": signed(json.dumps(BODY | {"@context": {}}).encode()),
    "an extra key": signed(json.dumps(BODY | {"client_id": "canary"}).encode()),
    "a missing key": signed(json.dumps({k: v for k, v in BODY.items() if k != "record"}).encode()),
    "a state of another change": signed(json.dumps(BODY).replace("Renewed", "").encode()),
    "a level 5": signed(json.dumps(BODY).replace('"level": 3', '"level": 5').encode()),
}


@pytest.mark.parametrize("token", SIGNED.values(), ids=SIGNED.keys())
def test_even_signed_bytes_must_be_a_receipt(token: str) -> None:
    with pytest.raises(ReceiptInvalid) as caught:
        verify_receipt(token, PUBLIC)
    assert "canary" not in str(caught.value)


@given(st.text() | st.from_regex(r"[\w-]*\.[\w-]*\.[\w-]*", fullmatch=True))
def test_whatever_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(ReceiptInvalid):
        verify_receipt(token, PUBLIC)


def test_a_megabyte_is_refused_unread() -> None:
    with pytest.raises(ReceiptInvalid):
        verify_receipt(TOKEN + "A" * 1_000_000, PUBLIC)
