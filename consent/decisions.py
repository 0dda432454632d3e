"""Decisions: which fields of which clients may be used for a purpose. The only mint of a Permit."""

from collections.abc import Iterable, Sequence
from dataclasses import InitVar, dataclass, field

import numpy as np
import numpy.typing as npt

from consent.catalogue import Catalogue, Field
from consent.epochs import Snapshot
from consent.errors import ClockSkew, EpochStale, FieldsNotNeeded, PermitForged, PurposeNotOpen
from consent.intake import CLOCK_TOLERANCE_S
from consent.levels import Level
from consent.packed import Roll, rolled

_SEAL = object()
_FAMILY_CLOSED = 8
"""Added to a level where the household's family fields are closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """Leave to use some fields of those clients of one department whose authorization covers them.

    department, purpose, epoch and fields are public. The standings behind it are sensitive and
    hidden. Only ``decide`` makes one; building it elsewhere raises PermitForged.
    """

    department: str
    purpose: str
    epoch: int
    fields: tuple[str, ...]
    _needed: tuple[tuple[Level, bool], ...] = field(repr=False)
    _standings: npt.NDArray[np.uint8] = field(repr=False)
    _snapshot: Snapshot = field(repr=False)
    _seal: InitVar[object]

    def __post_init__(self, _seal: object) -> None:
        """Refuse a permit that ``decide`` did not make; the seal is not kept, so none is copied."""
        if _seal is not _SEAL:
            raise PermitForged

    def open_fields(self, pseudonyms: Sequence[bytes] | Roll) -> npt.NDArray[np.bool_]:
        """Say for each client and field whether the field is open.

        Args:
            pseudonyms: n pseudonyms of 16 bytes (sensitive), in the order of the rows; packed ones
                (``consent.packed.pack``) are found again without a search.

        Returns:
            A bool array [n, len(fields)] (sensitive): row by row, column by column. A client the
            register does not know is closed everywhere.
        """
        standings = self._of(pseudonyms)
        own = standings & (_FAMILY_CLOSED - 1)
        family = np.where(standings < _FAMILY_CLOSED, own, np.uint8(0))
        opened = np.empty((len(self.fields), len(standings)), dtype=np.bool_)
        for row, (level, of_family) in enumerate(self._needed):
            np.greater_equal(family if of_family else own, np.uint8(level), out=opened[row])
        return opened.T

    def open_clients(self, pseudonyms: Sequence[bytes] | Roll) -> npt.NDArray[np.bool_]:
        """Say for each client (n pseudonyms, sensitive) whether any field may be used at all."""
        own = self._of(pseudonyms) & (_FAMILY_CLOSED - 1)
        return np.asarray(own >= np.uint8(Level.BASIC_ASSETS), dtype=np.bool_)

    def short(self, *, most: int | None) -> int:
        """Count the clients of the register whose own authorization opens not all of the fields.

        Each counts once. What a household's other members object to does not matter here, so one
        client moves the count by one.

        Args:
            most: in a plan that protects households, how many clients of one may count: the first
                ones the register entered, and none of no known household. All clients if None.

        Returns:
            An exact count (sensitive): noise must be added before anybody reads it.
        """
        needed = max(level for level, _ in self._needed)
        short = (self._standings[:-1] & (_FAMILY_CLOSED - 1)) < np.uint8(needed)
        if most is not None:
            columns = self._snapshot.columns
            short &= columns.households.any(axis=0) & (columns.places < most)
        return int(np.count_nonzero(short))

    def households_of(
        self, pseudonyms: Sequence[bytes] | Roll, *, most: int
    ) -> npt.NDArray[np.int64]:
        """Number each client's household, [n], or −1; as ``Snapshot.households_of``; sensitive."""
        return self._snapshot.households_of(pseudonyms, most=most)

    def _of(self, pseudonyms: Sequence[bytes] | Roll) -> npt.NDArray[np.uint8]:
        places = rolled(pseudonyms).places_in(self._snapshot.pseudonyms)
        return self._standings.take(places)


def check_fields(catalogue: Catalogue, fields: Sequence[str], purpose: str) -> tuple[Field, ...]:
    """Return the named fields, in order, if every one may be used for the purpose (all public).

    The coordinator asks this before it prices a plan; every node asks it again.

    Raises:
        UnknownPurpose, UnknownField: the catalogue has no such name.
        PurposeNotOpen: says which field, which rule, what it is open to, and what would pass.
    """
    catalogue.purpose(purpose)
    found = tuple(catalogue.field(name) for name in fields)
    for name in fields:
        for rule in catalogue.rules:
            if rule.field == name and purpose not in rule.only_for:
                raise _not_open(catalogue.field(name), purpose, rule.text, rule.text_zh)
    _refuse_other_purposes(found, purpose)
    return found


def least_necessary(plan_fields: Iterable[str], used_fields: Iterable[str]) -> None:
    """Refuse a plan that names fields which its statistic or model does not use (all public).

    Raises:
        FieldsNotNeeded: names them.
    """
    if idle := set(plan_fields) - set(used_fields):
        raise FieldsNotNeeded(sorted(idle))


def decide(
    snapshot: Snapshot, fields: tuple[Field, ...], purpose: str, *, now: int, at_least: int
) -> Permit:
    """Mint the permit to use these fields for this purpose, on this snapshot, now.

    A field of a client is open if the client's level, where it has not ended, is at least the
    field's; the client has not objected to the purpose; and, for a family field, nobody in the
    household has objected. Time counts here, not when the permit is used.

    Args:
        snapshot: the node's consent snapshot.
        fields: what ``check_fields`` returned; their purposes are checked here again.
        purpose: the plan's purpose.
        now: seconds since the Unix epoch.
        at_least: the epoch the coordinator named; an older snapshot may miss a withdrawal.

    Raises:
        EpochStale: the snapshot is behind ``at_least`` or has expired.
        ClockSkew: the snapshot is from the future: by a clock that is late, nothing would ever end.
        PurposeNotOpen: a field may not be used for the purpose.
    """
    if snapshot.epoch < at_least:
        raise EpochStale(have=snapshot.epoch, need=at_least)
    if now > snapshot.expires_at:
        raise EpochStale(have=snapshot.epoch, need=at_least, expired=True)
    if now < snapshot.issued_at - CLOCK_TOLERANCE_S:
        raise ClockSkew(CLOCK_TOLERANCE_S)
    _refuse_other_purposes(fields, purpose)
    return Permit(
        department=snapshot.department,
        purpose=purpose,
        epoch=snapshot.epoch,
        fields=tuple(f.name for f in fields),
        _needed=tuple((f.level, f.of_family) for f in fields),
        _standings=_standings(snapshot, purpose, now),
        _snapshot=snapshot,
        _seal=_SEAL,
    )


def _standings(snapshot: Snapshot, purpose: str, now: int) -> npt.NDArray[np.uint8]:
    """Return what is left of each level, plus _FAMILY_CLOSED, and a last 0 for whoever is unknown.

    The snapshot numbers every purpose that anyone objected to: to another one, nobody did.
    """
    columns = snapshot.columns
    left = np.zeros(columns.levels.size + 1, dtype=np.uint8)
    own = left[:-1]
    own[:] = columns.levels
    own[(columns.expiries != 0) & (columns.expiries <= now)] = 0
    if purpose in snapshot.purposes:
        byte, bit = divmod(snapshot.purposes.index(purpose), 8)
        own[columns.objections[byte] >> bit & 1 == 1] = 0
    own += columns.family_closed * np.uint8(_FAMILY_CLOSED)
    return left


def _refuse_other_purposes(fields: Sequence[Field], purpose: str) -> None:
    for f in fields:
        if purpose not in f.purposes:
            raise _not_open(f, purpose, "", "")


def _not_open(f: Field, purpose: str, rule: str, rule_zh: str) -> PurposeNotOpen:
    return PurposeNotOpen(
        f.name,
        purpose,
        level=int(f.level),
        title=f.level.title,
        open_to=f.purposes,
        rule=rule,
        rule_zh=rule_zh,
    )
