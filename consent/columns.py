"""What a department is told of n clients: one column per fact, on the wire as bytes, then arrays.

A column that is zero throughout is left out on the wire: nobody's authorization ends, nobody has
objected. Only pseudonyms and levels are always there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

from consent.errors import EpochInvalid
from consent.levels import Level
from consent.packed import (
    PSEUDONYM_BYTES,
    Halves,
    Places,
    all_differ,
    find,
    halves_of,
    order_of,
)

Array = TypeVar("Array", bound=npt.NDArray[Any])

OPTIONAL = ("expiries", "objections", "family_closed", "households", "places")
LAST_PLACE = 255
"""The place of a household's 256th client and of all later ones."""


def widths(purposes: int) -> dict[str, int]:
    """Return each column's bytes per client, in the order of the wire.

    Args:
        purposes: how many purposes have ever been objected to; each takes one bit.
    """
    return {
        "pseudonyms": PSEUDONYM_BYTES,
        "levels": 1,
        "expiries": 4,
        "objections": (purposes + 7) // 8,
        "family_closed": 1,
        "households": PSEUDONYM_BYTES,
        "places": 1,
    }


def ordered(columns: Mapping[str, bytes], purposes: int) -> dict[str, bytes]:
    """Return the columns of n clients, complete and in the ascending order of their pseudonyms.

    Args:
        columns: every column's bytes; an optional one may be empty, and is then zero throughout.
        purposes: how many bits an objection column has.

    Raises:
        EpochInvalid: the columns contradict each other or hold what no column may hold.
    """
    size = len(columns["levels"])
    whole = {
        name: columns[name] or bytes(width * size if name in OPTIONAL else 0)
        for name, width in widths(purposes).items()
    }
    if any(len(whole[name]) != width * size for name, width in widths(purposes).items()):
        raise EpochInvalid("its columns differ in number")
    if size and _largest(whole["levels"]) > max(Level):
        raise EpochInvalid("it holds a level above 4")
    if size and _largest(whole["family_closed"]) > 1:
        raise EpochInvalid("it holds a family mark that is neither 0 nor 1")
    tables = {
        name: np.frombuffer(whole[name], dtype=np.uint8).reshape(size, width)
        for name, width in widths(purposes).items()
    }
    if purposes % 8 and size and int(tables["objections"][:, -1].max()) >> purposes % 8:
        raise EpochInvalid("it holds an objection to a purpose that it does not name")
    halves = halves_of(whole["pseudonyms"])
    order = order_of(halves)
    if not all_differ(halves[:, order]):
        raise EpochInvalid("it names a pseudonym twice")
    return {name: table[order].tobytes() for name, table in tables.items()}


def objection_bits(objections: Sequence[frozenset[str]], purposes: Sequence[str]) -> bytes:
    """Return one row of bits per client: bit b of byte a stands for purpose number 8a + b.

    Raises:
        EpochInvalid: a client objected to a purpose that is not among these.
    """
    width = (len(purposes) + 7) // 8
    number = {purpose: bit for bit, purpose in enumerate(purposes)}
    rows = bytearray(width * len(objections))
    for row, objected in enumerate(objections):
        for purpose in objected:
            if purpose not in number:
                raise EpochInvalid("it holds an objection to a purpose that it does not name")
            rows[row * width + number[purpose] // 8] |= 1 << number[purpose] % 8
    return bytes(rows)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Columns:
    """What is known of n clients, in ascending order of ``names``. All of it sensitive, hidden.

    names: Halves. levels: uint8 [n]. expiries: uint32 [n], the second since the Unix epoch from
    which the authorization is over, 0 for never. objections: uint8 [w, n], a bit per purpose.
    family_closed: uint8 [n], 1 where a member of the household objected. households: Halves, zero
    where unknown. places: uint8 [n], 0 for the household's first client. Nobody writes to them.
    """

    names: Halves = field(repr=False)
    levels: npt.NDArray[np.uint8] = field(repr=False)
    expiries: npt.NDArray[np.uint32] = field(repr=False)
    objections: npt.NDArray[np.uint8] = field(repr=False)
    family_closed: npt.NDArray[np.uint8] = field(repr=False)
    households: Halves = field(repr=False)
    places: npt.NDArray[np.uint8] = field(repr=False)

    @classmethod
    def of(cls, columns: Mapping[str, bytes], purposes: int) -> Self:
        """Read columns that :func:`ordered` returned."""
        size = len(columns["levels"])
        width = widths(purposes)["objections"]
        objections = np.frombuffer(columns["objections"], dtype=np.uint8).reshape(size, width)
        return cls(
            names=halves_of(columns["pseudonyms"]),
            levels=np.frombuffer(columns["levels"], dtype=np.uint8),
            expiries=np.frombuffer(columns["expiries"], dtype=">u4").astype(np.uint32),
            objections=np.ascontiguousarray(objections.T),
            family_closed=np.frombuffer(columns["family_closed"], dtype=np.uint8),
            households=halves_of(columns["households"]),
            places=np.frombuffer(columns["places"], dtype=np.uint8),
        )

    def updated(self, changed: Self) -> Self:
        """Return these clients' columns after ``changed``, which may name new clients too.

        A column in which nothing changes is shared with the result, the names above all: who keeps
        a row's place in them need not look it up again.
        """
        wider = changed.objections.shape[0] - self.objections.shape[0]
        objections = np.pad(self.objections, ((0, wider), (0, 0))) if wider else self.objections
        position, known = find(self.names, changed.names)

        def merged(before: Array, after: Array) -> Array:
            return _merged(before, after, position, known)

        return type(self)(
            names=merged(self.names, changed.names),
            levels=merged(self.levels, changed.levels),
            expiries=merged(self.expiries, changed.expiries),
            objections=merged(objections, changed.objections),
            family_closed=merged(self.family_closed, changed.family_closed),
            households=merged(self.households, changed.households),
            places=merged(self.places, changed.places),
        )


def _merged(before: Array, after: Array, position: Places, known: npt.NDArray[np.bool_]) -> Array:
    """Write what is known over its place and insert what is new; the clients are the last axis."""
    whole = before
    if not np.array_equal(whole[..., position[known]], after[..., known]):
        whole = whole.copy()
        whole[..., position[known]] = after[..., known]
    if known.all():
        return whole
    return _inserted(whole, after[..., ~known], position[~known])


def _inserted(before: Array, new: npt.NDArray[Any], position: Places) -> Array:
    """Insert along the last axis, as numpy.insert does in ten times the time."""
    places = position + np.arange(position.size)
    size = (*before.shape[:-1], before.shape[-1] + position.size)
    grown: Array = np.empty_like(before, shape=size)
    kept = np.ones(grown.shape[-1], dtype=np.bool_)
    kept[places] = False
    for row in np.ndindex(before.shape[:-1]):
        grown[row][kept] = before[row]
        grown[row][places] = new[row]
    return grown


def _largest(column: bytes) -> int:
    return int(np.frombuffer(column, dtype=np.uint8).max())
