"""Epochs: the register as one department may see it, sent as signed deltas of keyed pseudonyms.

Under its own key a department receives pseudonym → level. It can look up the clients whose ids it
knows; the other entries stay opaque, and two departments cannot compare theirs.
"""

import hmac
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consent.clients import checked_client_id
from consent.errors import EpochInvalid, EpochStale, InvalidPseudonym, KeyTooShort
from consent.levels import Level

PSEUDONYM_BYTES = 16
MINIMUM_KEY_BYTES = 32
_SIGNATURE_BYTES = 64
_LARGEST_TIME = 2**63 - 1
_DOMAIN = b"infosandbox/consent-epoch-delta/v1\x00"
_HEADER = struct.Struct(">HQQQQI")  # department's length, base, epoch, issued, expires, entries

Halves = npt.NDArray[np.uint64]
"""[2, n]: n pseudonyms as two big-endian halves; numpy's S16 would drop their trailing NULs."""


def pseudonym(key: bytes, client_id: str) -> bytes:
    """Return a client's pseudonym under one department's key: HMAC-SHA256 (RFC 2104), 16 bytes.

    Args:
        key: the department's pseudonym key, at least 32 bytes (secret).
        client_id: the normalized id (sensitive).

    Raises:
        KeyTooShort: fewer than 32 bytes could be searched.
        InvalidClientId: the id is not normalized.
    """
    if len(key) < MINIMUM_KEY_BYTES:
        raise KeyTooShort(MINIMUM_KEY_BYTES)
    digest = hmac.digest(key, checked_client_id(client_id).encode(), "sha256")
    return digest[:PSEUDONYM_BYTES]


def pseudonyms(key: bytes, client_ids: Iterable[str]) -> list[bytes]:
    """Return the pseudonym of each id, in order; as ``pseudonym``."""
    return [pseudonym(key, client_id) for client_id in client_ids]


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochDelta:
    """What changed for one department after epoch ``base``, up to and with epoch ``epoch``.

    issued_at, expires_at: seconds since the Unix epoch. pseudonyms: n times 16 bytes, each once;
    levels: n bytes of 0 to 4 (both sensitive, hidden). Entries are kept in the order of their
    pseudonyms, whatever order they came in, so a delta does not tell who changed first.
    """

    department: str
    base: int
    epoch: int
    issued_at: int
    expires_at: int
    pseudonyms: bytes = field(repr=False)
    levels: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse a delta that contradicts itself with EpochInvalid, and sort its entries."""
        if not 0 <= self.base <= self.epoch <= _LARGEST_TIME:
            raise EpochInvalid("its base is after its epoch")
        if not 0 <= self.issued_at < self.expires_at <= _LARGEST_TIME:
            raise EpochInvalid("it expires before it is issued")
        if len(self.pseudonyms) != PSEUDONYM_BYTES * len(self.levels):
            raise EpochInvalid("its pseudonyms and levels differ in number")
        if any(level > max(Level) for level in set(self.levels)):
            raise EpochInvalid("it holds a level above 4")
        halves = _halves(self.pseudonyms)
        order = _order(halves)
        if not _all_differ(halves[:, order]):
            raise EpochInvalid("it names a pseudonym twice")
        by_row = np.frombuffer(self.pseudonyms, dtype=np.uint8).reshape(-1, PSEUDONYM_BYTES)
        levels = np.frombuffer(self.levels, dtype=np.uint8)
        object.__setattr__(self, "pseudonyms", by_row[order].tobytes())
        object.__setattr__(self, "levels", levels[order].tobytes())


def sign_delta(delta: EpochDelta, key: Ed25519PrivateKey) -> bytes:
    """Return the delta's bytes with the consent service's Ed25519 signature at their end.

    The signature covers a domain label, the header, the department's name and all entries.
    """
    department = delta.department.encode()
    body = (
        _HEADER.pack(
            len(department),
            delta.base,
            delta.epoch,
            delta.issued_at,
            delta.expires_at,
            len(delta.levels),
        )
        + department
        + delta.pseudonyms
        + delta.levels
    )
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
    size, base, epoch, issued_at, expires_at, entries = _HEADER.unpack_from(body)
    names_end = _HEADER.size + size
    pseudonyms_end = names_end + entries * PSEUDONYM_BYTES
    if len(body) != pseudonyms_end + entries:
        raise EpochInvalid("its length does not match its header")
    if body[_HEADER.size : names_end] != department.encode():
        raise EpochInvalid("it is for another department")
    delta = EpochDelta(
        department=department,
        base=base,
        epoch=epoch,
        issued_at=issued_at,
        expires_at=expires_at,
        pseudonyms=body[names_end:pseudonyms_end],
        levels=body[pseudonyms_end:],
    )
    if delta.pseudonyms != body[names_end:pseudonyms_end]:
        raise EpochInvalid("its entries are not in order")
    return delta


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What one department knows of the register: the level of every pseudonym, at one epoch.

    expires_at: seconds since the Unix epoch; later, nothing may be decided on it. pseudonyms:
    Halves in ascending order; levels: uint8 [n] (both sensitive, hidden).
    """

    department: str
    epoch: int
    expires_at: int
    pseudonyms: Halves = field(repr=False)
    levels: npt.NDArray[np.uint8] = field(repr=False)

    @classmethod
    def empty(cls, department: str) -> Self:
        """Return the snapshot before the first delta: epoch 0, expired, nobody known."""
        return cls(
            department=department,
            epoch=0,
            expires_at=0,
            pseudonyms=np.empty((2, 0), dtype=np.uint64),
            levels=np.empty(0, dtype=np.uint8),
        )


def apply(snapshot: Snapshot, delta: EpochDelta) -> Snapshot:
    """Return the snapshot after a delta. A delta older than the snapshot changes nothing.

    Raises:
        EpochStale: the delta starts after the snapshot's epoch; pull one from that epoch.
        EpochInvalid: the delta is for another department.
    """
    if delta.department != snapshot.department:
        raise EpochInvalid("it is for another department")
    if delta.base > snapshot.epoch:
        raise EpochStale(have=snapshot.epoch, need=delta.base)
    if (delta.epoch, delta.expires_at) <= (snapshot.epoch, snapshot.expires_at):
        return snapshot
    changed = _halves(delta.pseudonyms)
    changed_levels = np.frombuffer(delta.levels, dtype=np.uint8)
    position, known = _find(snapshot.pseudonyms, changed)
    levels = snapshot.levels.copy()
    levels[position[known]] = changed_levels[known]
    everyone = np.concatenate([snapshot.pseudonyms, changed[:, ~known]], axis=1)
    levels = np.concatenate([levels, changed_levels[~known]])
    order = _order(everyone)
    return Snapshot(
        department=snapshot.department,
        epoch=delta.epoch,
        expires_at=delta.expires_at,
        pseudonyms=np.ascontiguousarray(everyone[:, order]),
        levels=levels[order],
    )


def levels_of(snapshot: Snapshot, names: Sequence[bytes]) -> npt.NDArray[np.uint8]:
    """Return the level (uint8 [n], sensitive) of each pseudonym; 0 for one the snapshot lacks.

    Raises:
        InvalidPseudonym: one of them is not 16 bytes long.
    """
    if any(length != PSEUDONYM_BYTES for length in set(map(len, names))):
        raise InvalidPseudonym(PSEUDONYM_BYTES)
    position, known = _find(snapshot.pseudonyms, _halves(b"".join(names)))
    levels = np.zeros(len(names), dtype=np.uint8)
    levels[known] = snapshot.levels[position[known]]
    return levels


def _halves(names: bytes) -> Halves:
    return np.ascontiguousarray(np.frombuffer(names, dtype=">u8").reshape(-1, 2).T, dtype=np.uint64)


def _order(halves: Halves) -> npt.NDArray[np.intp]:
    """Return the ascending order, exact for any 16 bytes and quick where first halves differ."""
    order = np.argsort(halves[0])
    first = halves[0, order]
    shared = bool((first[1:] == first[:-1]).any())
    return np.lexsort((halves[1], halves[0])) if shared else order


def _all_differ(ordered: Halves) -> bool:
    return bool(np.any(ordered[:, 1:] != ordered[:, :-1], axis=0).all())


def _find(known: Halves, wanted: Halves) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """Return where in ``known`` (ascending) each wanted pseudonym is, and whether it is there.

    Exact for any 16 bytes. The first halves decide nearly always: pseudonyms are HMAC outputs, so
    two that share a first half are not expected; where some do, the second halves are walked.
    """
    first, second = known
    order = np.argsort(wanted[0])  # searching in order reads memory in order: ten times as fast
    ordered = wanted[:, order]
    position = np.searchsorted(first, ordered[0])
    found = np.zeros(position.shape, dtype=np.bool_)
    rest = np.arange(position.size)
    while rest.size:
        rest = rest[position[rest] < first.size]
        rest = rest[first[position[rest]] == ordered[0, rest]]
        here = second[position[rest]] == ordered[1, rest]
        found[rest[here]] = True
        rest = rest[~here]
        position[rest] += 1
    back = np.empty_like(order)
    back[order] = np.arange(order.size)
    return position[back], found[back]
