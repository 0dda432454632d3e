"""A cube as it is asked for: fields, and perhaps where each comes from; the rest is filled in."""

from collections.abc import Mapping
from typing import Any

from consent.catalogue import Catalogue
from federation.errors import PlanInvalid

_PAIR = 2


def filled_in(values: Mapping[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    """Turn ``fields`` and ``taken_from`` into the plan's sources, and name a pair's dealer.

    A field comes from the department that ``taken_from`` names, else from the first of the cohort
    that holds it. Of a cohort of two, the first other department of the firm deals, if none is
    named.

    Args:
        values: a cube's request, with its cohort.
        catalogue: the firm's.

    Raises:
        PlanInvalid: a field that no department of the cohort holds, or no third department.
        UnknownField: the catalogue has no such field.
    """
    given = dict(values)
    names, chosen = given.pop("fields", ()), given.pop("taken_from", None) or {}
    if unused := sorted(set(chosen) - set(names)):
        raise PlanInvalid(f"taken_from: {unused[0]} is not among the fields")
    cohort = given["cohort"]
    sources = []
    for name in sorted(set(names)):
        holders = catalogue.field(name).departments
        department = chosen.get(name) or next((d for d in cohort if d in holders), None)
        if department is None:
            raise PlanInvalid(f"fields: no department of the cohort holds {name}")
        sources.append({"field": name, "department": department})
    if len(cohort) == _PAIR and "dealer" not in given:
        others = sorted(set(catalogue.departments) - set(cohort))
        if not others:
            raise PlanInvalid("cohort: two departments need a third one in the firm as a dealer")
        given["dealer"] = others[0]
    return given | {"sources": sources}
