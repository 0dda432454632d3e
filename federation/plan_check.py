"""Whether a plan can be carried out at all; asked by the coordinator and by every node."""

from consent.catalogue import Catalogue
from federation import layout, training_layout
from federation.errors import PlanInvalid
from federation.plans import AnyPlan
from federation.question_plan import QuestionPlan
from federation.training_plan import TrainingPlan


def check(plan: AnyPlan, catalogue: Catalogue) -> None:
    """Refuse a plan that no node could turn into a vector. Touches no data and spends nothing.

    Raises:
        PlanInvalid: more clients of a household than the catalogue lets count, a mean of something
            else than a number, a target without exactly two labels, too many cells.
        ModelError: the network is beyond its limits.
        UnknownField: the catalogue has no such field.
        NoiseTooSmall: ρ is so large that the noise of one department would be too small.
    """
    if plan.clients_per_household > catalogue.clients_per_household:
        raise PlanInvalid(
            f"clients_per_household: at most {catalogue.clients_per_household} of a household count"
        )
    match plan:
        case QuestionPlan():
            layout.question_blocks(plan, catalogue)
        case TrainingPlan():
            training_layout.architecture_of(plan, catalogue)
