"""Opening the rows a leg may use: the one place where a task meets the records."""

from collections.abc import Iterator, Mapping, Sequence

from federation.node.admission import Admitted
from federation.node.columns import Column
from federation.node.node import Node
from federation.node.records import Records, open_in_parts, open_records
from privacy.units import PrivacyUnit


def opened(node: Node, admitted: Admitted) -> Records:
    """Open the rows and cells that the leg's permit covers; RecordsUnavailable says why not."""
    return open_records(
        admitted.permit, node.source, node.pseudonym_key, clients_per_household=_most(admitted)
    )


def opened_in_parts(
    node: Node, admitted: Admitted, names: Sequence[str]
) -> tuple[Records, Iterator[Mapping[str, Column]], bytes]:
    """Open the same rows a few fields at a time, the first as records; and name what is opened."""
    return open_in_parts(
        admitted.permit,
        node.source,
        node.pseudonym_key,
        names,
        clients_per_household=_most(admitted),
    )


def _most(admitted: Admitted) -> int | None:
    plan = admitted.plan
    return plan.clients_per_household if plan.unit is PrivacyUnit.HOUSEHOLD else None
