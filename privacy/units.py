"""What is protected, against which neighbor, and how far one unit reaches."""

from dataclasses import dataclass
from enum import StrEnum

from privacy.errors import InvalidBound


class PrivacyUnit(StrEnum):
    """Whose presence a release hides."""

    CLIENT = "client"
    """One client across all departments."""
    HOUSEHOLD = "household"
    """One household, with all its clients, across all departments."""


class NeighboringRelation(StrEnum):
    """How two data sets differ that a release must not tell apart."""

    ADD_OR_REMOVE = "add-or-remove"
    """One unit is in one data set, in any number of departments, and absent from the other."""


@dataclass(frozen=True, slots=True)
class ContributionBound:
    """In how many departments one unit may move the sum. Public.

    Attributes:
        departments: at least 1. One if every unit is owned by one department for this plan
            (alignment), otherwise the size of the cohort.

    Raises:
        InvalidBound: not an integer of at least 1.
    """

    departments: int

    def __post_init__(self) -> None:
        """Refuse a bound that protects nobody."""
        if isinstance(self.departments, bool) or not isinstance(self.departments, int):
            raise InvalidBound("departments", self.departments)
        if self.departments < 1:
            raise InvalidBound("departments", self.departments)
