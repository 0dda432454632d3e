"""Pairwise masks: one department adds the keystream that its peer subtracts, modulo 2^64."""

from collections.abc import Iterable

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

from federation.derivation import KEY_BYTES, derived_key, framed
from federation.errors import CohortTooSmall, ProtocolError
from privacy.lattice import RingVector

SMALLEST_COHORT = 2

_LABEL = b"infosandbox/mask/v1"
_NONCE = bytes(16)  # block counter and nonce; every key makes exactly one keystream
_WORD_BYTES = 8


def check_cohort(cohort: tuple[str, ...], *, tolerance: int) -> None:
    """Check that a cohort is large enough and written in its one canonical way.

    A cohort of n departments with tolerance t needs n >= 2 (a mask needs a peer) and n - t >= 1
    (the noise of the remaining n - t departments must exist).

    Args:
        cohort: department names, sorted, each once; public.
        tolerance: t >= 0, the colluding or missing departments that the noise covers; public.

    Raises:
        CohortTooSmall: n < max(2, t + 1).
        ProtocolError: not sorted, a name twice, or a negative tolerance.
    """
    if tolerance < 0:
        raise ProtocolError("The tolerance cannot be negative. Correct the plan.")
    if list(cohort) != sorted(set(cohort)):
        raise ProtocolError("A cohort names each department once, in sorted order.")
    minimum = max(SMALLEST_COHORT, tolerance + 1)
    if len(cohort) < minimum:
        raise CohortTooSmall(len(cohort), minimum)


def mask_for(
    pair_secret: bytes,
    *,
    plan: bytes,
    attempt: int,
    round: int,  # noqa: A002 - the protocol's word
    cohort: tuple[str, ...],
    me: str,
    peer: str,
    size: int,
) -> RingVector:
    """Make the mask that `me` adds for `peer`: plus the pair's keystream if me < peer, else minus.

    The keystream is ChaCha20 (RFC 8439) under
    HKDF-SHA256(pair secret; label, plan, attempt, round, cohort, ordered pair).

    Guarantee: mask_for(me, peer) + mask_for(peer, me) = 0 modulo 2^64; without the pair secret a
    mask is computationally indistinguishable from uniform, and masks of different plans,
    attempts, rounds, cohorts or pairs are independent (Bonawitz et al. 2017, section 4.1). The
    same arguments give the same mask: a caller must never mask two vectors under one
    (plan, attempt, round).

    Args:
        pair_secret: 32 bytes from `keys.pair_secret`; sensitive.
        plan: SHA-256 digest of the plan, 32 bytes; public.
        attempt: 0 <= attempt < 2^63; public.
        round: 0 <= round < 2^63; public.
        cohort: department names, sorted, each once; public.
        me: the department that adds this mask; public.
        peer: another department of the cohort; public.
        size: number of coordinates, >= 0; public.

    Returns:
        Shape [size], uint64; sensitive.

    Raises:
        CohortTooSmall: fewer than two departments.
        ProtocolError: an argument is outside the ranges above.
    """
    check_cohort(cohort, tolerance=0)
    if me == peer or me not in cohort or peer not in cohort:
        raise ProtocolError("A mask is between two departments of the cohort.")
    if len(pair_secret) != KEY_BYTES or size < 0:
        raise ProtocolError("A mask needs a pair secret of 32 bytes and a size of at least 0.")
    low, high = sorted((me, peer))
    key = derived_key(
        pair_secret,
        label=_LABEL,
        context=(
            binding(plan=plan, attempt=attempt, round=round, cohort=cohort),
            low.encode(),
            high.encode(),
        ),
    )
    stream = Cipher(algorithms.ChaCha20(key, _NONCE), mode=None).encryptor()
    words = np.frombuffer(stream.update(bytes(_WORD_BYTES * size)), dtype="<u8").astype(np.uint64)
    return words if me == low else np.negative(words)


def add_masks(vector: RingVector, masks: Iterable[RingVector]) -> RingVector:
    """Add masks to a vector modulo 2^64, in a new array.

    Args:
        vector: shape [d]; sensitive.
        masks: each of shape [d]; sensitive.

    Returns:
        Shape [d]. Public once it holds at least one mask whose pair secret the reader lacks.

    Raises:
        ProtocolError: a mask of another shape.
    """
    total = vector.copy()
    for mask in masks:
        if mask.shape != total.shape:
            raise ProtocolError("A mask and its vector differ in length.")
        total += mask
    return total


def binding(*, plan: bytes, attempt: int, round: int, cohort: tuple[str, ...]) -> bytes:  # noqa: A002
    """Encodes, in one way only, which answer a mask belongs to.

    Raises:
        ProtocolError: a plan digest that is not 32 bytes, or a number outside [0, 2^63).
    """
    if len(plan) != KEY_BYTES or not all(0 <= number < 2**63 for number in (attempt, round)):
        raise ProtocolError(
            "A mask is bound to a plan digest of 32 bytes and to an attempt and a round >= 0."
        )
    names = framed(*(name.encode() for name in cohort))
    return framed(plan, attempt.to_bytes(8, "big"), round.to_bytes(8, "big"), names)
