"""The price tag: what a question of the builder would cost, before it is asked. Spends nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from api.web.builder import Draft
from consent.errors import ConsentError
from federation.coordinator.desk import Desk, standing_answer
from federation.coordinator.policy import pool_of
from federation.coordinator.runs import Run
from federation.coordinator.studio import Solution, solve
from federation.errors import FederationError
from privacy.errors import PrivacyError
from privacy.loss import Rho
from privacy.pools import lineage

REFUSALS = (ConsentError, FederationError, PrivacyError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A price tag. ``answered``: the run that answers it for free. Otherwise it costs."""

    solution: Solution
    answered: Run | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cheaper:
    """Another question that would do, and what it would cost."""

    draft: Draft
    less: str
    solution: Solution


def tag_of(draft: Draft, desk: Desk, *, now: datetime) -> Tag:
    """Price a draft; raises what the desk refuses (REFUSALS)."""
    solution = _solved(_question(draft, desk))
    epoch, at = desk.register.head(), int(now.timestamp())
    answered = standing_answer(solution.plan, desk, epoch=epoch, at=at)
    return Tag(solution=solution, answered=answered)


def cheaper(draft: Draft, desk: Desk) -> Sequence[Cheaper]:
    """Return questions close to one that was refused which the budget can still pay."""
    wider = [(n * draft.within, "wider") for n in (2, 4, 10)]
    tries = [(draft.but(within=within), why) for within, why in wider]
    if draft.measures:
        tries.insert(0, (draft.but(measures=()), "count only"))
    found: list[Cheaper] = []
    for other, why in tries:
        try:
            solution = _solved(_question(other, desk))
        except REFUSALS:
            continue
        found.append(Cheaper(draft=other, less=why, solution=solution))
    return found[:3]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """A draft with everything its price depends on: equal questions have one price."""

    draft: Draft
    catalogue: str
    policy: str
    remaining: Rho
    desk: Desk = field(compare=False, repr=False)


def _question(draft: Draft, desk: Desk) -> _Question:
    pools = lineage(pool_of(desk.catalogue.purpose(draft.purpose).name))
    return _Question(
        draft=draft,
        catalogue=desk.catalogue.digest(),
        policy=desk.policy.model_dump_json(),
        remaining=min(state.remaining for state in desk.ledger.states(pools)),
        desk=desk,
    )


@lru_cache(maxsize=512)
def _solved(question: _Question) -> Solution:
    draft = question.draft
    targets = [{"kind": "count", "within": draft.within}]
    return solve(draft.request(question.desk.catalogue), targets, question.desk)
