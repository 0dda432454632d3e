"""Whether a plan can be carried out at all; asked by the coordinator and by every node."""

from consent.catalogue import Catalogue
from consent.decisions import least_necessary
from consent.households import check_unit
from federation import cube_layout, layout, training_layout
from federation.cube_plan import CubePlan
from federation.errors import PlanInvalid
from federation.evaluation_layout import evaluation_tables
from federation.evaluation_plan import EvaluationPlan
from federation.plans import AnyPlan
from federation.question_plan import QuestionPlan
from federation.training_plan import TrainingPlan


def check(plan: AnyPlan, catalogue: Catalogue) -> None:
    """Refuse a plan that no node could turn into a vector. Touches no data and spends nothing.

    Raises:
        HouseholdUnprotected: it opens a field of level 3 or 4 and its unit is the client.
        FieldsNotNeeded: it names a field that no department of its cohort holds.
        PlanInvalid: more clients of a household than the catalogue lets count, a mean of something
            else than a number, a target that cannot be learned so or that a department of the
            cohort does not hold, too many cells.
        ModelError: the network is beyond its limits.
        UnknownField: the catalogue has no such field.
        NoiseTooSmall: ρ is so large that the noise of one department would be too small.
    """
    fields = [catalogue.field(name) for name in plan.fields]
    check_unit(fields, plan.unit)
    held = (f.name for f in fields if not set(f.departments).isdisjoint(plan.cohort))
    least_necessary(plan.fields, held)
    if plan.clients_per_household > catalogue.clients_per_household:
        raise PlanInvalid(
            f"clients_per_household: at most {catalogue.clients_per_household} of a household count"
        )
    match plan:
        case QuestionPlan():
            layout.question_blocks(plan, catalogue)
        case TrainingPlan():
            training_layout.architecture_of(plan, catalogue)
            training_layout.check_labels_held(plan, catalogue)
        case CubePlan():
            cube_layout.cube_layout(plan, catalogue)
        case EvaluationPlan():
            evaluation_tables(plan, catalogue)
