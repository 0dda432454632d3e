"""Stages of service: each proposes a level, with what it opens and what it never does. Pure.

A proposal is words for a client to read. Nothing here sets a level: only the client's own request
to the register does, and the client may answer with any other level, or with none.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from consent.catalogue import Catalogue
from consent.errors import LevelSkipped, UnknownStage
from consent.levels import Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of service: the level it proposes, and the words for what it never opens."""

    name: str
    title: str
    title_zh: str
    level: Level
    never: str
    never_zh: str


STAGES = (
    Stage(
        name="onboarding",
        title="Opening an account",
        title_zh="开户",
        level=Level.BASIC_ASSETS,
        never="No product, preference, family or tax fact is opened by opening an account.",
        never_zh="开户不会开放产品、偏好、家庭或税务信息。",
    ),
    Stage(
        name="mandate",
        title="An investment mandate",
        title_zh="投资委托",
        level=Level.INVESTMENT_PREFERENCES,
        never="No fact about your family is opened by a mandate, nor what you owe.",
        never_zh="投资委托不会开放家庭信息或负债信息。",
    ),
    Stage(
        name="family_office",
        title="Family office",
        title_zh="家族办公室",
        level=Level.FAMILY_STRUCTURE,
        never="Liabilities, taxes and statements stay closed; any family member may object.",
        never_zh="负债、税务与账单保持关闭；任何家庭成员均可反对。",
    ),
    Stage(
        name="succession",
        title="Succession planning",
        title_zh="传承规划",
        level=Level.FULL_FAMILY_FINANCES,
        never="Nothing is opened to a purpose that the rules exclude, nor to one you object to.",
        never_zh="任何字段都不会用于规则排除的用途，也不会用于您反对的用途。",
    ),
)
"""In the order in which they build on one another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a stage proposes to a client. It raises nothing.

    opens: the catalogue's fields that the level opens beyond the level in force. stays_closed:
    those that it does not open.
    """

    stage: Stage
    level: Level
    opens: tuple[str, ...]
    stays_closed: tuple[str, ...]


def propose(
    stage: str, level: Level, catalogue: Catalogue, *, stages: Sequence[Stage] = STAGES
) -> Proposal | None:
    """Return what a stage proposes to a client who stands at a level; None if nothing is needed.

    Args:
        stage: its name. Public.
        level: in force now. Sensitive, and so is the proposal.
        catalogue: of the firm. Public.
        stages: in the order in which they build on one another. Public.

    Raises:
        UnknownStage: names those there are.
        LevelSkipped: the stage builds on a level that is not in force; names the stage to begin
            with. What a client never agreed to is not asked for in passing.
    """
    names = [s.name for s in stages]
    if stage not in names:
        raise UnknownStage(stage, names)
    found = stages[names.index(stage)]
    if level >= found.level:
        return None
    for earlier in stages[: names.index(stage)]:
        if level < earlier.level:
            raise LevelSkipped(stage, int(earlier.level), earlier.name)
    fields = catalogue.fields
    return Proposal(
        stage=found,
        level=found.level,
        opens=tuple(f.name for f in fields if level < f.level <= found.level),
        stays_closed=tuple(f.name for f in fields if f.level > found.level),
    )
