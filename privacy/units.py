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
    """How often one unit may move the sum: by each of its clients, in each department. Public.

    Attributes:
        departments: at least 1. One if every client is owned by one department for this plan
            (alignment), otherwise the size of the cohort.
        clients: at least 1. How many clients of one unit count: 1 if the unit is the client,
            otherwise how many clients of a household do, over all departments the same ones.

    Raises:
        InvalidBound: not an integer of at least 1.
    """

    departments: int
    clients: int = 1

    def __post_init__(self) -> None:
        """Refuse a bound that protects nobody."""
        for what, number in (("departments", self.departments), ("clients", self.clients)):
            if type(number) is not int or number < 1:  # a bool is no number of anything
                raise InvalidBound(what, number)

    @property
    def contributions(self) -> int:
        """How many times one client's reach a unit may move the sum of all departments."""
        return self.departments * self.clients
