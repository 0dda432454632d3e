"""What a node does for a question: send tokens, then sum its counted clients, then add noise.

A question counts a department's clients whose every field of the plan is open and present, so its
count is also the count under each of its means; in an owned plan, only those of them that this
department owns.
"""

import numpy as np

from federation import layout
from federation.errors import ProtocolError
from federation.node.admission import Admitted
from federation.node.columns import ABSENT
from federation.node.features import cells, in_half_widths
from federation.node.node import Node
from federation.node.opening import opened
from federation.node.ownership import owned_rows, sent_tokens
from federation.question_plan import QuestionPlan
from privacy.bounds import BoundedSum, bounded_count, bounded_total
from privacy.mechanisms import NoisedShare, add_noise_share


def question_tokens(node: Node, admitted: Admitted, plan: QuestionPlan) -> bytes:
    """Return the tokens of the clients this question counts here."""
    records = opened(node, admitted)
    return sent_tokens(node, admitted, records, records.complete(plan.fields))


def question_sums(
    node: Node, admitted: Admitted, plan: QuestionPlan, owned_bits: bytes
) -> tuple[BoundedSum, ...]:
    """Return one bounded sum for each block of the question's layout: the count, then the totals.

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
    records = opened(node, admitted)
    counted = records.complete(plan.fields)
    if plan.owned:
        counted &= owned_rows(node, admitted, records, owned_bits)
    elif owned_bits:
        raise ProtocolError("The plan has no owners, yet ownership came with it.")
    by = layout.by_fields(plan, node.catalogue)
    cell = np.where(counted, cells(records, by), ABSENT)
    sums = []
    for block in layout.question_blocks(plan, node.catalogue):
        if block.field is None:
            bounded = bounded_count(
                cell, block.size, scale=block.scale, unit=plan.unit, bound=plan.bound
            )
        else:
            values = in_half_widths(node.catalogue.field(block.field), records.columns[block.field])
            bounded = bounded_total(
                block.name,
                values,
                cell,
                block.size,
                lower=-1.0,
                upper=1.0,
                unit=plan.unit,
                bound=plan.bound,
            )
        sums.append(bounded)
    return tuple(sums)


def noised_sums(
    node: Node, plan: QuestionPlan, sums: tuple[BoundedSum, ...]
) -> tuple[NoisedShare, ...]:
    """Add this node's noise share to each sum; together they are ρ-zCDP in the cohort's sum."""
    return tuple(
        add_noise_share(
            bounded,
            rho=plan.rho_per_statistic,
            cohort=len(plan.cohort),
            tolerance=plan.tolerance,
            noise=node.noise,
        )
        for bounded in sums
    )
