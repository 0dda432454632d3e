"""The wire of words about consent: stages, proposals, and why something is closed or refused."""

from typing import Literal, Self

from pydantic import Field, JsonValue

from api.problems import kind_of
from api.schemas import LevelView
from api.wire import Wire
from consent.catalogue import Catalogue
from consent.explanations import Closed
from consent.stages import Proposal, Stage
from federation.coordinator.explaining import Explanation, Needed


class StageView(Wire):
    """A stage of service: the level it proposes, all that level opens, and what it never does."""

    name: str
    title: str
    title_zh: str
    level: LevelView
    opens: tuple[str, ...]
    never: str
    never_zh: str

    @classmethod
    def of(cls, stage: Stage, catalogue: Catalogue) -> Self:
        """Show a stage over this firm's catalogue."""
        return cls(
            name=stage.name,
            title=stage.title,
            title_zh=stage.title_zh,
            level=LevelView.of(stage.level),
            opens=tuple(f.name for f in catalogue.fields if f.level <= stage.level),
            never=stage.never,
            never_zh=stage.never_zh,
        )


class ProposalView(Wire):
    """What a stage proposes to a client. needed: false if the level in force is enough."""

    needed: bool
    stage: StageView | None
    opens: tuple[str, ...] = Field(description="beyond what is open now")
    stays_closed: tuple[str, ...]
    raises: Literal["nothing: the client answers with a level, any or none"] = (
        "nothing: the client answers with a level, any or none"
    )

    @classmethod
    def of(cls, proposal: Proposal | None, catalogue: Catalogue) -> Self:
        """Show a proposal, or that none is needed."""
        if proposal is None:
            return cls(needed=False, stage=None, opens=(), stays_closed=())
        return cls(
            needed=True,
            stage=StageView.of(proposal.stage, catalogue),
            opens=proposal.opens,
            stays_closed=proposal.stays_closed,
        )


class ClosedView(Wire):
    """One reason why a field is closed to a purpose for one client, and what would open it."""

    field: str
    purpose: str
    needed: LevelView
    because: str
    text: str
    text_zh: str
    remedy: str
    remedy_zh: str

    @classmethod
    def of(cls, closed: Closed) -> Self:
        """Show one reason."""
        return cls(
            field=closed.field,
            purpose=closed.purpose,
            needed=LevelView.of(closed.needed),
            because=closed.because.value,
            text=closed.text,
            text_zh=closed.text_zh,
            remedy=closed.remedy,
            remedy_zh=closed.remedy_zh,
        )


class NeedView(Wire):
    """What one field of a plan asks of a client, and which rule narrows it."""

    field: str
    level: LevelView
    family: bool = Field(description="any member of a household may close it")
    open_to: tuple[str, ...]
    rule: str
    rule_zh: str
    who_is_short: dict[str, JsonValue] = Field(
        description="a question of how many clients are short of it: add what it may cost and why"
    )

    @classmethod
    def of(cls, need: Needed, purpose: str) -> Self:
        """Show what a field needs."""
        return cls(
            who_is_short={
                "kind": "question",
                "purpose": purpose,
                "statistics": [{"kind": "short", "field": need.field}],
                "owned": False,
            },
            field=need.field,
            level=LevelView.of(need.level),
            family=need.family,
            open_to=need.open_to,
            rule=need.rule,
            rule_zh=need.rule_zh,
        )


class RefusalView(Wire):
    """One reason against a plan: the type of its problem, and what would make it pass."""

    type: str
    title: str
    detail: str

    @classmethod
    def of(cls, refusal: Exception) -> Self:
        """Show a refusal as the problem it would be."""
        kind = kind_of(type(refusal))
        slug, title = (kind.slug, kind.title) if kind else ("internal", "Unexpected error")
        return cls(type=slug, title=title, detail=str(refusal))


class ExplanationView(Wire):
    """A plan as it would be judged now; ``passes`` if nothing is against it."""

    passes: bool
    unit: str
    needs: tuple[NeedView, ...]
    refusals: tuple[RefusalView, ...]

    @classmethod
    def of(cls, explanation: Explanation) -> Self:
        """Show an explanation."""
        return cls(
            passes=not explanation.refusals,
            unit=explanation.plan.unit.value,
            needs=tuple(NeedView.of(need, explanation.plan.purpose) for need in explanation.needs),
            refusals=tuple(RefusalView.of(refusal) for refusal in explanation.refusals),
        )
