"""What the consent room refuses. Messages say what to do and never show a client's id."""

# ruff: noqa: N818 -- a refusal is named after what is refused

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class ConsentError(Exception):
    """Base of every refusal in this room."""


class UnknownField(ConsentError):
    """The catalogue has no such field."""

    def __init__(self, field: str, known: Iterable[str]) -> None:
        """Take the name asked for and the names the catalogue has."""
        self.field = field
        self.known = tuple(known)
        super().__init__(f'no field "{field}" in the catalogue; {_one_of(self.known)}')


class UnknownPurpose(ConsentError):
    """The catalogue has no such purpose."""

    def __init__(self, purpose: str, known: Iterable[str]) -> None:
        """Take the name asked for and the names the catalogue has."""
        self.purpose = purpose
        self.known = tuple(known)
        super().__init__(f'no purpose "{purpose}" in the catalogue; {_one_of(self.known)}')


class UnknownDepartment(ConsentError):
    """The catalogue has no such department."""

    def __init__(self, department: str, known: Iterable[str]) -> None:
        """Take the name asked for and the names the catalogue has."""
        self.department = department
        self.known = tuple(known)
        super().__init__(f'no department "{department}" in the catalogue; {_one_of(self.known)}')


class UnknownLevel(ConsentError):
    """An authorization level outside 0 to 4."""

    def __init__(self, level: int) -> None:
        """Take the number that is no level."""
        self.level = level
        super().__init__(f"there is no authorization level {level}; use 0 (none) to 4")


class UnknownClient(ConsentError):
    """The register does not know this client. The id is not kept."""

    def __init__(self) -> None:
        """Say what to do; the id stays with the caller."""
        super().__init__(
            "the register does not know this client; load the client into the register first, "
            "under the normalized id"
        )


class InvalidClientId(ConsentError):
    """An id that no department's normalization rule may produce. The id is not kept."""

    def __init__(self, reason: str, *, row: int | None = None) -> None:
        """Take what is wrong and, in a bulk load, the row's number counted from 1."""
        self.reason = reason
        self.row = row
        where = "a client id" if row is None else f"the client id in row {row}"
        super().__init__(f"{where} {reason}; correct the rule that normalizes ids")


class InvalidRow(ConsentError):
    """A row of a bulk load that cannot stand in the register. Its values are not kept."""

    def __init__(self, row: int, reason: str) -> None:
        """Take the row's number counted from 1 and what is wrong with it."""
        self.row = row
        self.reason = reason
        super().__init__(f"row {row} of the register {reason}; nothing was loaded")


class Mistake(NamedTuple):
    """One mistake in a catalogue: where it stands, and what to do about it."""

    key: str
    problem: str


class CatalogueError(ConsentError):
    """The catalogue file cannot be used; every mistake found is named."""

    def __init__(self, file: str, mistakes: Sequence[Mistake]) -> None:
        """Take the file's name and at least one mistake."""
        self.file = file
        self.mistakes = tuple(mistakes)
        lines = "\n".join(
            f"  {m.key}: {m.problem}" if m.key else f"  {m.problem}" for m in mistakes
        )
        super().__init__(f"{file} is not a usable catalogue:\n{lines}")


class PurposeNotOpen(ConsentError):
    """A field may not be used for this purpose, whatever any client has authorized."""

    def __init__(
        self, field: str, purpose: str, *, level: int, title: str, open_to: Iterable[str]
    ) -> None:
        """Take the field, its level and the level's title, the purpose, and what it is open to."""
        self.field = field
        self.purpose = purpose
        self.level = level
        self.open_to = tuple(open_to)
        super().__init__(
            f'field "{field}" (level {level}, {title}) is not open to the purpose "{purpose}"; '
            f"it is open to {_names(self.open_to)}. Leave the field out, or ask for one of those "
            f"purposes: then the rows of clients who authorized level {level} or higher are used"
        )


class InvalidPseudonym(ConsentError):
    """A pseudonym of the wrong length. The pseudonym is not kept."""

    def __init__(self, length: int) -> None:
        """Take the length a pseudonym has, in bytes."""
        self.length = length
        super().__init__(
            f"a pseudonym has {length} bytes; compute it with consent.epochs.pseudonym"
        )


class KeyTooShort(ConsentError):
    """A pseudonym key that could be found by trying."""

    def __init__(self, minimum: int) -> None:
        """Take the least length of a key, in bytes."""
        self.minimum = minimum
        super().__init__(f"a pseudonym key has at least {minimum} random bytes; generate a new one")


class EpochStale(ConsentError):
    """The snapshot is too old to decide on: the node fails closed until it has a newer one."""

    def __init__(self, *, have: int, need: int, expired: bool = False) -> None:
        """Take the epoch at hand, the epoch needed, and whether it is the clock that ended it."""
        self.have = have
        self.need = need
        self.expired = expired
        why = "has expired" if expired else f"is behind epoch {need}"
        super().__init__(f"the consent snapshot (epoch {have}) {why}; pull the newest delta first")


class EpochInvalid(ConsentError):
    """Bytes that are not a delta of the consent service for this department."""

    def __init__(self, reason: str) -> None:
        """Take what is wrong, without any pseudonym."""
        self.reason = reason
        super().__init__(f"the consent delta is refused: {reason}; pull a new one")


class PermitForged(ConsentError):
    """Someone built a Permit outside consent.decisions."""

    def __init__(self) -> None:
        """Say where permits come from."""
        super().__init__("a Permit is minted by consent.decisions.decide only; call it")


def _one_of(known: Sequence[str]) -> str:
    return f"use one of: {', '.join(known)}" if known else "the catalogue has none"


def _names(purposes: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in purposes)
