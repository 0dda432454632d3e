"""One spelling for each question: however it is asked, equal questions become equal plans. Pure."""

from collections.abc import Mapping
from typing import Any

import rfc8785

from consent.catalogue import Catalogue, Field
from federation.errors import PlanInvalid
from federation.statistics.bounds import known_labels

Json = dict[str, Any]


def spelled(request: Mapping[str, object], catalogue: Catalogue) -> Json:
    """Return a question's request in the one spelling that its plan has.

    ``by``, the statistics and the conditions are put in order, since none changes what is
    released; labels stand in the catalogue's order; "equal" and "from"–"to" become the labels they
    mean; several conditions on one field become the labels that meet all of them. What is malformed
    is left for the plan to refuse.

    Raises:
        PlanInvalid: a condition that no value meets, or that is on no public edge.
        UnknownField: the catalogue has no such field.
    """
    values = dict(request)
    if isinstance(by := values.get("by"), list | tuple):
        values["by"] = sorted(map(str, by))
    if isinstance(statistics := values.get("statistics"), list | tuple):
        values["statistics"] = sorted((_statistic(s, catalogue) for s in statistics), key=_order)
    if isinstance(where := values.get("where"), list | tuple):
        values["where"] = _conditions(where, catalogue)
    return values


def _order(statistic: object) -> bytes:
    try:
        return rfc8785.dumps(statistic)  # type: ignore[arg-type] # whatever was sent
    except (rfc8785.CanonicalizationError, ValueError):
        return b""


def _statistic(statistic: Any, catalogue: Catalogue) -> object:  # noqa: ANN401 - as it was sent
    match statistic:
        case {"kind": "correlation", "field": str() as one, "other": str() as two}:
            first, second = sorted((one, two))
            return dict(statistic) | {"field": first, "other": second}
        case {"kind": "proportion", "field": str() as name, "of": [*labels]}:
            field = catalogue.field(name)
            return dict(statistic) | {"of": list(known_labels(field, tuple(map(str, labels))))}
        case _:
            return statistic


def _conditions(where: list[Any] | tuple[Any, ...], catalogue: Catalogue) -> list[Json]:
    met: dict[str, set[str]] = {}
    for condition in where:
        if not isinstance(condition, Mapping) or not isinstance(condition.get("field"), str):
            raise PlanInvalid('where: each condition names its "field"')
        field = catalogue.field(condition["field"])
        labels = set(_labels(condition, field))
        met[field.name] = met.get(field.name, labels) & labels
        if not met[field.name]:
            raise PlanInvalid(f"where: nothing meets all conditions on {field.name}")
    return [
        {"field": name, "one_of": [x for x in catalogue.field(name).labels() if x in met[name]]}
        for name in sorted(met)
    ]


def _labels(condition: Mapping[str, Any], field: Field) -> tuple[str, ...]:
    """Return the labels that meet one condition."""
    match {key: value for key, value in condition.items() if key != "field" and value is not None}:
        case {"equal": str() as label, **rest} if not rest:
            return known_labels(field, (label,))
        case {"one_of": [_, *_] as labels, **rest} if not rest:
            return known_labels(field, tuple(map(str, labels)))
        case {**ends} if ends and ends.keys() <= {"from", "to"}:
            return _between(field, ends.get("from"), ends.get("to"))
        case _:
            raise PlanInvalid(
                f'where: give {field.name} either "equal", "one_of", or "from" and "to"'
            )


def _between(field: Field, start: object, stop: object) -> tuple[str, ...]:
    """Return the bins from one public edge up to another; None is the end of the range."""
    if field.kind != "number" or not field.edges:
        raise PlanInvalid(f'where: {field.name} has no edges; use "one_of"')
    cuts = [field.lower, *field.edges, field.upper]
    first, last = (
        end if place is None else _place(cuts, place, field)
        for end, place in ((0, start), (len(cuts) - 1, stop))
    )
    if first >= last:
        raise PlanInvalid(f'where: on {field.name} "from" must be below "to"')
    return field.labels()[first:last]


def _place(cuts: list[float | None], value: object, field: Field) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value not in cuts:
        edges = ", ".join(f"{edge:,.15g}" for edge in cuts if edge is not None)
        raise PlanInvalid(f"where: {field.name} is cut at {edges} only")
    return cuts.index(value)
