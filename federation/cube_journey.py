"""A cube's journey: match the clients, carry sealed matrices to and fro, add the noised shares."""

from federation.alignment import read_tokens, row_places
from federation.cube_exchange import routed
from federation.cube_layout import cube_layout, sensitivity
from federation.cube_plan import CubePlan
from federation.errors import ProtocolError
from federation.rounds import Brief, Journey, accepted, noised_sum
from privacy.bounds import TABLE_SCALE
from privacy.loss import Rho
from privacy.mechanisms import Release, release
from privacy.units import NeighboringRelation


def build_cube(brief: Brief, *, shuffle: bytes) -> Journey[Release]:
    """Build one cube: tokens → sealed matrices, part by part → noised shares.

    Args:
        brief: of a cube plan.
        shuffle: 32 random bytes, for this journey only; secret.

    Returns one Release: the tables of the plan's layout, one after the other.
    """
    plan = brief.plan
    if not isinstance(plan, CubePlan):
        raise ProtocolError("this journey is a cube's")
    layout = cube_layout(plan, brief.catalogue)
    leg = brief.leg("tokens", step="matching the departments' clients")
    answers = accepted(leg, (yield leg))
    lists = {d: read_tokens(answer.payload) for d, answer in answers.items()}
    least = plan.listed if plan.padded else 0
    if any(not least <= len(each) <= plan.listed for each in lists.values()):
        raise ProtocolError("a department sent more or fewer tokens than the plan allows")
    places = row_places(lists, rows=plan.rows, shuffle=shuffle)
    payloads = {d: rows.astype("<u4").tobytes() for d, rows in places.items()}
    for part in range(len(plan.parts)):
        step = f"carrying sealed matrices, part {part + 1} of {len(plan.parts)}"
        leg = brief.leg("matrices", number=part, step=step, payloads=payloads, helped=True)
        answers = accepted(leg, (yield leg))
        payloads = routed(layout, part, {d: answer.payload for d, answer in answers.items()})
    leg = brief.leg("shares", step="adding the departments' noised shares", payloads=payloads)
    answers = accepted(leg, (yield leg))
    return release(
        "cube",
        noised_sum(brief, 0, answers, size=layout.cells),
        sensitivity=sensitivity(plan),
        scale=TABLE_SCALE,
        rho=Rho(value=plan.rho),
        unit=plan.unit,
        relation=NeighboringRelation.ADD_OR_REMOVE,
        bound=plan.bound,
        cohort=len(plan.cohort),
        tolerance=plan.tolerance,
    )
