"""Consent epochs on their way to the nodes: signed by the consent service, sealed to one of them.

The delta rides on the plan's own message, so a node needs no second connection, and the epoch that
a permit names is the head of the register when the run is carried out: a withdrawal that was
acknowledged before is in it.
"""

from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from consent.deltas import delta_of
from consent.epochs import sign_delta
from consent.store import Register
from federation.errors import SettingsInvalid
from federation.messages import CONSENT_LABEL
from federation.roster import Roster
from federation.sealing import seal

LIFETIME_S = 600
"""A node that has heard of no epoch for this long refuses: it cannot know who withdrew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentKeys:
    """The consent service's keys, all of them secret and hidden.

    signing: epochs, receipts, level proofs and the log's checkpoints. pseudonym: one for each
    department, makes its pseudonyms. levels: makes the chains of level proofs. receipts: makes the
    pseudonyms in receipts, and the salts under which the log names staff.
    """

    signing: Ed25519PrivateKey = field(repr=False)
    pseudonym: dict[str, bytes] = field(repr=False)
    levels: bytes = field(repr=False)
    receipts: bytes = field(repr=False)


def load_consent_keys(folder: Path, departments: tuple[str, ...]) -> ConsentKeys:
    """Read the consent service's keys as enrolment wrote them; SettingsInvalid names the file."""
    return ConsentKeys(
        signing=load_signing_key(folder / "consent.key"),
        pseudonym={d: _secret(folder / "pseudonyms" / f"{d}.key") for d in departments},
        levels=_secret(folder / "levels.key"),
        receipts=_secret(folder / "receipts.key"),
    )


def load_signing_key(path: Path) -> Ed25519PrivateKey:
    """Read an Ed25519 key from a PKCS #8 PEM file; SettingsInvalid names the file."""
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError) as error:
        raise SettingsInvalid(str(path), "is missing or no private key") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsInvalid(str(path), "is not an Ed25519 key")
    return key


def _secret(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsInvalid(str(path), error.strerror or "cannot be read") from error


def sealed_delta(  # the head is read by the caller, once for all departments
    register: Register,
    *,
    department: str,
    after: int,
    head: int,
    keys: ConsentKeys,
    roster: Roster,
    now: int,
) -> bytes:
    """Return what changed between two epochs, for one department's eyes only.

    Once a client was erased after the epoch the node holds, it is everything there is, and the node
    drops what it held.

    Args:
        register: the standing of every client; sensitive.
        department: whose pseudonyms to use.
        after: the epoch the node holds, 0 for none.
        head: the epoch to bring it to.
        keys: of the consent service; sensitive.
        roster: pinned; public.
        now: seconds since the Unix epoch.

    Returns:
        A signed delta inside an envelope that only the department's sealing key opens.
    """
    if after < register.erased():  # read after the head was: what comes in between comes again
        after = 0
    changes = register.changes(after)  # some may be newer than the head: they come again, later
    delta = delta_of(
        changes,
        purposes=register.purposes(),
        key=keys.pseudonym[department],
        department=department,
        base=after,
        epoch=head,
        issued_at=now,
        expires_at=now + LIFETIME_S,
    )
    recipient = X25519PublicKey.from_public_bytes(roster.keys_of(department).sealing)
    return seal(recipient, sign_delta(delta, keys.signing), label=CONSENT_LABEL)
