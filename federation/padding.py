"""Tokens of nobody, so that the coordinator cannot tell how many clients a department has. Pure.

Each department fills its list up to a public length with tokens that no client has. Some of them it
shares with others: for each group of departments whose overlap the coordinator would count, a
number that only departments know, drawn uniformly below the plan's window. So it sees each overlap
shifted, and of a department's own number nothing.

The numbers and the tokens are functions of the alignment key and the plan: another attempt at the
same plan shows the same list again, and nothing can be averaged out of attempts. Other plans draw
other numbers, so who compares many plans narrows the shift down.
"""

from federation.cube_plan import CubePlan
from federation.derivation import derived_key

_LABEL = b"infosandbox/padding/v1"
_NOBODY = "\0"
"""No client's id begins with it: ids are printable."""


def padded_ids(plan: CubePlan, plan_key: bytes, department: str, clients: int) -> tuple[str, ...]:
    """Return the ids of nobody that a department adds to those of its clients.

    Args:
        plan: of the cube; nothing is added unless it is padded.
        plan_key: of `alignment.plan_key`; secret, unknown to the coordinator.
        department: who adds them.
        clients: how many clients it sends, at most the plan's; sensitive.

    Returns:
        Distinct ids, so many that the list is as long as the plan says; sensitive.
    """
    if not plan.padded:
        return ()
    added = [
        f"{_NOBODY}{'+'.join(group)}/{number}"
        for group in plan.overlaps
        if department in group
        for number in range(_shift(plan, plan_key, group))
    ]
    lacking = plan.listed - clients - len(added)
    return (*added, *(f"{_NOBODY}{department}/{number}" for number in range(lacking)))


def _shift(plan: CubePlan, plan_key: bytes, group: tuple[str, ...]) -> int:
    context = tuple(name.encode() for name in group)
    drawn = derived_key(plan_key, label=_LABEL, context=context)
    return int.from_bytes(drawn, "big") % plan.window
