"""Whose presence a plan hides, where its asker does not say: the household for family fields."""

from collections.abc import Mapping

from consent.catalogue import Catalogue
from consent.households import HOUSEHOLD, unit_for
from federation.plans import read_plan


def protected(values: Mapping[str, object], catalogue: Catalogue) -> dict[str, object]:
    """Return a plan's values with the unit that its fields call for, if they name none.

    If that is the household, as many of its clients count as the catalogue allows, unless the
    values say how many. A unit that they name stays, right or wrong: the check refuses it.

    Raises:
        PlanInvalid: the values are no plan.
        UnknownField: the catalogue has no such field.
    """
    if values.get("unit") is not None:
        return dict(values)
    fields = read_plan(dict(values) | {"unit": HOUSEHOLD}).fields
    unit = unit_for(catalogue.field(name) for name in fields)
    most = {"clients_per_household": catalogue.clients_per_household}
    return {**(most if unit == HOUSEHOLD else {}), **values, "unit": unit}
