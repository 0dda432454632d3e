"""How narrow a question's conditions are, by public facts alone."""

from fractions import Fraction

from consent.catalogue import Catalogue
from federation.coordinator.errors import FilterTooNarrow
from federation.question_plan import QuestionPlan


def public_share(plan: QuestionPlan, catalogue: Catalogue) -> Fraction:
    """Return the part of all cells that the conditions keep: the product over their fields.

    It is of labels, not of clients: nobody looks at a row to know it.
    """
    share = Fraction(1)
    for condition in plan.where:
        labels = catalogue.field(condition.field).labels()
        share *= Fraction(len(condition.one_of), len(labels))
    return share


def check_filter(plan: QuestionPlan, catalogue: Catalogue, *, least: float) -> None:
    """Refuse conditions that keep a smaller part than the policy allows. Spends nothing.

    Raises:
        FilterTooNarrow: with both parts.
    """
    share = public_share(plan, catalogue)
    if share < Fraction(least):
        raise FilterTooNarrow(float(share), least)
