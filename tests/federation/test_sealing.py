import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import given, settings
from hypothesis import strategies as st

from federation.derivation import derived_key
from federation.errors import ProtocolError
from federation.sealing import LARGEST_PLAINTEXT, OVERHEAD_BYTES, open_sealed, seal

VECTORS = Path(__file__).parents[1] / "vectors"
KEY = X25519PrivateKey.generate()


class Enormous(bytes):
    """Claims the length without the memory."""

    __slots__ = ()

    def __len__(self) -> int:
        return LARGEST_PLAINTEXT + 1


def test_the_cipher_gives_the_published_ciphertext() -> None:
    case = json.loads((VECTORS / "rfc8439_chacha20.json").read_text())["aead"]
    key, nonce, aad, plaintext = (
        bytes.fromhex(case[name]) for name in ("key", "nonce", "associated_data", "plaintext")
    )
    sealed = ChaCha20Poly1305(key).encrypt(nonce, plaintext, aad)
    assert sealed.hex() == case["ciphertext"] + case["tag"]


@settings(deadline=None)
@given(plaintext=st.binary(max_size=300), label=st.binary(max_size=40))
def test_the_recipient_reads_what_was_sealed(plaintext: bytes, label: bytes) -> None:
    envelope = seal(KEY.public_key(), plaintext, label=label)
    assert len(envelope) == len(plaintext) + OVERHEAD_BYTES
    assert open_sealed(KEY, envelope, label=label) == plaintext


@settings(deadline=None)
@given(plaintext=st.binary(max_size=60), label=st.binary(max_size=40))
def test_the_layout_can_be_opened_by_its_description(plaintext: bytes, label: bytes) -> None:
    envelope = seal(KEY.public_key(), plaintext, label=label)
    ephemeral, ciphertext = envelope[:32], envelope[32:]
    secret = KEY.exchange(X25519PublicKey.from_public_bytes(ephemeral))
    context = (label, ephemeral, KEY.public_key().public_bytes_raw())
    key = derived_key(secret, label=b"infosandbox/sealing/v1", context=context)
    assert ChaCha20Poly1305(key).decrypt(bytes(12), ciphertext, label) == plaintext


@settings(deadline=None)
@given(data=st.data(), plaintext=st.binary(max_size=40))
def test_any_flipped_bit_is_refused(data: st.DataObject, plaintext: bytes) -> None:
    envelope = bytearray(seal(KEY.public_key(), plaintext, label=b"leg"))
    position = data.draw(st.integers(0, 8 * len(envelope) - 1))
    envelope[position // 8] ^= 1 << position % 8
    with pytest.raises(ProtocolError, match="does not open"):
        open_sealed(KEY, bytes(envelope), label=b"leg")


@pytest.mark.parametrize("kept", [0, 1, 31, 32, 47, 48, 52])
def test_a_truncated_envelope_is_refused(kept: int) -> None:
    envelope = seal(KEY.public_key(), b"five!", label=b"leg")
    with pytest.raises(ProtocolError, match="does not open"):
        open_sealed(KEY, envelope[:kept], label=b"leg")


def test_another_label_is_refused() -> None:
    envelope = seal(KEY.public_key(), b"matrix", label=b"plan 1")
    with pytest.raises(ProtocolError, match="does not open"):
        open_sealed(KEY, envelope, label=b"plan 2")


def test_another_department_cannot_open_an_envelope() -> None:
    envelope = seal(KEY.public_key(), b"matrix", label=b"leg")
    with pytest.raises(ProtocolError, match="does not open"):
        open_sealed(X25519PrivateKey.generate(), envelope, label=b"leg")


def test_two_envelopes_of_one_plaintext_share_nothing() -> None:
    first, second = (seal(KEY.public_key(), bytes(64), label=b"leg") for _ in range(2))
    assert first[:32] != second[:32]
    assert first[32:] != second[32:]


@pytest.mark.parametrize("low_order", [0, 1, 2**255 - 20, 2**255 - 19, 2**255 - 18])
def test_a_key_of_low_order_is_refused_both_ways(low_order: int) -> None:
    point = low_order.to_bytes(32, "little")
    with pytest.raises(ProtocolError):
        seal(X25519PublicKey.from_public_bytes(point), b"matrix", label=b"leg")
    with pytest.raises(ProtocolError):
        open_sealed(KEY, point + bytes(48), label=b"leg")


def test_a_plaintext_too_long_for_the_cipher_is_refused_before_the_work() -> None:
    with pytest.raises(ProtocolError, match="in parts"):
        seal(KEY.public_key(), Enormous(), label=b"leg")


def test_a_refusal_does_not_quote_the_plaintext() -> None:
    envelope = seal(KEY.public_key(), b"CANARY-4711", label=b"leg")
    with pytest.raises(ProtocolError) as refusal:
        open_sealed(KEY, envelope, label=b"other")
    assert "CANARY" not in str(refusal.value)
