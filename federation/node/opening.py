"""Opening the rows a leg may use: the one place where a task meets the records."""

from federation.node.admission import Admitted
from federation.node.node import Node
from federation.node.records import Records, open_records
from privacy.units import PrivacyUnit


def opened(node: Node, admitted: Admitted) -> Records:
    """Open the rows and cells that the leg's permit covers; RecordsUnavailable says why not."""
    plan = admitted.plan
    most = plan.clients_per_household if plan.unit is PrivacyUnit.HOUSEHOLD else None
    return open_records(
        admitted.permit, node.source, node.pseudonym_key, clients_per_household=most
    )
