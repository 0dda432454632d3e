"""A question's journey: find each client's owner if the plan wants it, then add the masked sums."""

from federation import layout
from federation.errors import ProtocolError
from federation.question_plan import QuestionPlan
from federation.rounds import Brief, Journey, accepted, agreed, noised_sum
from privacy.mechanisms import Release, release
from privacy.units import NeighboringRelation


def ask_question(brief: Brief) -> Journey[tuple[Release, ...]]:
    """Ask one question: find each client's owner if the plan wants it, then add the masked sums.

    Returns one Release per block of the plan's layout: the count, then every other sum.
    """
    plan = brief.plan
    if not isinstance(plan, QuestionPlan):
        raise ProtocolError("this journey is a question's")
    owned = yield from agreed(brief, owned=plan.owned)
    leg = brief.leg("sum", step="adding the departments' noised sums", payloads=owned)
    answers = accepted(leg, (yield leg))
    blocks = layout.question_blocks(plan, brief.catalogue)
    noised = noised_sum(brief, 0, answers, size=sum(block.size for block in blocks))
    return tuple(
        release(
            block.name,
            noised[block.places],
            sensitivity=block.sensitivity,
            scale=block.scale,
            rho=block.rho,
            unit=plan.unit,
            relation=NeighboringRelation.ADD_OR_REMOVE,
            bound=plan.bound,
            cohort=len(plan.cohort),
            tolerance=plan.tolerance,
        )
        for block in blocks
    )
