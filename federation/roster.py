"""Who belongs to the federation: every department's public keys, signed by the firm's root key.

The signed file is pinned at every node and at the coordinator. It holds public keys and sealed
envelopes only. It is RFC 8785 canonical JSON, {"roster": ..., "signature": hex}; the Ed25519
signature is over a label and the canonical JSON of the roster, each framed with its length.
"""

import hashlib
import json
from typing import Annotated, Self

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from federation.derivation import framed
from federation.errors import NotInRoster, ProtocolError, WrongSignature
from federation.plan_base import Name

_LABEL = b"infosandbox/roster/v1"
_AS_HEX = ConfigDict(
    frozen=True, strict=True, extra="forbid", ser_json_bytes="hex", val_json_bytes="hex"
)

PublicKey = Annotated[bytes, Field(min_length=32, max_length=32)]


class DepartmentKeys(BaseModel):
    """One department's public keys.

    Attributes:
        department: its name, as in the catalogue.
        identity: Ed25519, raw 32 bytes; signs session announcements and cosigns the log.
        sealing: X25519, raw 32 bytes; opens envelopes made by `federation.sealing`.
        flower: the SuperNode's public key in OpenSSH format.
        alignment_key_sealed: the departments' shared alignment key, sealed to `sealing`.
    """

    model_config = _AS_HEX

    department: Name
    identity: PublicKey
    sealing: PublicKey
    flower: Annotated[str, Field(min_length=1)]
    alignment_key_sealed: Annotated[bytes, Field(min_length=1)]


class Roster(BaseModel):
    """The federation's members. All fields are public.

    Attributes:
        firm: the firm's name.
        departments: at least two, sorted by name, no key used twice.
        coordinator: Ed25519, raw 32 bytes; signs permits to run.
        consent: Ed25519, raw 32 bytes; signs consent epochs.
    """

    model_config = _AS_HEX

    firm: Annotated[str, Field(min_length=1)]
    departments: Annotated[tuple[DepartmentKeys, ...], Field(min_length=2)]
    coordinator: PublicKey
    consent: PublicKey

    @model_validator(mode="after")
    def _names_sorted_and_keys_distinct(self) -> Self:
        names = self.names
        if list(names) != sorted(set(names)):
            raise ValueError("departments must be sorted by name, each named once")
        signing = [self.coordinator, self.consent, *(keys.identity for keys in self.departments)]
        sealing = [keys.sealing for keys in self.departments]
        flower = [keys.flower for keys in self.departments]
        if any(len(set(group)) != len(group) for group in (signing, sealing, flower)):
            raise ValueError("no two members may share a key")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The departments' names, sorted."""
        return tuple(keys.department for keys in self.departments)

    def keys_of(self, department: str) -> DepartmentKeys:
        """Look a department up.

        Raises:
            NotInRoster: the roster does not name it.
        """
        for keys in self.departments:
            if keys.department == department:
                return keys
        raise NotInRoster(department)

    def digest(self) -> bytes:
        """SHA-256 of the canonical JSON, 32 bytes: the roster's name in every announcement."""
        return hashlib.sha256(_canonical(self)).digest()


def sign_roster(roster: Roster, firm_root: Ed25519PrivateKey) -> bytes:
    """Sign a roster with the firm's root key.

    Args:
        roster: public.
        firm_root: sensitive; belongs off line.

    Returns:
        The signed file, UTF-8 JSON; public.
    """
    return _file(roster, firm_root.sign(framed(_LABEL, _canonical(roster))))


def open_roster(data: bytes, root_public: Ed25519PublicKey) -> Roster:
    """Check a signed roster against the pinned root key and read it.

    Guarantee: returns only what the root key signed, and only from the very bytes that
    `sign_roster` wrote.

    Args:
        data: the signed file; public, not trusted.
        root_public: the firm's root key, pinned out of band; public.

    Raises:
        WrongSignature: any byte differs from what the root key's owner wrote.
        ProtocolError: rightly signed, but by a version with other fields or rules.
    """
    try:
        document = json.loads(data)
        signature = bytes.fromhex(document["signature"])
        payload = rfc8785.dumps(document["roster"])
        root_public.verify(signature, framed(_LABEL, payload))
    except (ValueError, TypeError, KeyError, RecursionError, InvalidSignature) as err:
        raise WrongSignature("the roster") from err
    try:
        roster = Roster.model_validate_json(payload)
    except ValidationError as err:
        raise ProtocolError(
            "The roster is signed, but its fields or rules are of another version. "
            "Sign it again with the tools of this version."
        ) from err
    if data != _file(roster, signature):
        raise WrongSignature("the roster")
    return roster


def _canonical(roster: Roster) -> bytes:
    return rfc8785.dumps(roster.model_dump(mode="json"))


def _file(roster: Roster, signature: bytes) -> bytes:
    return rfc8785.dumps({"roster": roster.model_dump(mode="json"), "signature": signature.hex()})
