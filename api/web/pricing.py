"""The price tag: what a question of the builder would cost, before it is asked. Spends nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from api.web.forms import Fields
from consent.catalogue import Catalogue, Field
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
EXACT = (15.0, 40.0, 100.0)
"""Clients within which a count may be off: finer, usual, coarser."""
_NO_REASON = "a price was asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What the builder holds. ``only``: "field=label", which every client counted must have."""

    purpose: str
    means: tuple[str, ...]
    by: tuple[str, ...]
    cohort: tuple[str, ...]
    only: str
    within: float
    reason: str

    def request(self) -> dict[str, Any]:
        """Return the question as the desk takes it, without its price."""
        return {
            "kind": "question",
            "purpose": self.purpose,
            "statistics": [
                {"kind": "count"},
                *({"kind": "mean", "field": name} for name in self.means),
            ],
            "by": list(self.by),
            "where": conditions(self.only),
            "reason": self.reason or _NO_REASON,
        } | ({"cohort": list(self.cohort)} if self.cohort else {})

    def but(self, *, means: tuple[str, ...] | None = None, within: float | None = None) -> "Draft":
        """Return the same draft with other means, or otherwise exact."""
        return Draft(
            purpose=self.purpose,
            means=self.means if means is None else means,
            by=self.by,
            cohort=self.cohort,
            only=self.only,
            within=self.within if within is None else within,
            reason=self.reason,
        )

    def query(self, **changes: object) -> dict[str, Any]:
        """Return the draft as a query of the builder, with changes."""
        values = {
            "purpose": self.purpose,
            "mean": self.means,
            "by": self.by,
            "cohort": self.cohort,
            "only": self.only,
            "within": f"{self.within:g}",
            "reason": self.reason,
        } | changes
        return {name: value for name, value in values.items() if value}


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


def draft_of(fields: Fields, catalogue: Catalogue) -> Draft:
    """Read the builder's form; what it does not say is the usual."""
    purpose = fields.one("purpose") or catalogue.purposes[0].name
    within = fields.number("within_other", 0) or fields.number("within", EXACT[1])
    cohort = tuple(sorted(set(fields.many("cohort"))))
    return Draft(
        purpose=purpose,
        means=tuple(dict.fromkeys(fields.many("mean"))),
        by=tuple(dict.fromkeys(fields.many("by"))),
        cohort=() if set(cohort) == set(catalogue.departments) else cohort,
        only=fields.one("only"),
        within=within,
        reason=fields.one("reason"),
    )


def conditions(only: str) -> list[dict[str, Any]]:
    """Return "field=label" as the condition of a plan; none for an empty text."""
    field_, equals, label = only.partition("=")
    return [{"field": field_, "one_of": [label]}] if equals else []


def open_fields(purpose: str, catalogue: Catalogue) -> list[Field]:
    """Return the fields that are open to a purpose."""
    return [field for field in catalogue.fields if purpose in field.purposes]


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
    if draft.means:
        tries.insert(0, (draft.but(means=()), "count only"))
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
        remaining=min(desk.ledger.state(pool).remaining for pool in pools),
        desk=desk,
    )


@lru_cache(maxsize=512)
def _solved(question: _Question) -> Solution:
    draft = question.draft
    targets = [{"kind": "count", "within": draft.within}]
    return solve(draft.request(), targets, question.desk)
