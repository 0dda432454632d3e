"""Level proofs: show "level >= k" of a client, for one department and epoch, no more. Pure.

A chain of hashes runs from x4 = HMAC(seed key, whom) down to the anchor x0, one step per level, and
the consent service signs the anchor. The holder of level l gets x_l. It proves any k <= l with
x_k, which it hashes down to; a verifier hashes k steps further and compares with the anchor. This
is the chain of PayWord (Rivest, Shamir 1996) and HashWires (Chalkias and others 2021), of length 4.

Guarantee: whoever holds x_l can make no proof for a level above l without inverting SHA-256, since
that is an earlier link of the chain; every step hashes its number, the department, the epoch and
the pseudonym, so no link of one chain fits into another. `docs/level-proof.md` says what it does
not do.

A proof tells nothing of the level above k: x_k, the anchor and its signature are the same for
every l >= k.
"""

import hmac
import struct
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consent.errors import UnknownLevel
from consent.levels import Level, level_of
from consent.log_errors import LevelNotReached, LevelProofInvalid

LINK_BYTES = 32
PSEUDONYM_BYTES = 16
MINIMUM_KEY_BYTES = 32
MINIMUM_NONCE_BYTES = 16
CLOCK_SKEW_S = 60
_LONGEST_NAME = 64
_SIGNATURE_BYTES = 64
_ANCHOR = b"infosandbox/level-anchor/v1\x00"
_SEED = b"infosandbox/level-seed/v1\x00"
_LINK = b"infosandbox/level-link/v1\x00"
_SHOW = b"infosandbox/level-show/v1\x00"
_HEADER = struct.Struct(">HQQQ")  # department's length, epoch, issued, expires
_PUBLIC_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Whom:
    """Whose chain it is: a client at one department in one epoch. pseudonym: 16 bytes, hidden."""

    department: str
    epoch: int
    pseudonym: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse with LevelProofInvalid what names no client, department or epoch."""
        if len(self.pseudonym) != PSEUDONYM_BYTES:
            raise LevelProofInvalid(f"a pseudonym has {PSEUDONYM_BYTES} bytes")
        if not 0 <= self.epoch < 2**63 or not 0 < len(self.department) <= _LONGEST_NAME:
            raise LevelProofInvalid("its department or epoch is out of range")

    @property
    def bytes(self) -> bytes:
        """The same bytes for the same client, department and epoch, and for no other."""
        name = self.department.encode()
        return struct.pack(">HQ", len(name), self.epoch) + name + self.pseudonym


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """The signed end of a chain, as a verifier opens it. The same for every level.

    issued_at, expires_at: seconds since the Unix epoch. holder: an Ed25519 public key (32 bytes)
    that must show the proof, or b"" for whoever has it. link: x0.
    """

    whom: Whom
    issued_at: int
    expires_at: int
    holder: bytes
    link: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What a holder keeps: the signed anchor, to be shown, and the level's own link (secret)."""

    anchor: bytes = field(repr=False)
    whom: Whom
    level: Level = field(repr=False)
    link: bytes = field(repr=False)


def issue(
    level: int,
    whom: Whom,
    *,
    seed_key: bytes,
    signing_key: Ed25519PrivateKey,
    issued_at: int,
    expires_at: int,
    holder: bytes = b"",
) -> Credential:
    """Issue the credential of a client's level. Level 0 gets one too; it proves nothing.

    Args:
        level: in force in this epoch, 0 to 4 (sensitive).
        whom: the client's pseudonym for this department, and the epoch.
        seed_key: the consent service's, at least 32 bytes, used for nothing else (secret).
        signing_key: the consent service's (secret).
        issued_at: seconds since the Unix epoch.
        expires_at: the same; no later than the epoch's own end.
        holder: an Ed25519 public key to bind every proof to, or b"".

    Raises:
        UnknownLevel: not 0 to 4.
        LevelProofInvalid: a key or a time is out of range; nothing was issued.
    """
    reached = level_of(level)
    if len(seed_key) < MINIMUM_KEY_BYTES:
        raise LevelProofInvalid(f"a seed key has at least {MINIMUM_KEY_BYTES} random bytes")
    if not 0 <= issued_at < expires_at < 2**63 or len(holder) not in (0, _PUBLIC_BYTES):
        raise LevelProofInvalid("its times or its holder's key are out of range")
    seed = hmac.digest(seed_key, _SEED + whom.bytes, "sha256")
    link = _down(seed, whom, start=max(Level), stop=reached)
    end = _down(link, whom, start=reached, stop=Level.NONE)
    name = whom.department.encode()
    body = (
        _HEADER.pack(len(name), whom.epoch, issued_at, expires_at)
        + name
        + whom.pseudonym
        + end
        + holder
    )
    anchor = body + signing_key.sign(_ANCHOR + body)
    return Credential(anchor=anchor, whom=whom, level=reached, link=link)


def prove(credential: Credential, at_least: int) -> bytes:
    """Return the proof that the level is at least so high: 32 bytes, to be shown with the anchor.

    Args:
        credential: the holder's (secret).
        at_least: 1 to 4; 0 holds for everyone and has no proof.

    Raises:
        UnknownLevel: not 1 to 4.
        LevelNotReached: the credential does not cover it; the error does not say what it covers.
    """
    wanted = _provable(at_least)
    if wanted > credential.level:
        raise LevelNotReached(at_least)
    return _down(credential.link, credential.whom, start=credential.level, stop=wanted)


def show(proof: bytes, nonce: bytes, holder_key: Ed25519PrivateKey) -> bytes:
    """Bind a proof to a verifier's nonce with the key that the anchor names; 64 bytes."""
    return holder_key.sign(_SHOW + proof + nonce)


def verify(
    anchor: bytes,
    proof: bytes,
    at_least: int,
    *,
    key: Ed25519PublicKey,
    department: str,
    epoch: int,
    now: int,
    nonce: bytes = b"",
    shown: bytes = b"",
) -> Anchor:
    """Check a proof of "level >= at_least" and return the anchor it belongs to.

    Args:
        anchor: as it arrived; not trusted.
        proof: as it arrived; not trusted.
        at_least: 1 to 4.
        key: the consent service's pinned public key.
        department: whose pseudonyms the verifier knows.
        epoch: the newest the verifier knows; a proof of an older one may be of a withdrawn level.
        now: seconds since the Unix epoch.
        nonce: what this verifier gave the holder, fresh and at least 16 bytes, if it did.
        shown: what the holder made of it with ``show``.

    Raises:
        LevelProofInvalid: says what does not hold; the client and the level are not in it.
        UnknownLevel: not 1 to 4.
    """
    wanted = _provable(at_least)
    opened = _open(anchor, key)
    if (opened.whom.department, opened.whom.epoch) != (department, epoch):
        raise LevelProofInvalid("it is for another department or epoch")
    if not opened.issued_at - CLOCK_SKEW_S <= now < opened.expires_at:
        raise LevelProofInvalid("it has expired or is not valid yet")
    if len(proof) != LINK_BYTES:
        raise LevelProofInvalid(f"a proof has {LINK_BYTES} bytes")
    end = _down(proof, opened.whom, start=wanted, stop=Level.NONE)
    if not hmac.compare_digest(end, opened.link):
        raise LevelProofInvalid("it does not lead to the signed anchor")
    if opened.holder or nonce or shown:
        _check_shown(opened.holder, proof, nonce, shown)
    return opened


def _open(anchor: bytes, key: Ed25519PublicKey) -> Anchor:
    body, signature = anchor[:-_SIGNATURE_BYTES], anchor[-_SIGNATURE_BYTES:]
    try:
        key.verify(signature, _ANCHOR + body)
    except InvalidSignature:
        raise LevelProofInvalid("its anchor is not signed by the consent service") from None
    size, epoch, issued_at, expires_at = _HEADER.unpack_from(body)
    name_end = _HEADER.size + size
    link_start = name_end + PSEUDONYM_BYTES
    whom = Whom(
        department=body[_HEADER.size : name_end].decode(),
        epoch=epoch,
        pseudonym=body[name_end:link_start],
    )
    return Anchor(
        whom=whom,
        issued_at=issued_at,
        expires_at=expires_at,
        link=body[link_start : link_start + LINK_BYTES],
        holder=body[link_start + LINK_BYTES :],
    )


def _down(link: bytes, whom: Whom, *, start: int, stop: int) -> bytes:
    """Hash from one level's link down to another's."""
    context = _LINK + whom.bytes
    for number in range(start, stop, -1):
        link = sha256(context + bytes([number]) + link).digest()
    return link


def _check_shown(holder: bytes, proof: bytes, nonce: bytes, shown: bytes) -> None:
    if not holder:
        raise LevelProofInvalid("its anchor names no holder who could bind it to a nonce")
    if len(nonce) < MINIMUM_NONCE_BYTES:
        raise LevelProofInvalid(f"a verifier's nonce has at least {MINIMUM_NONCE_BYTES} bytes")
    try:
        Ed25519PublicKey.from_public_bytes(holder).verify(shown, _SHOW + proof + nonce)
    except (InvalidSignature, ValueError):
        raise LevelProofInvalid("its holder has not bound it to this nonce") from None


def _provable(at_least: int) -> Level:
    if at_least == Level.NONE:
        raise UnknownLevel(at_least)
    return level_of(at_least)
