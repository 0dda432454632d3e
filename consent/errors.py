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
        super().__init__(f'no field "{_shown(field)}" in the catalogue; {_one_of(self.known)}')


class UnknownPurpose(ConsentError):
    """The catalogue has no such purpose."""

    def __init__(self, purpose: str, known: Iterable[str]) -> None:
        """Take the name asked for and the names the catalogue has."""
        self.purpose = purpose
        self.known = tuple(known)
        super().__init__(f'no purpose "{_shown(purpose)}" in the catalogue; {_one_of(self.known)}')


class UnknownDepartment(ConsentError):
    """The catalogue has no such department."""

    def __init__(self, department: str, known: Iterable[str]) -> None:
        """Take the name asked for and the names the catalogue has."""
        self.department = department
        self.known = tuple(known)
        super().__init__(
            f'no department "{_shown(department)}" in the catalogue; {_one_of(self.known)}'
        )


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


class InvalidRequest(ConsentError):
    """A request to the register that it cannot write down. Its values are not kept."""

    def __init__(self, what: str, reason: str) -> None:
        """Take the part of the request that is wrong, and why."""
        self.what = what
        self.reason = reason
        super().__init__(f"the request's {what} {reason}; nothing was recorded, correct it")


class RequestReused(ConsentError):
    """The id of an earlier request came back with another request. Neither is kept."""

    def __init__(self) -> None:
        """Say what to do."""
        super().__init__(
            "this request's id belongs to an earlier, different one; nothing was recorded: "
            "send a new request under a new id"
        )


class ClockSkew(ConsentError):
    """Two clocks are too far apart to tell what came first, or what has ended."""

    def __init__(self, tolerance_s: int) -> None:
        """Take by how many seconds two clocks may differ."""
        self.tolerance_s = tolerance_s
        super().__init__(
            f"this is dated more than {tolerance_s} s before what it follows, so it came late or a "
            "clock is wrong; nothing was opened: set the clocks and ask again"
        )


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
        self,
        field: str,
        purpose: str,
        *,
        level: int,
        title: str,
        open_to: Iterable[str],
        rule: str = "",
        rule_zh: str = "",
    ) -> None:
        """Take the field, its level and the level's title, the purpose, and what it is open to.

        rule, rule_zh: the catalogue's rule that forbids it, if one does.
        """
        self.field = field
        self.purpose = purpose
        self.level = level
        self.open_to = tuple(open_to)
        self.rule = rule
        self.rule_zh = rule_zh
        why = f" by the rule: {rule}" if rule else ""
        super().__init__(
            f'field "{field}" (level {level}, {title}) is not open to the purpose "{purpose}"'
            f"{why}; it is open to {_names(self.open_to)}. Leave the field out, or ask for one of "
            f"those purposes: then the rows of clients who authorized level {level} or higher "
            "are used"
        )


class FieldsNotNeeded(ConsentError):
    """A plan names fields that its statistic or model does not use."""

    def __init__(self, fields: Sequence[str]) -> None:
        """Take the names of the idle fields."""
        self.fields = tuple(fields)
        super().__init__(
            f"the plan opens fields that it does not use: {_names(self.fields)}; only what is "
            "necessary is opened, so leave them out"
        )


class HouseholdUnprotected(ConsentError):
    """A plan opens fields of level 3 or 4, and protects one client only."""

    def __init__(self, fields: Sequence[str]) -> None:
        """Take the names of those fields."""
        self.fields = tuple(fields)
        super().__init__(
            f"{_names(self.fields)} of level 3 or 4 tell of a whole family, so a plan that opens "
            'them protects the household: set unit = "household", with clients_per_household for '
            "how many of one household count; or name no unit, and the desk sets both"
        )


class UnknownStage(ConsentError):
    """There is no such stage of service."""

    def __init__(self, stage: str, known: Iterable[str]) -> None:
        """Take the name asked for and the names there are."""
        self.stage = stage
        self.known = tuple(known)
        super().__init__(f'no stage of service "{_shown(stage)}"; {_one_of(self.known)}')


class LevelSkipped(ConsentError):
    """A stage of service builds on a level that the client has not given. The level is not kept."""

    def __init__(self, stage: str, needs: int, earlier: str) -> None:
        """Take the stage, the level it builds on, and the stage that proposes that level."""
        self.stage = stage
        self.needs = needs
        self.earlier = earlier
        super().__init__(
            f'the stage "{stage}" builds on level {needs}, which is not in force; propose the '
            f'stage "{earlier}" first'
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
    return f"use one of: {', '.join(known)}" if known else "there is none"


def _names(purposes: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in purposes)


def _shown(name: str) -> str:
    """Return a name that somebody else made up as a line of a log can bear it."""
    short = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name[:64])
    return short if len(name) <= len(short) else short + "…"
