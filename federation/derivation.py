"""Keys derived for one use each: HKDF-SHA256 under an unambiguous, labeled context."""

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32


def framed(*parts: bytes) -> bytes:
    """Join byte strings so that no two different sequences give the same bytes.

    Each part is preceded by its length as eight bytes, big endian, so the parts can be read back
    in one way only. Put a label of its own first for every use.

    Args:
        parts: what to join; public.

    Returns:
        The framed bytes, `8 * len(parts)` longer than the parts.
    """
    return b"".join(len(part).to_bytes(8, "big") + part for part in parts)


def derived_key(secret: bytes, *, label: bytes, context: tuple[bytes, ...]) -> bytes:
    """Derive a key for one use: HKDF-SHA256 without salt, info = framed(label, *context).

    Guarantee: keys for different (label, context) are independent, as far as HKDF-SHA256 is a
    pseudorandom function of a high-entropy `secret` (Krawczyk 2010, RFC 5869).

    Args:
        secret: key material with at least 128 bits of entropy; sensitive.
        label: the use, with a version; public.
        context: everything the key must be bound to; public.

    Returns:
        32 bytes; sensitive.
    """
    hkdf = HKDF(
        algorithm=hashes.SHA256(), length=KEY_BYTES, salt=None, info=framed(label, *context)
    )
    return hkdf.derive(secret)
