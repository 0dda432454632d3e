"""Decisions: which fields of which clients may be used for a purpose. The only mint of a Permit."""

from collections.abc import Sequence
from dataclasses import InitVar, dataclass, field

import numpy as np
import numpy.typing as npt

from consent.catalogue import Catalogue, Field
from consent.epochs import Snapshot, levels_of
from consent.errors import EpochStale, PermitForged, PurposeNotOpen
from consent.levels import Level

_SEAL = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """Leave to use some fields of those clients of one department whose authorization covers them.

    department, purpose, epoch and fields are public. The levels behind it are sensitive and hidden.
    Only ``decide`` makes one; building it elsewhere raises PermitForged.
    """

    department: str
    purpose: str
    epoch: int
    fields: tuple[str, ...]
    _needed: npt.NDArray[np.uint8] = field(repr=False)
    _snapshot: Snapshot = field(repr=False)
    _seal: InitVar[object]

    def __post_init__(self, _seal: object) -> None:
        """Refuse a permit that ``decide`` did not make; the seal is not kept, so none is copied."""
        if _seal is not _SEAL:
            raise PermitForged

    def open_fields(self, pseudonyms: Sequence[bytes]) -> npt.NDArray[np.bool_]:
        """Say for each client and field whether the field is open.

        Args:
            pseudonyms: n pseudonyms of 16 bytes (sensitive), in the order of the rows.

        Returns:
            A bool array [n, len(fields)] (sensitive): row by row, column by column. A client the
            register does not know is closed everywhere.
        """
        levels = levels_of(self._snapshot, pseudonyms)
        # One row of answers per level, then one copy of a row per client.
        answers = np.arange(len(Level), dtype=np.uint8)[:, None] >= self._needed[None, :]
        return answers[levels]

    def open_clients(self, pseudonyms: Sequence[bytes]) -> npt.NDArray[np.bool_]:
        """Say for each client (n pseudonyms, sensitive) whether any field may be used at all."""
        return levels_of(self._snapshot, pseudonyms) >= np.uint8(Level.BASIC_ASSETS)


def check_fields(catalogue: Catalogue, fields: Sequence[str], purpose: str) -> tuple[Field, ...]:
    """Return the named fields, in order, if every one may be used for the purpose (all public).

    The coordinator asks this before it prices a plan; every node asks it again.

    Raises:
        UnknownPurpose, UnknownField: the catalogue has no such name.
        PurposeNotOpen: says which field, what it is open to, and what would pass.
    """
    catalogue.purpose(purpose)
    found = tuple(catalogue.field(name) for name in fields)
    _refuse_other_purposes(found, purpose)
    return found


def decide(
    snapshot: Snapshot, fields: tuple[Field, ...], purpose: str, *, now: int, at_least: int
) -> Permit:
    """Mint the permit to use these fields for this purpose, on this snapshot.

    Args:
        snapshot: the node's consent snapshot.
        fields: what ``check_fields`` returned; their purposes are checked here again.
        purpose: the plan's purpose.
        now: seconds since the Unix epoch.
        at_least: the epoch the coordinator named; an older snapshot may miss a withdrawal.

    Raises:
        EpochStale: the snapshot is behind ``at_least`` or has expired.
        PurposeNotOpen: a field may not be used for the purpose.
    """
    if snapshot.epoch < at_least:
        raise EpochStale(have=snapshot.epoch, need=at_least)
    if now > snapshot.expires_at:
        raise EpochStale(have=snapshot.epoch, need=at_least, expired=True)
    _refuse_other_purposes(fields, purpose)
    return Permit(
        department=snapshot.department,
        purpose=purpose,
        epoch=snapshot.epoch,
        fields=tuple(f.name for f in fields),
        _needed=np.array([f.level for f in fields], dtype=np.uint8),
        _snapshot=snapshot,
        _seal=_SEAL,
    )


def _refuse_other_purposes(fields: Sequence[Field], purpose: str) -> None:
    for f in fields:
        if purpose not in f.purposes:
            raise PurposeNotOpen(
                f.name, purpose, level=int(f.level), title=f.level.title, open_to=f.purposes
            )
