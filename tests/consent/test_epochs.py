import hmac
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from consent.epochs import (
    EpochDelta,
    Snapshot,
    apply,
    levels_of,
    open_delta,
    pseudonym,
    pseudonyms,
    sign_delta,
)
from consent.errors import EpochInvalid, EpochStale, InvalidClientId, KeyTooShort

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


def as_dict(snapshot: Snapshot) -> dict[bytes, int]:
    """Read a snapshot back entry by entry."""
    names = [a.to_bytes(8) + b.to_bytes(8) for a, b in snapshot.pseudonyms.T.tolist()]
    return dict(zip(names, snapshot.levels.tolist(), strict=True))


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


SIGNED = sign_delta(delta_of({bytes(15) + b"\x01": 2, b"\x09" * 16: 4}), KEY)


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
    return body + KEY.sign(b"infosandbox/consent-epoch-delta/v1\x00" + body)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "too short"),
        (SIGNED[:-64] + b"\x00", "length"),
        (SIGNED[:-65], "length"),
        (SIGNED[:38] + b"rosk" + SIGNED[42:-64], "another department"),
        (SIGNED[:42] + SIGNED[58:74] + SIGNED[42:58] + SIGNED[74:-64], "not in order"),
        (SIGNED[:42] + SIGNED[42:58] * 2 + SIGNED[74:-64], "twice"),
        (SIGNED[:-65] + b"\x05", "above 4"),
        (SIGNED[:2] + b"\xff" * 8 + SIGNED[10:-64], "base"),
        (SIGNED[:26] + bytes(8) + SIGNED[34:-64], "expires"),
    ],
)
def test_even_the_service_cannot_sign_nonsense(body: bytes, reason: str) -> None:
    with pytest.raises(EpochInvalid, match=reason):
        open_delta(sign_body(body), PUBLIC, department="risk")


def test_a_delta_cannot_be_made_of_unequal_parts() -> None:
    with pytest.raises(EpochInvalid, match="differ in number"):
        replace(delta_of({}), pseudonyms=bytes(16))


# Snapshots


@given(st.lists(ENTRIES, max_size=4), st.data())
def test_applied_deltas_are_a_dictionary_updated(
    steps: list[dict[bytes, int]], data: st.DataObject
) -> None:
    model: dict[bytes, int] = {}
    snapshot = Snapshot.empty("risk")
    for number, step in enumerate(steps):
        changed = data.draw(st.lists(st.sampled_from(sorted(model)), max_size=5)) if model else []
        entries = step | dict.fromkeys(changed, 0)
        model |= entries
        snapshot = apply(snapshot, delta_of(entries, base=number, epoch=number + 1))
        assert as_dict(snapshot) == model
        assert list(as_dict(snapshot)) == sorted(model)
        assert levels_of(snapshot, list(model)).tolist() == list(model.values())
    assert snapshot.epoch == len(steps)


def test_a_delta_from_a_later_epoch_is_refused() -> None:
    snapshot = apply(Snapshot.empty("risk"), delta_of({}, epoch=7))
    with pytest.raises(EpochStale) as caught:
        apply(snapshot, delta_of({}, base=8, epoch=9))
    assert (caught.value.have, caught.value.need) == (7, 8)


def test_an_overlapping_delta_is_applied() -> None:
    name = b"\x07" * 16
    snapshot = apply(Snapshot.empty("risk"), delta_of({name: 4}, epoch=7))
    assert as_dict(apply(snapshot, delta_of({name: 1}, base=3, epoch=9))) == {name: 1}


def test_a_replayed_delta_cannot_undo_a_withdrawal() -> None:
    name = b"\x07" * 16
    given_ = delta_of({name: 4}, epoch=7, expires_at=1000)
    withdrawn = delta_of({name: 0}, base=7, epoch=8, expires_at=1001)
    snapshot = apply(apply(Snapshot.empty("risk"), given_), withdrawn)
    assert apply(snapshot, given_) is snapshot
    assert apply(snapshot, withdrawn) is snapshot


def test_an_empty_delta_of_the_same_epoch_renews_a_snapshot() -> None:
    snapshot = apply(Snapshot.empty("risk"), delta_of({b"\x07" * 16: 4}, epoch=7, expires_at=1000))
    renewed = apply(snapshot, delta_of({}, base=7, epoch=7, expires_at=2000))
    assert renewed.expires_at == 2000
    assert as_dict(renewed) == as_dict(snapshot)


def test_another_departments_snapshot_takes_no_delta() -> None:
    with pytest.raises(EpochInvalid, match="another department"):
        apply(Snapshot.empty("research"), delta_of({}))


def test_a_million_pseudonyms_are_found_exactly() -> None:
    count = 1_000_000
    numbers = np.arange(count, dtype=">u8")
    # Half of the names share a first half with another; every one ends in NULs.
    names = np.stack([numbers // 2, (numbers % 2) << np.uint64(56)], axis=1).astype(">u8").tobytes()
    levels = (np.arange(count) % 5).astype(np.uint8).tobytes()
    delta = replace(delta_of({}), pseudonyms=names, levels=levels)
    snapshot = apply(Snapshot.empty("risk"), delta)
    asked = [*split(names[: 16 * 1000]), b"\xff" * 16]
    assert levels_of(snapshot, asked).tolist() == [*list(levels[:1000]), 0]
    assert snapshot.levels.size == count


def test_nothing_sensitive_is_in_a_repr() -> None:
    delta = delta_of({b"canary-pseudonym": 3})
    snapshot = apply(Snapshot.empty("risk"), delta)
    for shown in (repr(delta), repr(snapshot)):
        assert "canary" not in shown
        assert "levels" not in shown
