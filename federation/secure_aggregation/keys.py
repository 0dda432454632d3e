"""Session keys: who a node masks with, proven by the roster's identity keys.

A worker makes one X25519 key when it starts, keeps it in memory and announces its public half,
signed by the department's identity. All masks of the session derive from these keys, so a
question costs one leg; when the worker stops, the session's masks cannot be rebuilt by anyone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from pydantic import BaseModel, ConfigDict, Field

from federation.derivation import derived_key, framed
from federation.errors import ProtocolError, WrongSignature
from federation.plan_base import Name
from federation.roster import PublicKey, Roster

SESSION_BYTES = 16

_ANNOUNCEMENT = b"infosandbox/session-announcement/v1"
_PAIR = b"infosandbox/pair-secret/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionKey:
    """One worker session's key, held in memory only.

    Attributes:
        department: the owner.
        session: 16 random bytes that name the session; public.
        private: made for this session only; sensitive, hidden from repr.
    """

    department: str
    session: bytes
    private: X25519PrivateKey = field(repr=False)

    @property
    def public(self) -> bytes:
        """The X25519 public key, raw 32 bytes."""
        return self.private.public_key().public_bytes_raw()


class Announcement(BaseModel):
    """A session's public key with its owner's signature. Everything is public; JSON holds hex.

    Attributes:
        department: the owner.
        session: 16 bytes.
        public: X25519, raw 32 bytes.
        signature: Ed25519, 64 bytes, by the department's identity key.
    """

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", ser_json_bytes="hex", val_json_bytes="hex"
    )

    department: Name
    session: Annotated[bytes, Field(min_length=16, max_length=16)]
    public: PublicKey
    signature: Annotated[bytes, Field(min_length=64, max_length=64)]


def announce(key: SessionKey, *, identity: Ed25519PrivateKey, roster: Roster) -> Announcement:
    """Sign a session's public key for the other departments of this roster.

    Args:
        key: sensitive; only its public half goes into the result.
        identity: the department's identity key; sensitive.
        roster: the pinned roster; public. The announcement is valid under no other.

    Raises:
        NotInRoster: the roster does not name the department.
        WrongSignature: `identity` is not the key that the roster names.
        ProtocolError: the session id is not 16 bytes.
    """
    if len(key.session) != SESSION_BYTES:
        raise ProtocolError(f"A session id is {SESSION_BYTES} random bytes.")
    signed = _signed_bytes(key.department, key.session, key.public, roster)
    announcement = Announcement(
        department=key.department,
        session=key.session,
        public=key.public,
        signature=identity.sign(signed),
    )
    verify_announcement(announcement, roster)
    return announcement


def verify_announcement(announcement: Announcement, roster: Roster) -> None:
    """Check that the department the roster names signed this session key under this roster.

    Guarantee: no one without the department's identity key can make a node mask with a key of
    their own (no man in the middle), as far as Ed25519 is unforgeable (RFC 8032). An old
    session's announcement stays valid; masks with it do not cancel, and `combine` refuses it.

    Args:
        announcement: public, not trusted.
        roster: the pinned roster; public.

    Raises:
        NotInRoster: the roster does not name the department.
        WrongSignature: the signature does not verify.
    """
    keys = roster.keys_of(announcement.department)
    signed = _signed_bytes(
        announcement.department, announcement.session, announcement.public, roster
    )
    try:
        Ed25519PublicKey.from_public_bytes(keys.identity).verify(announcement.signature, signed)
    except InvalidSignature as err:
        raise WrongSignature(f"the session announcement of {announcement.department}") from err


def pair_secret(private: X25519PrivateKey, peer_public: bytes) -> bytes:
    """Agree on a secret with one peer: X25519, then HKDF-SHA256 over both public keys.

    Both sides get the same bytes; nobody else can, under the gap Diffie-Hellman assumption.

    Args:
        private: this session's key; sensitive.
        peer_public: the peer's verified session key, raw 32 bytes; public.

    Returns:
        32 bytes; sensitive.

    Raises:
        ProtocolError: not 32 bytes, this session's own key, or of low order (its shared secret
            would be zero and known to everyone, RFC 7748 section 6.1).
    """
    own_public = private.public_key().public_bytes_raw()
    if peer_public == own_public:
        raise ProtocolError("A session cannot mask with itself. Collect fresh announcements.")
    try:
        secret = private.exchange(X25519PublicKey.from_public_bytes(peer_public))
    except ValueError as err:
        raise ProtocolError(
            "A session key is malformed or of low order. Its department must restart its worker."
        ) from err
    return derived_key(secret, label=_PAIR, context=tuple(sorted((own_public, peer_public))))


def verified_publics(announcements: Sequence[Announcement], roster: Roster) -> dict[str, bytes]:
    """Verify a cohort's announcements.

    Args:
        announcements: one per department, in any order; public, not trusted.
        roster: the pinned roster; public.

    Returns:
        Session public key by department, sorted by department.

    Raises:
        NotInRoster, WrongSignature: as `verify_announcement`.
        ProtocolError: a department announced twice, or two departments share a key.
    """
    for announcement in announcements:
        verify_announcement(announcement, roster)
    publics = {a.department: a.public for a in sorted(announcements, key=lambda a: a.department)}
    if len(set(publics.values())) != len(announcements):
        raise ProtocolError(
            "The cohort's announcements repeat a department or a key. Collect fresh announcements."
        )
    return publics


def _signed_bytes(department: str, session: bytes, public: bytes, roster: Roster) -> bytes:
    return framed(_ANNOUNCEMENT, department.encode(), session, public, roster.digest())
