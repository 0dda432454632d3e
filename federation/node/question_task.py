"""What a node does for a question: send tokens, then sum its counted clients, then add noise.

A question counts a department's clients whose every field of the plan is open and present, so its
count is also the count under each of its means; in an owned plan, only those of them that this
department owns.
"""

import numpy as np

from federation import layout
from federation.alignment import plan_key, tokens
from federation.errors import ProtocolError, SessionUnknown
from federation.node.admission import Admitted
from federation.node.columns import ABSENT
from federation.node.features import cells, in_half_widths
from federation.node.node import Node, SentTokens, remember
from federation.node.opening import opened
from federation.question_plan import QuestionPlan
from privacy.bounds import BoundedSum, bounded_count, bounded_total
from privacy.mechanisms import NoisedShare, add_noise_share


def sent_tokens(node: Node, admitted: Admitted, plan: QuestionPlan) -> bytes:
    """Return the tokens of the clients this question counts here, and remember their order."""
    records = opened(node, admitted)
    counted = np.flatnonzero(records.complete(plan.fields))
    client_ids = tuple(records.client_ids[row] for row in counted)
    key = plan_key(node.alignment_key, bytes.fromhex(admitted.run.plan))
    listed = tokens(key, client_ids)
    sent = SentTokens(client_ids=client_ids, tokens=listed)
    remember(node.memory.tokens, admitted.attempt, sent)
    return listed.tokens.tobytes()


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
        owned = _owned_clients(node, admitted, owned_bits)
        counted &= np.fromiter((c in owned for c in records.client_ids), np.bool_, len(counted))
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


def _owned_clients(node: Node, admitted: Admitted, owned_bits: bytes) -> set[str]:
    sent = node.memory.tokens.pop(admitted.attempt, None)
    if sent is None:
        raise SessionUnknown(node.department)
    size = len(sent.client_ids)
    packed = np.frombuffer(owned_bits, dtype=np.uint8)
    if packed.size != (size + 7) // 8:
        raise ProtocolError("The coordinator did not send one ownership flag for each token.")
    rows = sent.tokens.to_rows(np.unpackbits(packed, count=size).astype(np.bool_))
    return {sent.client_ids[row] for row in np.flatnonzero(rows)}
