"""Envelopes that only one department can open, whoever carries them.

Layout: ephemeral X25519 public key (32 bytes), then the ChaCha20-Poly1305 ciphertext and tag
(plaintext length + 16 bytes). An envelope says nothing about who sealed it: sign inside if the
sender matters.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from federation.derivation import derived_key
from federation.errors import ProtocolError

OVERHEAD_BYTES = 32 + 16
LARGEST_PLAINTEXT = 2**31 - 1 - OVERHEAD_BYTES

_LABEL = b"infosandbox/sealing/v1"
_NONCE = bytes(12)  # every key encrypts exactly one message, so the nonce may be constant
_PUBLIC_BYTES = 32
_DOES_NOT_OPEN = (
    "A sealed envelope does not open with this key and label. It was altered, or made for another "
    "department or step: check the roster and start a new attempt."
)


def seal(recipient: X25519PublicKey, plaintext: bytes, *, label: bytes) -> bytes:
    """Encrypt for one recipient under a fresh ephemeral key.

    Guarantee: without the recipient's private key the envelope reveals only the plaintext's
    length and the label's effect on validity; any change to it, or another label, is detected
    (ECIES over X25519 with HKDF-SHA256, RFC 8439 AEAD).

    Args:
        recipient: the roster's sealing key of the department; public.
        plaintext: at most LARGEST_PLAINTEXT bytes; sensitive.
        label: what the envelope is for, for example plan digest and leg; public, authenticated.

    Returns:
        The envelope, OVERHEAD_BYTES longer than the plaintext; public.

    Raises:
        ProtocolError: the plaintext is too long, or the recipient's key is of low order.
    """
    if len(plaintext) > LARGEST_PLAINTEXT:
        raise ProtocolError(
            f"An envelope holds at most {LARGEST_PLAINTEXT} bytes. Send the matrix in parts."
        )
    ephemeral = X25519PrivateKey.generate()
    public = ephemeral.public_key().public_bytes_raw()
    key = _key(ephemeral, recipient, publics=(public, recipient.public_bytes_raw()), label=label)
    return public + ChaCha20Poly1305(key).encrypt(_NONCE, plaintext, label)


def open_sealed(private: X25519PrivateKey, data: bytes, *, label: bytes) -> bytes:
    """Open an envelope made by `seal` for this key and label.

    Args:
        private: the department's sealing key; sensitive.
        data: the envelope; public.
        label: must equal the one it was sealed under; public.

    Returns:
        The plaintext; sensitive.

    Raises:
        ProtocolError: truncated, altered, for another key or under another label; the four are
            deliberately not told apart.
    """
    if len(data) < OVERHEAD_BYTES:
        raise ProtocolError(_DOES_NOT_OPEN)
    public = data[:_PUBLIC_BYTES]
    publics = (public, private.public_key().public_bytes_raw())
    key = _key(private, X25519PublicKey.from_public_bytes(public), publics=publics, label=label)
    try:
        return ChaCha20Poly1305(key).decrypt(_NONCE, data[_PUBLIC_BYTES:], label)
    except InvalidTag as err:
        raise ProtocolError(_DOES_NOT_OPEN) from err


def _key(
    private: X25519PrivateKey, peer: X25519PublicKey, *, publics: tuple[bytes, bytes], label: bytes
) -> bytes:
    try:
        secret = private.exchange(peer)
    except ValueError as err:  # an all-zero secret: the peer's key is of low order
        raise ProtocolError(_DOES_NOT_OPEN) from err
    return derived_key(secret, label=_LABEL, context=(label, *publics))
