import hmac
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from consent.epochs import (
    EpochDelta,
    household_pseudonym,
    open_delta,
    pseudonym,
    pseudonyms,
    sign_delta,
)
from consent.errors import EpochInvalid, InvalidClientId, KeyTooShort

KEY = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
PUBLIC = KEY.public_key()
ENTRIES = st.dictionaries(
    st.binary(min_size=16, max_size=16)
    | st.builds(lambda end: bytes(15) + end, st.binary(min_size=1, max_size=1)),
    st.integers(0, 4),
    max_size=20,
)


def delta_of(  # the facts of a delta, with everyday values
    entries: dict[bytes, int],
    *,
    base: int = 0,
    epoch: int = 7,
    expires_at: int = 1000,
    department: str = "risk",
) -> EpochDelta:
    return EpochDelta(
        department=department,
        base=base,
        epoch=epoch,
        issued_at=100,
        expires_at=expires_at,
        pseudonyms=b"".join(entries),
        levels=bytes(entries.values()),
    )


# Pseudonyms


def test_a_pseudonym_is_the_first_half_of_an_hmac() -> None:
    key = bytes(range(32))
    assert pseudonym(key, "TW003696") == hmac.new(key, b"TW003696", "sha256").digest()[:16]
    assert pseudonyms(key, ["a", "b"]) == [pseudonym(key, "a"), pseudonym(key, "b")]


def test_departments_cannot_compare_pseudonyms() -> None:
    assert pseudonym(b"a" * 32, "TW003696") != pseudonym(b"b" * 32, "TW003696")


def test_a_short_key_is_refused() -> None:
    with pytest.raises(KeyTooShort):
        pseudonym(b"a" * 31, "TW003696")


def test_a_household_is_never_mistaken_for_a_client() -> None:
    key = bytes(range(32))
    household = household_pseudonym(key, "H1")
    assert household == hmac.new(key, b"\x00household\x00H1", "sha256").digest()[:16]
    assert household != pseudonym(key, "H1")
    with pytest.raises(InvalidClientId):
        pseudonym(key, "\x00household\x00H1")


def test_a_malformed_id_gets_no_pseudonym() -> None:
    with pytest.raises(InvalidClientId):
        pseudonym(b"a" * 32, " TW003696")


# Deltas


@given(ENTRIES)
def test_an_opened_delta_is_the_signed_one(entries: dict[bytes, int]) -> None:
    delta = delta_of(entries)
    opened = open_delta(sign_delta(delta, KEY), PUBLIC, department="risk")
    assert opened == delta
    assert dict(zip(split(opened.pseudonyms), opened.levels, strict=True)) == entries


def split(names: bytes) -> list[bytes]:
    return [names[start : start + 16] for start in range(0, len(names), 16)]


@given(ENTRIES, st.data())
def test_a_delta_does_not_tell_who_changed_first(
    entries: dict[bytes, int], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(list(entries.items())))
    assert sign_delta(delta_of(dict(shuffled)), KEY) == sign_delta(delta_of(entries), KEY)


FULL = EpochDelta(
    department="risk",
    base=0,
    epoch=7,
    issued_at=100,
    expires_at=1000,
    purposes=("insight", "model"),
    pseudonyms=bytes(15) + b"\x01" + b"\x09" * 16,
    levels=b"\x02\x04",
    expiries=bytes(4) + (500).to_bytes(4),
    objections=b"\x00\x02",
    family_closed=b"\x01\x00",
    households=b"\x07" * 32,
    places=b"\x00\x01",
)
SIGNED = sign_delta(FULL, KEY)
PLAIN = sign_delta(delta_of({bytes(15) + b"\x01": 2, b"\x09" * 16: 4}), KEY)
HEADER = 44
NAMES = HEADER + len(b"risk") + len(b"insight\nmodel")


def test_a_whole_delta_arrives_as_it_was_sent() -> None:
    assert open_delta(SIGNED, PUBLIC, department="risk") == FULL


def test_columns_in_which_nothing_stands_are_not_sent() -> None:
    assert len(PLAIN) == HEADER + len(b"risk") + 2 * 17 + 64
    assert len(SIGNED) == NAMES + 2 * (16 + 1 + 4 + 1 + 1 + 16 + 1) + 64


def unnoticed_flips(opened: Callable[[bytes], EpochDelta]) -> int:
    """Count the bits of a signed delta that can be flipped without a refusal."""
    count = 0
    for bit in range(8 * len(SIGNED)):
        flipped = bytearray(SIGNED)
        flipped[bit // 8] ^= 1 << bit % 8
        with suppress(EpochInvalid):
            opened(bytes(flipped))
            count += 1
    return count


def test_every_flipped_bit_is_noticed() -> None:
    assert unnoticed_flips(lambda data: open_delta(data, PUBLIC, department="risk")) == 0


def test_the_flip_check_rejects_an_opener_that_signs_what_it_reads() -> None:
    def saboteur(data: bytes) -> EpochDelta:
        return open_delta(sign_body(data[:-64]), PUBLIC, department="risk")

    assert unnoticed_flips(saboteur) > 64 * 8


def test_every_truncation_and_extension_is_noticed() -> None:
    for size in range(len(SIGNED)):
        with pytest.raises(EpochInvalid):
            open_delta(SIGNED[:size], PUBLIC, department="risk")
    with pytest.raises(EpochInvalid):
        open_delta(SIGNED + b"\x00", PUBLIC, department="risk")


def test_another_services_signature_is_refused() -> None:
    other = Ed25519PrivateKey.from_private_bytes(b"\x02" * 32)
    with pytest.raises(EpochInvalid, match="not signed by the consent service"):
        open_delta(SIGNED, other.public_key(), department="risk")


def test_another_departments_delta_is_refused() -> None:
    with pytest.raises(EpochInvalid, match="another department"):
        open_delta(SIGNED, PUBLIC, department="research")


def test_a_signature_without_the_domain_label_is_refused() -> None:
    body = SIGNED[:-64]
    with pytest.raises(EpochInvalid, match="not signed"):
        open_delta(body + KEY.sign(body), PUBLIC, department="risk")


def sign_body(body: bytes) -> bytes:
    return body + KEY.sign(b"infosandbox/consent-epoch-delta\x00" + body)


BODY = SIGNED[:-64]


def with_bytes(start: int, new: bytes) -> bytes:
    return BODY[:start] + new + BODY[start + len(new) :]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "too short"),
        (BODY + b"\x00", "length"),
        (BODY[:-1], "length"),
        (with_bytes(0, b"\x01"), "version"),
        (with_bytes(1, b"\x00"), "length"),
        (with_bytes(HEADER, b"rosk"), "another department"),
        (with_bytes(HEADER + 4, b"modell\nmodell"), "a purpose twice"),
        (
            BODY[:NAMES]
            + BODY[NAMES + 16 : NAMES + 32]
            + BODY[NAMES : NAMES + 16]
            + BODY[NAMES + 32 :],
            "not in order",
        ),
        (BODY[:NAMES] + BODY[NAMES : NAMES + 16] * 2 + BODY[NAMES + 32 :], "a pseudonym twice"),
        (with_bytes(NAMES + 33, b"\x05"), "above 4"),
        (with_bytes(NAMES + 42, b"\x04"), "a purpose that it does not name"),
        (with_bytes(NAMES + 44, b"\x02"), "family mark"),
        (with_bytes(8, b"\xff" * 8), "base"),
        (with_bytes(32, bytes(8)), "expires"),
    ],
)
def test_even_the_service_cannot_sign_nonsense(body: bytes, reason: str) -> None:
    with pytest.raises(EpochInvalid, match=reason):
        open_delta(sign_body(body), PUBLIC, department="risk")


def test_a_delta_cannot_be_made_of_unequal_parts() -> None:
    with pytest.raises(EpochInvalid, match="differ in number"):
        replace(delta_of({}), pseudonyms=bytes(16))


def test_nothing_sensitive_is_in_a_deltas_repr() -> None:
    shown = repr(delta_of({b"canary-pseudonym": 3}))
    assert "canary" not in shown
    assert "levels" not in shown
