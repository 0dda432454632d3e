"""How narrow a question's conditions are, by public facts alone."""

from fractions import Fraction

from consent.catalogue import Catalogue
from federation.coordinator.errors import FilterTooNarrow
from federation.question_plan import QuestionPlan


def public_share(plan: QuestionPlan, catalogue: Catalogue) -> Fraction:
    """Return about what part of all clients the conditions keep: the product over their fields.

    A field's labels have the shares that the catalogue declares, or else equal ones: nobody looks
    at a row to know them.
    """
    share = Fraction(1)
    for condition in plan.where:
        field = catalogue.field(condition.field)
        labels = field.labels()
        parts = [Fraction(p) for p in field.shares] or [Fraction(1, len(labels))] * len(labels)
        kept = (part for x, part in zip(labels, parts, strict=True) if x in condition.one_of)
        share *= min(sum(kept, Fraction(0)), Fraction(1))
    return share


def check_filter(plan: QuestionPlan, catalogue: Catalogue, *, least: float) -> None:
    """Refuse conditions that keep a smaller part than the policy allows. Spends nothing.

    Raises:
        FilterTooNarrow: with both parts.
    """
    share = public_share(plan, catalogue)
    if share < Fraction(least):
        raise FilterTooNarrow(float(share), least)
