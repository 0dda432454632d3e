"""Products of two departments' matrices from multiplication triples, modulo 2^32. Pure.

Let the left department hold X [n, p] and the right one Y [n, q], zeros and ones. A dealer, a third
department, shares with each of them keystreams that the other lacks: the left mask A and the
product share S with the left, the right mask B with the right. It sends the right one the
correction D = AᵀB − S. The left sends U = X − A to the right, the right V = Y − B to the left:

    left's share  = AᵀV + S        right's share = UᵀY + D
    their sum     = AᵀY − AᵀB + S + XᵀY − AᵀY + AᵀB − S = XᵀY        (all modulo 2^32)

(Beaver 1991; with a dealer who is a party of its own, Beaver 1997 and Du and Atallah 2001.)

Guarantee: each of the three, alone or with the coordinator, who carries sealed envelopes only,
learns nothing. The right sees U, uniform without A, and D, uniform without S. The left sees V,
uniform without B. The dealer sees no message. Two of the three together learn the rows of the third
if one of them is the dealer: U and A give X. Noise is added to the shares before they are added up.
"""

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

from federation.derivation import KEY_BYTES, derived_key
from federation.errors import ProtocolError

Words = npt.NDArray[np.uint32]
Codes = npt.NDArray[np.int16]

MOST_ROWS = 2**20
"""Rows of one product: its sums of limbs then stay below 2^53 and are exact in float64."""

_LABEL = b"infosandbox/triples/v1"
_NONCE = bytes(16)  # every key makes exactly one keystream
_LIMB = 16


def random_matrix(secret: bytes, *, context: tuple[bytes, ...], rows: int, columns: int) -> Words:
    """Stretch a pair's secret into a matrix that only this pair can make (ChaCha20, RFC 8439).

    Args:
        secret: 32 bytes that two departments share; sensitive.
        context: the plan, attempt, part, pair and use; public, and of one use only.
        rows: of the matrix.
        columns: of the matrix.

    Returns:
        uint32[rows, columns], indistinguishable from uniform without the secret; sensitive.

    Raises:
        ProtocolError: a secret of another length.
    """
    if len(secret) != KEY_BYTES:
        raise ProtocolError("A pair secret has 32 bytes.")
    key = derived_key(secret, label=_LABEL, context=context)
    stream = Cipher(algorithms.ChaCha20(key, _NONCE), mode=None).encryptor()
    words = np.frombuffer(stream.update(bytes(4 * rows * columns)), dtype="<u4")
    return words.astype(np.uint32).reshape(rows, columns)


def indicators(codes: Codes, sizes: tuple[int, ...]) -> Words:
    """Write each field's code as zeros and at most one 1 over its labels.

    Args:
        codes: int16[n, fields], −1 where absent; sensitive.
        sizes: labels of each field; public.

    Returns:
        uint32[n, sum of sizes]; sensitive.
    """
    bits = np.zeros((len(codes), sum(sizes)), dtype=np.uint32)
    start = 0
    for place, size in enumerate(sizes):
        rows = np.flatnonzero(codes[:, place] >= 0)
        bits[rows, start + codes[rows, place].astype(np.intp)] = 1
        start += size
    return bits


def masked(bits: Words, mask: Words) -> Words:
    """Return what is sent to the other department of the pair: the matrix minus its mask."""
    return bits - mask


def correction(left_mask: Words, right_mask: Words, product_share: Words) -> Words:
    """Return what the dealer sends to the right: AᵀB − S."""
    return product(left_mask, right_mask) - product_share


def left_share(mask: Words, received: Words, product_share: Words) -> Words:
    """Return the left's share of XᵀY: AᵀV + S."""
    return product(mask, received) + product_share


def right_share(received: Words, bits: Words, dealt: Words) -> Words:
    """Return the right's share of XᵀY: UᵀY + D."""
    return product(received, bits) + dealt


def product(left: Words, right: Words) -> Words:
    """Multiply leftᵀ·right modulo 2^32, exactly, with float64 products of 16-bit limbs.

    Args:
        left: uint32[n, p]; sensitive.
        right: uint32[n, q]; sensitive.

    Returns:
        uint32[p, q]; sensitive.

    Raises:
        ProtocolError: the matrices differ in rows, or have more than 2^20.
    """
    if left.ndim != 2 or right.ndim != 2 or len(left) != len(right) or len(left) > MOST_ROWS:  # noqa: PLR2004
        raise ProtocolError("Two matrices of a cube do not have the same, allowed number of rows.")
    low, high = _limbs(left)
    right_low, right_high = _limbs(right)
    middle = _exact(high.T @ right_low) + _exact(low.T @ right_high)
    return ((middle << np.uint64(_LIMB)) + _exact(low.T @ right_low)).astype(np.uint32)


def _limbs(words: Words) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    low = words & np.uint32(2**_LIMB - 1)
    return low.astype(np.float64), (words >> np.uint32(_LIMB)).astype(np.float64)


def _exact(sums: npt.NDArray[np.float64]) -> npt.NDArray[np.uint64]:
    return sums.astype(np.uint64)
