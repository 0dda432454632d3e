"""One answer, one leg: a node masks its noised share, the coordinator adds, the masks cancel.

There is no recovery from a dropout, on purpose: a sum over fewer departments than announced would
let the coordinator subtract. If one vector is missing the attempt is abandoned, and the next one
uses fresh noise and fresh masks.

A node must never answer the same (plan, attempt, round) twice: the mask would be the same, and the
difference of the two answers would be bare. The functions here are pure and cannot remember; the
durable replay guard is `federation.node.journal`, which must record an answer before it leaves.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from federation.derivation import framed
from federation.errors import ProtocolError, SessionUnknown
from federation.roster import Roster
from federation.secure_aggregation.keys import (
    Announcement,
    SessionKey,
    pair_secret,
    verified_publics,
)
from federation.secure_aggregation.masks import add_masks, binding, check_cohort, mask_for
from privacy.lattice import IntVector, RingVector, from_ring, to_ring
from privacy.mechanisms import NoisedShare

_AGREEMENT = b"infosandbox/agreement/v1"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MaskedVector:
    """A department's noised share under its masks, with the header that says what it answers.

    Attributes:
        plan: digest, 32 bytes.
        attempt: from 0.
        round: from 0.
        cohort: the departments whose masks are in it, sorted.
        department: the sender.
        agreement: 32 bytes, equal at all nodes that used the same roster and session keys.
        values: shape [d], uint64; uniform to whoever lacks the pair secrets. Hidden from repr.
    """

    plan: bytes
    attempt: int
    round: int
    cohort: tuple[str, ...]
    department: str
    agreement: bytes
    values: RingVector = field(repr=False)


def masked_share(
    share: NoisedShare,
    *,
    session: SessionKey,
    announcements: Sequence[Announcement],
    roster: Roster,
    plan: bytes,
    attempt: int,
    round: int,  # noqa: A002 - the protocol's word
    cohort: tuple[str, ...],
) -> MaskedVector:
    """Mask this department's noised share towards every other department of the cohort.

    Guarantee: whoever lacks the pair secrets of at least one pair of honest departments of the
    cohort learns from all masked vectors nothing but the honest departments' sum (Bonawitz et
    al. 2017, Lemma 6.1, with pseudorandom masks). Two colluding departments of three are outside
    this: they and the coordinator read the third's noised share, which its noise must cover.

    Args:
        share: noise already in it; sensitive.
        session: this worker's key; sensitive.
        announcements: exactly one per department of the cohort, this one included; not trusted.
        roster: pinned; public.
        plan: digest of the plan, 32 bytes; public.
        attempt: of the plan; public.
        round: of the attempt; public.
        cohort: as the permit to run names it, sorted; public.

    Raises:
        CohortTooSmall: fewer than two departments.
        NotInRoster, WrongSignature: an announcement is not by its department.
        SessionUnknown: this department is announced with a key that is not `session`.
        ProtocolError: the announcements are not one for each department of the cohort.
    """
    check_cohort(cohort, tolerance=0)
    publics = verified_publics(announcements, roster)
    if tuple(publics) != cohort or session.department not in publics:
        raise ProtocolError(
            "The announcements do not match the cohort of the permit, this department included. "
            "Collect one from each department of the cohort."
        )
    me = session.department
    if publics[me] != session.public:
        raise SessionUnknown(me)
    values = to_ring(share.values)
    masks = (
        mask_for(
            pair_secret(session.private, publics[peer]),
            plan=plan,
            attempt=attempt,
            round=round,
            cohort=cohort,
            me=me,
            peer=peer,
            size=values.size,
        )
        for peer in cohort
        if peer != me
    )
    return MaskedVector(
        plan=plan,
        attempt=attempt,
        round=round,
        cohort=cohort,
        department=me,
        agreement=_agreement(
            binding(plan=plan, attempt=attempt, round=round, cohort=cohort), publics, roster
        ),
        values=add_masks(values, masks),
    )


def combine(vectors: Sequence[MaskedVector], cohort: tuple[str, ...]) -> IntVector:
    """Add the cohort's masked vectors; the masks cancel and the noised sum remains.

    Guarantee: the result is exactly the sum of the shares if that lies in [-2^63, 2^63).

    Args:
        vectors: one per department of the cohort, in any order; not trusted.
        cohort: the departments that were asked, sorted; public.

    Returns:
        The noised sum, shape [d], int64; to be released through `privacy.mechanisms.release`.

    Raises:
        CohortTooSmall: fewer than two departments.
        ProtocolError: a department is missing, foreign or there twice, or the vectors differ in
            plan, attempt, round, cohort, agreement (a node used another session or roster),
            type or length.
    """
    check_cohort(cohort, tolerance=0)
    if sorted(vector.department for vector in vectors) != list(cohort):
        raise ProtocolError(
            "There is not exactly one masked vector from each department of the cohort. "
            "Abandon the attempt; nothing can be released from it."
        )
    if any(vector.values.dtype != np.uint64 or vector.values.ndim != 1 for vector in vectors):
        raise ProtocolError("A masked vector is a flat array of uint64. Update the node.")
    headers = {(v.plan, v.attempt, v.round, v.cohort, v.agreement, v.values.size) for v in vectors}
    if len(headers) != 1 or vectors[0].cohort != cohort:
        raise ProtocolError(
            "The masked vectors do not belong together: plan, attempt, round, cohort, session "
            "keys or length differ. Abandon the attempt and collect fresh announcements."
        )
    first, *others = (vector.values for vector in vectors)
    return from_ring(add_masks(first, others))


def _agreement(bound_to: bytes, publics: dict[str, bytes], roster: Roster) -> bytes:
    parts = (_AGREEMENT, bound_to, roster.digest(), *publics.values())
    return hashlib.sha256(framed(*parts)).digest()
