"""Epochs: the register as one department may see it, sent as signed deltas of keyed pseudonyms.

Under its own key a department receives each pseudonym's standing: level, end, objections, family
closure and household. It can look up the clients whose ids it knows; the other entries stay opaque,
and two departments cannot compare theirs.
"""

import hmac
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Self

import numpy as np
import numpy.typing as npt
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consent.clients import checked_client_id
from consent.columns import OPTIONAL, Columns, ordered, widths
from consent.errors import EpochInvalid, EpochStale, KeyTooShort
from consent.packed import PSEUDONYM_BYTES, Halves, Roll, groups_of, rolled

MINIMUM_KEY_BYTES = 32
UNKNOWN_HOUSEHOLD = -1
_SIGNATURE_BYTES = 64
_LARGEST_TIME = 2**63 - 1
_DOMAIN = b"infosandbox/consent-epoch-delta\x00"
_VERSION = 2
_HEADER = struct.Struct(">BBHIQQQQI")
"""Version, columns present, lengths of department and purposes, base, epoch, issued, expires, n."""


def pseudonym(key: bytes, client_id: str) -> bytes:
    """Return a client's pseudonym under one department's key: HMAC-SHA256 (RFC 2104), 16 bytes.

    Args:
        key: the department's pseudonym key, at least 32 bytes (secret).
        client_id: the normalized id (sensitive).

    Raises:
        KeyTooShort: fewer than 32 bytes could be searched.
        InvalidClientId: the id is not normalized.
    """
    return _keyed(key, checked_client_id(client_id).encode())


def pseudonyms(key: bytes, client_ids: Iterable[str]) -> list[bytes]:
    """Return the pseudonym of each id, in order; as ``pseudonym``."""
    return [pseudonym(key, client_id) for client_id in client_ids]


def household_pseudonym(key: bytes, household_id: str) -> bytes:
    """Return a household's pseudonym, as ``pseudonym``; never one of a client, whatever the ids.

    A client's id has no NUL, so the label in front makes every message differ from every client's.
    """
    return _keyed(key, b"\x00household\x00" + checked_client_id(household_id).encode())


def _keyed(key: bytes, message: bytes) -> bytes:
    if len(key) < MINIMUM_KEY_BYTES:
        raise KeyTooShort(MINIMUM_KEY_BYTES)
    return hmac.digest(key, message, "sha256")[:PSEUDONYM_BYTES]


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochDelta:
    """What changed for one department after epoch ``base``, up to and with epoch ``epoch``.

    issued_at, expires_at: seconds since the Unix epoch. purposes: every purpose anyone has ever
    objected to, in the order of its bits. The other attributes are columns of n clients (sensitive,
    hidden), as bytes: see ``columns``; an optional one may be empty, and is then zero throughout.
    Entries are kept in the order of their pseudonyms, whatever order they came in, so a delta does
    not tell who changed first.
    """

    department: str
    base: int
    epoch: int
    issued_at: int
    expires_at: int
    purposes: tuple[str, ...] = ()
    pseudonyms: bytes = field(repr=False)
    levels: bytes = field(repr=False)
    expiries: bytes = field(default=b"", repr=False)
    objections: bytes = field(default=b"", repr=False)
    family_closed: bytes = field(default=b"", repr=False)
    households: bytes = field(default=b"", repr=False)
    places: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        """Refuse a delta that contradicts itself with EpochInvalid, and sort its entries."""
        if not 0 <= self.base <= self.epoch <= _LARGEST_TIME:
            raise EpochInvalid("its base is after its epoch")
        if not 0 <= self.issued_at < self.expires_at <= _LARGEST_TIME:
            raise EpochInvalid("it expires before it is issued")
        if len(set(self.purposes)) < len(self.purposes):
            raise EpochInvalid("it names a purpose twice")
        for name, column in ordered(self.columns(), len(self.purposes)).items():
            object.__setattr__(self, name, column)

    def columns(self) -> dict[str, bytes]:
        """Return the columns by name, in the order of the wire; sensitive."""
        return {name: getattr(self, name) for name in widths(len(self.purposes))}


def sign_delta(delta: EpochDelta, key: Ed25519PrivateKey) -> bytes:
    """Return the delta's bytes with the consent service's Ed25519 signature at their end.

    The signature covers a domain label, the header, the names and all entries.
    """
    department, purposes = delta.department.encode(), "\n".join(delta.purposes).encode()
    columns = {
        name: column
        for name, column in delta.columns().items()
        if name not in OPTIONAL or column.count(0) < len(column)
    }
    header = _HEADER.pack(
        _VERSION,
        sum(1 << bit for bit, name in enumerate(OPTIONAL) if name in columns),
        len(department),
        len(purposes),
        delta.base,
        delta.epoch,
        delta.issued_at,
        delta.expires_at,
        len(delta.levels),
    )
    body = b"".join(chain([header, department, purposes], columns.values()))
    return body + key.sign(_DOMAIN + body)


def open_delta(data: bytes, key: Ed25519PublicKey, *, department: str) -> EpochDelta:
    """Return the delta behind a valid signature of the consent service.

    Args:
        data: the bytes as they arrived.
        key: the consent service's pinned public key.
        department: the department that opens it; a delta for another is refused.

    Raises:
        EpochInvalid: any bit differs from what was signed, or it is not for this department.
    """
    body, signature = data[:-_SIGNATURE_BYTES], data[-_SIGNATURE_BYTES:]
    try:
        key.verify(signature, _DOMAIN + body)
    except InvalidSignature:
        raise EpochInvalid("it is not signed by the consent service") from None
    if len(body) < _HEADER.size:
        raise EpochInvalid("it is too short")
    version, there, size, listed, base, epoch, issued_at, expires_at, n = _HEADER.unpack_from(body)
    if version != _VERSION:
        raise EpochInvalid("its version is unknown here, so this node needs an update")
    names_end = _HEADER.size + size
    start = names_end + listed
    if body[_HEADER.size : names_end] != department.encode():
        raise EpochInvalid("it is for another department")
    purposes = tuple(body[names_end:start].decode(errors="replace").split("\n")) if listed else ()
    columns: dict[str, bytes] = {}
    for name, width in widths(len(purposes)).items():
        if name not in OPTIONAL or there >> OPTIONAL.index(name) & 1:
            columns[name] = body[start : start + width * n]
            start += width * n
    if len(body) != start:
        raise EpochInvalid("its length does not match its header")
    delta = EpochDelta(
        department=department,
        base=base,
        epoch=epoch,
        issued_at=issued_at,
        expires_at=expires_at,
        purposes=purposes,
        **columns,
    )
    if delta.pseudonyms != columns["pseudonyms"]:
        raise EpochInvalid("its entries are not in order")
    return delta


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What one department knows of the register at one epoch: the standing of every pseudonym.

    issued_at, expires_at: seconds since the Unix epoch; outside them nothing may be decided on it.
    purposes: what the objections' bits stand for. columns: sensitive, hidden.
    """

    department: str
    epoch: int
    issued_at: int
    expires_at: int
    purposes: tuple[str, ...]
    columns: Columns = field(repr=False)

    @classmethod
    def empty(cls, department: str) -> Self:
        """Return the snapshot before the first delta: epoch 0, expired, nobody known."""
        return cls(
            department=department,
            epoch=0,
            issued_at=0,
            expires_at=0,
            purposes=(),
            columns=Columns.of(dict.fromkeys(widths(0), b""), 0),
        )

    @property
    def pseudonyms(self) -> Halves:
        """The pseudonyms of all clients, ascending; sensitive."""
        return self.columns.names

    def households_of(
        self, names: Sequence[bytes] | Roll, *, most: int | None = None
    ) -> npt.NDArray[np.int64]:
        """Return one number per client, [n], equal for clients of one household; sensitive.

        Args:
            names: n pseudonyms (sensitive), in the order of the rows.
            most: how many clients of a household count, the first ones the register entered
                (public). The register fixes their order, so that every department counts the same
                clients: over all of them no household counts with more than ``most``. All if None.

        Returns:
            −1 for a client of no known household, and for one beyond ``most``: a study that
            protects households must leave it out.

        Raises:
            EpochInvalid: the places are wrong: more than ``most`` of a household would count.
        """
        roll = rolled(names)
        columns, places = self.columns, roll.places_in(self.columns.names)
        rows = np.flatnonzero(places < columns.levels.size)
        rows = rows[columns.households[:, places[rows]].any(axis=0)]
        if most is not None:
            rows = rows[columns.places[places[rows]] < most]
        households = np.full(len(roll), UNKNOWN_HOUSEHOLD, dtype=np.int64)
        groups = groups_of(columns.households[:, places[rows]])
        if most is not None and groups.size and np.bincount(groups).max() > most:
            raise EpochInvalid("it gives two clients of a household one place")
        households[rows] = groups
        return households


def apply(snapshot: Snapshot, delta: EpochDelta) -> Snapshot:
    """Return the snapshot after a delta. A delta older than the snapshot changes nothing.

    A delta from epoch 0 is all there is: it takes the place of what was known, so that nothing of a
    client who was erased since is left.

    Raises:
        EpochStale: the delta starts after the snapshot's epoch; pull one from that epoch.
        EpochInvalid: the delta is for another department, or numbers the purposes differently.
    """
    if delta.department != snapshot.department:
        raise EpochInvalid("it is for another department")
    if delta.base > snapshot.epoch:
        raise EpochStale(have=snapshot.epoch, need=delta.base)
    if (delta.epoch, delta.expires_at) <= (snapshot.epoch, snapshot.expires_at):
        return snapshot
    if delta.purposes[: len(snapshot.purposes)] != snapshot.purposes:
        raise EpochInvalid("it numbers the purposes differently")
    changed = Columns.of(delta.columns(), len(delta.purposes))
    return Snapshot(
        department=snapshot.department,
        epoch=delta.epoch,
        issued_at=delta.issued_at,
        expires_at=delta.expires_at,
        purposes=delta.purposes,
        columns=snapshot.columns.updated(changed) if delta.base else changed,
    )


def levels_of(snapshot: Snapshot, names: Sequence[bytes] | Roll) -> npt.NDArray[np.uint8]:
    """Return each pseudonym's level (uint8 [n], sensitive), whether it has ended or not.

    A pseudonym that the snapshot lacks has level 0.

    Raises:
        InvalidPseudonym: one of them is not 16 bytes long.
    """
    levels = np.append(snapshot.columns.levels, np.uint8(0))
    return levels.take(rolled(names).places_in(snapshot.columns.names))
