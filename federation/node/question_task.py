"""What a node does for a question: send tokens, then sum its counted clients, then add noise.

A question counts a department's clients whose every field of the plan is open and present, so its
count is also the count under each of its means; in an owned plan, only those of them that this
department owns. Tokens are sent of all of them, whatever the conditions of the plan: how long the
list is tells the coordinator nothing of who meets them. A question of who is short opens no row.
"""

import numpy as np

from federation import layout
from federation.errors import ProtocolError
from federation.node.admission import Admitted
from federation.node.columns import ABSENT
from federation.node.features import cells
from federation.node.node import Node
from federation.node.opening import opened
from federation.node.ownership import owned_rows, sent_tokens
from federation.node.question_sums import bounded, meets
from federation.question_plan import QuestionPlan
from privacy.bounds import BoundedSum, bounded_count
from privacy.mechanisms import NoisedShare, add_noise_share
from privacy.units import PrivacyUnit


def question_tokens(node: Node, admitted: Admitted, plan: QuestionPlan) -> bytes:
    """Return the tokens of the clients this question counts here."""
    records = opened(node, admitted)
    return sent_tokens(node, admitted, records, records.complete(plan.fields))


def question_sums(
    node: Node, admitted: Admitted, plan: QuestionPlan, owned_bits: bytes
) -> tuple[BoundedSum, ...]:
    """Return one bounded sum for each block of the question's layout, the count first.

    Args:
        node: the department's.
        admitted: the sum leg.
        plan: of that leg.
        owned_bits: np.packbits of one flag per token sent, in an owned plan; else empty.

    Raises:
        SessionUnknown: this worker did not send the attempt's tokens.
        ProtocolError: not one flag per token.
        RecordsUnavailable: see records.
    """
    if plan.short is not None:
        return (_short_sum(node, admitted, plan),)
    records = opened(node, admitted)
    counted = records.complete(plan.fields)
    if plan.owned:
        counted &= owned_rows(node, admitted, records, owned_bits)
    elif owned_bits:
        raise ProtocolError("The plan has no owners, yet ownership came with it.")
    catalogue = node.catalogue
    for condition in plan.where:
        counted &= meets(condition, catalogue.field(condition.field), records)
    by = layout.by_fields(plan, catalogue)
    cell = np.where(counted, cells(records, by), ABSENT)
    return tuple(
        bounded(block, plan, records, catalogue, cell)
        for block in layout.question_blocks(plan, catalogue)
    )


def noised_sums(
    node: Node, plan: QuestionPlan, sums: tuple[BoundedSum, ...]
) -> tuple[NoisedShare, ...]:
    """Add this node's noise share to each sum; together they are ρ-zCDP in the cohort's sum."""
    return tuple(
        add_noise_share(
            bounded_sum,
            rho=rho,
            cohort=len(plan.cohort),
            tolerance=plan.tolerance,
            noise=node.noise,
        )
        for bounded_sum, rho in zip(sums, plan.sums.values(), strict=True)
    )


def _short_sum(node: Node, admitted: Admitted, plan: QuestionPlan) -> BoundedSum:
    """Count who is short in the snapshot, at one department; each client at most once."""
    (block,) = layout.question_blocks(plan, node.catalogue)
    most = plan.clients_per_household if plan.unit is PrivacyUnit.HOUSEHOLD else None
    count = admitted.permit.short(most=most) if node.department == plan.cohort[0] else 0
    return bounded_count(
        np.zeros(count, dtype=np.int64),
        block.size,
        scale=block.scale,
        unit=plan.unit,
        bound=plan.bound,
    )
