"""What one department shares with each other one for one part of a cube: masks, and envelopes.

Everything derives from the session keys, which live in the workers' memory only: when these stop,
nobody can open what travelled.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from federation.derivation import derived_key
from federation.errors import ProtocolError
from federation.secure_aggregation.keys import SessionKey, pair_secret
from federation.secure_aggregation.masks import binding
from federation.secure_aggregation.triples import Words, random_matrix

_LABEL = b"infosandbox/cube-envelope/v1"
_NONCE = bytes(12)  # every key encrypts exactly one message


@dataclass(frozen=True, slots=True, kw_only=True)
class PartKeys:
    """One department's secrets with the others, bound to a plan, attempt, cohort and part.

    me: the department. secrets: by other department, 32 bytes each; sensitive, hidden.
    bound_to: from `masks.binding`, so that no keystream is ever used twice.
    """

    me: str
    bound_to: bytes
    secrets: Mapping[str, bytes] = field(repr=False)

    def matrix(self, peer: str, use: tuple[str, ...], *, rows: int, columns: int) -> Words:
        """Make the random matrix that this department shares with a peer for one use."""
        context = (self.bound_to, *(word.encode() for word in use))
        return random_matrix(self.secrets[peer], context=context, rows=rows, columns=columns)

    def seal(self, recipient: str, plaintext: bytes) -> bytes:
        """Encrypt for one department and prove who did (ChaCha20-Poly1305, RFC 8439).

        Guarantee: only the two departments can read it or make it; an envelope for another plan,
        attempt, part or direction does not open. Seal one message for each recipient and part.
        """
        return self._cipher(recipient, self.me, recipient).encrypt(_NONCE, plaintext, None)

    def open(self, sender: str, envelope: bytes) -> bytes:
        """Decrypt what a department sealed for this one.

        Raises:
            ProtocolError: truncated, altered, or sealed by or for somebody else.
        """
        try:
            return self._cipher(sender, sender, self.me).decrypt(_NONCE, envelope, None)
        except InvalidTag:
            raise ProtocolError(
                f"A sealed matrix of {sender} does not open. Start the cube again."
            ) from None

    def _cipher(self, peer: str, sender: str, recipient: str) -> ChaCha20Poly1305:
        context = (self.bound_to, sender.encode(), recipient.encode())
        return ChaCha20Poly1305(derived_key(self.secrets[peer], label=_LABEL, context=context))


def part_keys(
    session: SessionKey,
    publics: Mapping[str, bytes],
    *,
    plan: bytes,
    attempt: int,
    part: int,
    cohort: tuple[str, ...],
) -> PartKeys:
    """Derive one part's keys with every other department.

    Args:
        session: this worker's key; sensitive.
        publics: verified session key by department, this one included; public.
        plan: digest, 32 bytes; public.
        attempt: of the plan; public.
        part: of the attempt; public.
        cohort: of the plan, sorted; public.
    """
    me = session.department
    return PartKeys(
        me=me,
        bound_to=binding(plan=plan, attempt=attempt, round=part, cohort=cohort),
        secrets={d: pair_secret(session.private, key) for d, key in publics.items() if d != me},
    )
