"""Enrolment: every key of a firm's federation, written once, each where only its owner reads it.

It makes all parties' keys on one machine, which suits a demo and a test. Between machines, move
each department's folder to its node, the firm's folder off line, and delete them here.
"""

import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import rfc8785
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from federation.deployment.certificates import Authority, new_authority, server_certificate
from federation.deployment.errors import AlreadyEnrolled, InvalidName, NotEnrolled
from federation.roster import DepartmentKeys, Roster, sign_roster
from federation.sealing import seal

ALIGNMENT_KEY_LABEL = b"infosandbox/alignment-key/v1"
"""Opens ``DepartmentKeys.alignment_key_sealed`` with the department's sealing key."""

_DEPARTMENT = re.compile(r"[a-z][a-z0-9_]{0,31}")
_FIRM_CHARACTERS = 40  # leaves room in a certificate's common name, 64 at most
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """Where an enrolment's files are. It holds names and paths, no key.

    coordinator/: permit.key, control.token, superexec.secret, superlink.{crt,key}, ca.crt,
        roster.signed, root.pub, ca.crt.
    consent/: consent.key, levels.key, receipts.key, pseudonyms/<department>.key, roster.signed,
        root.pub, ca.crt.
    departments/<name>/: identity.key, sealing.key, flower.key, superexec.secret, pseudonym.key,
        runtime.{crt,key}, ca.crt, roster.signed, root.pub, ca.crt.
    firm/: root.key, ca.key, ca.crt, root.pub; needed only to enrol or renew.

    Private keys are PKCS #8 PEM, but flower.key (OpenSSH, as Flower wants it) and, 32 bytes as they
    are, pseudonym.key, levels.key and receipts.key; root.pub is PEM. Folders are 0700, files 0600.
    """

    firm: str
    folder: Path
    departments: tuple[str, ...]

    @property
    def coordinator(self) -> Path:
        """The coordinator's folder."""
        return self.folder / "coordinator"

    @property
    def consent(self) -> Path:
        """The consent service's folder."""
        return self.folder / "consent"

    def department(self, name: str) -> Path:
        """The folder of one department."""
        return self.folder / "departments" / name


@dataclass(frozen=True, slots=True, kw_only=True)
class _Keys:
    """A department's private keys while they are being written."""

    name: str
    identity: Ed25519PrivateKey = field(repr=False)
    sealing: X25519PrivateKey = field(repr=False)
    flower: ec.EllipticCurvePrivateKey = field(repr=False)
    pseudonym: bytes = field(repr=False)


def read_enrolment(folder: Path) -> Enrolment:
    """Find an enrolment that was written before.

    Raises:
        NotEnrolled: the folder holds none.
    """
    try:
        mark = json.loads((folder / "enrolment.json").read_bytes())
        names = tuple(str(name) for name in mark["departments"])
        return Enrolment(firm=str(mark["firm"]), folder=folder, departments=names)
    except (OSError, ValueError, KeyError, TypeError):
        raise NotEnrolled(folder) from None


def enrol(
    firm: str,
    departments: Sequence[str],
    folder: Path,
    *,
    now: datetime,
    hosts: Sequence[str] = (),
) -> Enrolment:
    """Make and write every key of a new federation: all of it or nothing.

    Args:
        firm: 1 to 40 characters; public.
        departments: two or more distinct names of a-z, 0-9 and _; public.
        folder: must not exist or be empty.
        now: aware datetime from which the certificates are valid.
        hosts: names and addresses of the SuperLink, besides loopback.

    Raises:
        AlreadyEnrolled: the folder is not empty.
        InvalidName: a name is malformed or repeated.
    """
    _check(firm, departments)
    root, permit, consent = (Ed25519PrivateKey.generate() for _ in range(3))
    keys = [
        _Keys(
            name=name,
            identity=Ed25519PrivateKey.generate(),
            sealing=X25519PrivateKey.generate(),
            flower=ec.generate_private_key(ec.SECP384R1()),
            pseudonym=secrets.token_bytes(_SECRET_BYTES),
        )
        for name in sorted(departments)
    ]
    roster = _roster(firm, keys, permit=permit.public_key(), consent=consent.public_key())
    authority = new_authority(firm, now=now)
    shared = {
        "roster.signed": sign_roster(roster, root),
        "root.pub": _public_pem(root),
        "ca.crt": authority.certificate_pem(),
    }
    names = tuple(key.name for key in keys)
    mark = {"firm": firm, "departments": names, "enrolled_at": now.isoformat()}
    with _new_folder(folder) as draft:
        files = {
            **{f"firm/{name}": content for name, content in shared.items()},
            "firm/root.key": _private_pem(root),
            "firm/ca.key": _private_pem(authority.key),
            **{f"coordinator/{name}": content for name, content in shared.items()},
            **_coordinator_files(authority, permit, hosts, now=now),
            **{f"consent/{name}": content for name, content in shared.items()},
            "consent/consent.key": _private_pem(consent),
            "consent/levels.key": secrets.token_bytes(_SECRET_BYTES),
            "consent/receipts.key": secrets.token_bytes(_SECRET_BYTES),
            **{f"consent/pseudonyms/{key.name}.key": key.pseudonym for key in keys},
            "enrolment.json": rfc8785.dumps(mark),
        }
        for key in keys:
            files |= _department_files(key, shared, authority, now=now)
        for name, content in files.items():
            _put(draft, name, content)
    return Enrolment(firm=firm, folder=folder, departments=names)


def _check(firm: str, departments: Sequence[str]) -> None:
    if not 1 <= len(firm.strip()) <= _FIRM_CHARACTERS:
        raise InvalidName(firm)
    for name in departments:
        if not _DEPARTMENT.fullmatch(name) or list(departments).count(name) > 1:
            raise InvalidName(name)
    if len(departments) <= 1:
        raise InvalidName("".join(departments))


def _roster(
    firm: str, keys: Sequence[_Keys], *, permit: Ed25519PublicKey, consent: Ed25519PublicKey
) -> Roster:
    """Gather the public keys; the alignment key exists in the envelopes only, never in a file."""
    alignment = secrets.token_bytes(_SECRET_BYTES)
    return Roster(
        firm=firm,
        coordinator=permit.public_bytes_raw(),
        consent=consent.public_bytes_raw(),
        departments=tuple(
            DepartmentKeys(
                department=key.name,
                identity=key.identity.public_key().public_bytes_raw(),
                sealing=key.sealing.public_key().public_bytes_raw(),
                flower=key.flower.public_key()
                .public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
                .decode(),
                alignment_key_sealed=seal(
                    key.sealing.public_key(), alignment, label=ALIGNMENT_KEY_LABEL
                ),
            )
            for key in keys
        ),
    )


def _coordinator_files(
    authority: Authority, permit: Ed25519PrivateKey, hosts: Sequence[str], *, now: datetime
) -> dict[str, bytes]:
    certificate, key = server_certificate(authority, "superlink", hosts, now=now)
    return {
        "coordinator/permit.key": _private_pem(permit),
        "coordinator/control.token": secrets.token_urlsafe(_SECRET_BYTES).encode(),
        "coordinator/superexec.secret": secrets.token_bytes(_SECRET_BYTES),
        "coordinator/superlink.crt": certificate,
        "coordinator/superlink.key": key,
    }


def _department_files(
    keys: _Keys, shared: dict[str, bytes], authority: Authority, *, now: datetime
) -> dict[str, bytes]:
    certificate, key = server_certificate(authority, keys.name, (), now=now)
    files = {
        **shared,
        "identity.key": _private_pem(keys.identity),
        "sealing.key": _private_pem(keys.sealing),
        "flower.key": keys.flower.private_bytes(
            Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()
        ),
        "superexec.secret": secrets.token_bytes(_SECRET_BYTES),
        "pseudonym.key": keys.pseudonym,
        "runtime.crt": certificate,
        "runtime.key": key,
    }
    return {f"departments/{keys.name}/{name}": content for name, content in files.items()}


def _private_pem(key: Ed25519PrivateKey | X25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _public_pem(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """Fill a folder beside the wanted one, then rename it: all of an enrolment or nothing."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise AlreadyEnrolled(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.parent / f".{folder.name}.{secrets.token_hex(4)}"
    draft.mkdir(mode=0o700)
    try:
        yield draft
        try:
            draft.rename(folder)
        except OSError:
            raise AlreadyEnrolled(folder) from None
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _put(folder: Path, name: str, content: bytes) -> None:
    *parents, _file = Path(name).parts
    for part in parents:
        folder = folder / part
        folder.mkdir(mode=0o700, exist_ok=True)
    handle = os.open(folder / _file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
