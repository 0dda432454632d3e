"""Households: whose family is described by a field, and what a study of it must protect.

A field of level 3 or 4 describes people who never gave an authorization themselves: a spouse, a
child, whoever shares the debts. So a study of such fields protects the household, all its clients
together, and any member may close the family fields for all of them.

A household must not count without limit. The register gives its clients places, 0, 1, 2, …, in the
order in which they were entered and for good, and a plan counts the first of them: as many as its
``clients_per_household`` says (1 if it says nothing), a public number that the catalogue limits and
that its noise grows with. The places are the same for every department, so the bound holds over all
of them together, whoever knows which of the clients; and they depend on no other household, so that
one household can be taken away without moving another. Loading a larger household is not refused:
its later clients are left out of these studies only, and so is the place of one who withdraws.
Only an erasure frees the last place of a household for a client who is entered a day later or more,
when no snapshot of any department holds the erased client any longer.
"""

from collections.abc import Iterable

from consent.catalogue import Field
from consent.errors import HouseholdUnprotected
from consent.levels import Level

HOUSEHOLD = "household"


def unit_for(fields: Iterable[Field]) -> str:
    """Return whose presence a plan of these fields must protect: "client" or "household"."""
    return HOUSEHOLD if _of_families(fields) else "client"


def check_unit(fields: Iterable[Field], unit: str) -> None:
    """Refuse a plan that opens family fields and protects one client only (all public).

    The coordinator asks this before it prices a plan; every node asks it again.

    Raises:
        HouseholdUnprotected: names the fields, and what to set.
    """
    family = _of_families(fields)
    if family and unit != HOUSEHOLD:
        raise HouseholdUnprotected(family)


def _of_families(fields: Iterable[Field]) -> list[str]:
    return [field.name for field in fields if field.level >= Level.FAMILY_STRUCTURE]
