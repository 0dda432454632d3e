"""Of each release: how many of the clients it could count have withdrawn since, as a rough size.

Past releases stand, and nobody claims to unlearn. A privacy officer should know all the same when a
model rests on people many of whom have left, so the number is told as a bucket of a power of ten.
"""

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise

import sqlalchemy as sa

from consent import tables
from consent.events import Event, Kind
from consent.levels import Level
from federation.coordinator.consent_log import standings_after
from federation.coordinator.desk import Desk
from federation.coordinator.lineage import least_level
from federation.plans import read_plan

_LEVELS = [
    kind.value
    for kind in (
        Kind.ENTERED,
        Kind.GIVEN,
        Kind.RAISED,
        Kind.LOWERED,
        Kind.WITHDRAWN,
        Kind.EXPIRED,
    )
]
_ENDS = (Kind.WITHDRAWN.value, Kind.EXPIRED.value)
_FOR_EVER = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """One release, and the bucket of how many of its epoch's clients have withdrawn since.

    clients: "0", "1–9", "10–99" and so on, of those whose level at that epoch opened what the plan
    needed of a client, and who authorize nothing now: withdrawn, expired or erased.
    """

    run: str
    kind: str
    purpose: str
    released_at: int
    epoch: int
    model: str
    clients: str


def withdrawn_since(
    desk: Desk, *, limit: int | None = None, before: str | None = None
) -> list[Withdrawn]:
    """Return releases with their buckets, newest first. For privacy officers and auditors.

    Args:
        desk: of the coordinator.
        limit: how many at most.
        before: a run; only releases that came in before it.

    A bucket is exact, so whoever looks again and again sees when it changes: that somebody
    withdrew, which the epoch's number tells anyway, and never who.
    """
    spans = _spans(_gone(desk))
    catalogue = desk.catalogue.digest()
    found = []
    for past in desk.runs.released(limit=limit, before=before):
        plan = read_plan(past.plan)
        known = plan.catalogue == catalogue
        level = least_level(plan, desk.catalogue) if known else Level.BASIC_ASSETS
        begun, ended = spans[level]
        count = bisect_right(begun, past.epoch) - bisect_right(ended, past.epoch)
        found.append(
            Withdrawn(
                run=past.id,
                kind=plan.kind,
                purpose=plan.purpose,
                released_at=past.at,
                epoch=past.epoch,
                model=past.model,
                clients=bucket(count),
            )
        )
    return found


def bucket(count: int) -> str:
    """Return the power of ten that a count lies in, such as "0", "1–9" or "10–99"."""
    if count <= 0:
        return "0"
    least = 10 ** (len(str(count)) - 1)
    return f"{least:,}–{10 * least - 1:,}"


def _gone(desk: Desk) -> list[list[Event]]:
    """Return what set the level of each client who ever withdrew; sensitive."""
    own = tables.events.c
    ever = sa.select(own.ref).where(own.kind.in_(_ENDS))
    with desk.engine.connect() as db:
        return tables.histories_where(db, own.kind.in_(_LEVELS), own.ref.in_(ever))


def _spans(histories: list[list[Event]]) -> dict[Level, tuple[list[int], list[int]]]:
    """Return for each level the epochs in which a client who is gone now reached and left it."""
    begun: dict[Level, list[int]] = {level: [] for level in Level}
    ended: dict[Level, list[int]] = {level: [] for level in Level}
    for events in histories:
        after = [(seq, standing.level) for seq, standing in standings_after(events).items()]
        if after[-1][1] is not Level.NONE:
            continue
        for (seq, level), (end, _) in pairwise([*after, (_FOR_EVER, Level.NONE)]):
            for reached in range(1, level + 1):
                begun[Level(reached)].append(seq)
                ended[Level(reached)].append(end)
    return {level: (sorted(begun[level]), sorted(ended[level])) for level in Level}
