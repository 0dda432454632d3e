import hashlib
import hmac
import json
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st

from federation.derivation import derived_key, framed

VECTORS = Path(__file__).parents[1] / "vectors"

parts = st.lists(st.binary(max_size=20), max_size=5)


def hkdf_sha256(ikm: bytes, *, salt: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869 written from its text, to check ours without the library."""
    key = hmac.digest(salt or bytes(hashlib.sha256().digest_size), ikm, "sha256")
    block, out = b"", b""
    while len(out) < length:
        block = hmac.digest(key, block + info + bytes([len(out) // 32 + 1]), "sha256")
        out += block
    return out[:length]


def test_hkdf_gives_the_published_keys() -> None:
    for case in json.loads((VECTORS / "rfc5869_hkdf_sha256.json").read_text())["cases"]:
        ikm, salt, info = (bytes.fromhex(case[name]) for name in ("ikm", "salt", "info"))
        length = len(case["okm"]) // 2
        assert hkdf_sha256(ikm, salt=salt, info=info, length=length).hex() == case["okm"]
        library = HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info)
        assert library.derive(ikm).hex() == case["okm"]


@settings(deadline=None)
@given(secret=st.binary(min_size=16, max_size=64), label=st.binary(max_size=9), context=parts)
def test_a_derived_key_is_hkdf_over_label_and_context(
    secret: bytes, label: bytes, context: list[bytes]
) -> None:
    info = b"".join(len(part).to_bytes(8, "big") + part for part in [label, *context])
    ours = derived_key(secret, label=label, context=tuple(context))
    assert ours == hkdf_sha256(secret, salt=b"", info=info, length=32)


def unframed(framed_bytes: bytes) -> list[bytes]:
    found, rest = [], framed_bytes
    while rest:
        size = int.from_bytes(rest[:8], "big")
        found.append(rest[8 : 8 + size])
        rest = rest[8 + size :]
    return found


@settings(deadline=None)
@given(first=parts)
def test_framed_parts_can_be_read_back_in_one_way_only(first: list[bytes]) -> None:
    assert unframed(framed(*first)) == first


def test_moving_a_byte_from_part_to_part_changes_the_frame() -> None:
    moved = (b"risk", b"advisory"), (b"riska", b"dvisory")
    assert framed(*moved[0]) != framed(*moved[1])
    assert b"".join(moved[0]) == b"".join(moved[1])  # the saboteur: plain concatenation
