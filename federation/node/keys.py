"""A department's keys as enrolment writes them into its folder."""

from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from federation.derivation import derived_key
from federation.errors import SettingsInvalid

_NOISE_LABEL = b"infosandbox/noise/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class DepartmentFolder:
    """What a department's folder holds for its node. Private keys are hidden from repr.

    identity: signs session announcements. sealing: opens envelopes. pseudonym: 32 bytes, makes the
    department's pseudonyms. root: the firm's pinned root key. roster: as the file, unchecked.
    """

    identity: Ed25519PrivateKey = field(repr=False)
    sealing: X25519PrivateKey = field(repr=False)
    pseudonym: bytes = field(repr=False)
    root: Ed25519PublicKey
    roster: bytes = field(repr=False)


def noise_secret(identity: Ed25519PrivateKey) -> bytes:
    """Return the key of the department's noise pool, 32 bytes; secret."""
    return derived_key(identity.private_bytes_raw(), label=_NOISE_LABEL, context=())


def load_keys(folder: Path) -> DepartmentFolder:
    """Read a department's folder of the enrolment.

    Raises:
        SettingsInvalid: a file is missing or holds no key of its kind; names the file.
    """
    identity = _private(folder / "identity.key")
    if not isinstance(identity, Ed25519PrivateKey):
        raise SettingsInvalid(str(folder / "identity.key"), "is not an Ed25519 private key")
    sealing = _private(folder / "sealing.key")
    if not isinstance(sealing, X25519PrivateKey):
        raise SettingsInvalid(str(folder / "sealing.key"), "is not an X25519 private key")
    root = _public(folder / "root.pub")
    if not isinstance(root, Ed25519PublicKey):
        raise SettingsInvalid(str(folder / "root.pub"), "is not an Ed25519 public key")
    return DepartmentFolder(
        identity=identity,
        sealing=sealing,
        pseudonym=_bytes(folder / "pseudonym.key"),
        root=root,
        roster=_bytes(folder / "roster.signed"),
    )


def _private(path: Path) -> object:
    try:
        return load_pem_private_key(_bytes(path), password=None)
    except (ValueError, TypeError):
        raise SettingsInvalid(str(path), "is no PEM key without a password") from None


def _public(path: Path) -> object:
    try:
        return load_pem_public_key(_bytes(path))
    except ValueError:
        raise SettingsInvalid(str(path), "is no PEM key") from None


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsInvalid(str(path), error.strerror or "cannot be read") from error
