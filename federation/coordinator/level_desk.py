"""Level proofs on demand: "this client has authorized at least level k", and not the level.

The service makes a proof for one department, in the newest epoch, and hands out no link of the
chain above the level that was asked for. Its caveats: `docs/level-proof.md`.
"""

import hmac
from dataclasses import dataclass, field
from datetime import datetime

from consent.epochs import pseudonym
from consent.errors import UnknownDepartment
from consent.level_proof import Whom, issue, prove, verify
from consent.log_errors import LevelProofInvalid
from federation.coordinator.desk import Desk
from federation.coordinator.epochs import LIFETIME_S

_TRIES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelProof:
    """What a verifier is shown. anchor: signed. proof: 32 bytes. expires_at: in seconds."""

    department: str
    epoch: int
    at_least: int
    expires_at: int
    anchor: bytes = field(repr=False)
    proof: bytes = field(repr=False)


def prove_level(
    client_id: str, at_least: int, desk: Desk, *, department: str, holder: bytes, now: datetime
) -> LevelProof:
    """Make the proof that a client has authorized at least a level, for one department.

    Args:
        client_id: the normalized id (sensitive).
        at_least: 1 to 4.
        desk: of the coordinator.
        department: under whose pseudonym.
        holder: an Ed25519 public key to bind the proof to, or b"".
        now: with a time zone.

    Raises:
        InvalidClientId, UnknownClient, UnknownDepartment, UnknownLevel: there is no such.
        LevelNotReached: the level in force is lower; it does not say which it is.
        LevelProofInvalid: the holder's key is none.
    """
    keys, at = desk.evidence.keys, int(now.timestamp())
    if department not in keys.pseudonym:
        raise UnknownDepartment(department, tuple(keys.pseudonym))
    epoch, level = _at_one_moment(client_id, desk, now)
    whom = Whom(
        department=department,
        epoch=epoch,
        pseudonym=pseudonym(keys.pseudonym[department], client_id),
    )
    credential = issue(
        level,
        whom,
        seed_key=keys.levels,
        signing_key=keys.signing,
        issued_at=at,
        expires_at=at + LIFETIME_S,
        holder=holder,
    )
    return LevelProof(
        department=department,
        epoch=epoch,
        at_least=at_least,
        expires_at=at + LIFETIME_S,
        anchor=credential.anchor,
        proof=prove(credential, at_least),
    )


def check_level(
    shown: LevelProof, desk: Desk, *, nonce: bytes, signature: bytes, now: datetime
) -> None:
    """Check a proof for a department, and that nothing of its client has changed since its epoch.

    Args:
        shown: as it arrived; not trusted.
        desk: of the coordinator.
        nonce: what the verifier gave the holder, or b"".
        signature: what the holder made of it, or b"".
        now: with a time zone.

    Raises:
        UnknownDepartment, UnknownLevel: there is no such.
        LevelProofInvalid: it does not hold here and now.
    """
    keys = desk.evidence.keys
    if shown.department not in keys.pseudonym:
        raise UnknownDepartment(shown.department, tuple(keys.pseudonym))
    anchor = verify(
        shown.anchor,
        shown.proof,
        shown.at_least,
        key=keys.signing.public_key(),
        department=shown.department,
        epoch=shown.epoch,
        now=int(now.timestamp()),
        nonce=nonce,
        shown=signature,
    )
    if shown.epoch < desk.register.erased():
        raise LevelProofInvalid("a client was erased since; have a new one made")
    mine = keys.pseudonym[shown.department]
    for change in desk.register.changes(shown.epoch):
        if hmac.compare_digest(pseudonym(mine, change.client_id), anchor.whom.pseudonym):
            raise LevelProofInvalid("the client's authorization has changed since")


def _at_one_moment(client_id: str, desk: Desk, now: datetime) -> tuple[int, int]:
    """Return an epoch and the level in force in it; a change in between is looked at again."""
    for _ in range(_TRIES):
        epoch = desk.register.head()
        level = int(desk.register.level(client_id, now))
        if desk.register.head() == epoch:
            return epoch, level
    raise LevelProofInvalid("the register changes too fast to name an epoch")
