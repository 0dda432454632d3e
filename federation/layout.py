"""What stands where in a vector that leaves a node: one truth for the nodes and the coordinator.

Everything here follows from the plan and the catalogue, which are public. No function sees a row.

A question's vector is its blocks one after the other: the count of clients in each cell, then one
total for each mean, in the plan's order. A block has one place per cell; the cells are the product
of the ``by`` fields' labels, the last field running fastest (one cell if there is no ``by``).
A total is summed in units of half the field's public range around its middle, so that every client
adds a number in [−1, 1] whatever the field's unit is, and no sum comes near the ring's 2^63.
"""

from dataclasses import dataclass
from itertools import product
from math import prod

from consent.catalogue import Catalogue, Field
from federation.errors import PlanInvalid
from federation.question_plan import Mean, QuestionPlan
from privacy.noise_shares import count_scale
from privacy.total_lattice import total_lattice
from privacy.units import NeighboringRelation

MAX_CELLS = 4096
RELATION = NeighboringRelation.ADD_OR_REMOVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One released sum per cell inside a question's vector. Public.

    Attributes:
        name: "count", or "total <field>".
        field: the field whose total it is; None for the count.
        start: index of its first cell in the vector.
        size: number of cells.
        scale: lattice units per unit of the sum (1 client, or half a range of the field).
        sensitivity: L2, lattice units, over all clients and departments that one unit moves.
        center: middle of the field's public bounds, in its unit; 0 for the count.
        half_width: half their distance; 1 for the count.
    """

    name: str
    field: str | None
    start: int
    size: int
    scale: int
    sensitivity: float
    center: float
    half_width: float

    @property
    def places(self) -> slice:
        """Where the block stands in the vector."""
        return slice(self.start, self.start + self.size)


def by_fields(plan: QuestionPlan, catalogue: Catalogue) -> tuple[Field, ...]:
    """Return the fields whose labels span the cells, in the plan's order.

    Raises:
        PlanInvalid: a field is named twice, or there are more than MAX_CELLS cells.
        UnknownField: the catalogue has no such field.
    """
    fields = tuple(catalogue.field(name) for name in plan.by)
    if len(set(plan.by)) < len(plan.by):
        raise PlanInvalid("by: name each field once")
    if prod(len(field.labels()) for field in fields) > MAX_CELLS:
        raise PlanInvalid(f"by: at most {MAX_CELLS} cells; name fewer fields or coarser ones")
    return fields


def cell_labels(plan: QuestionPlan, catalogue: Catalogue) -> tuple[tuple[str, ...], ...]:
    """Return each cell's name, one label per ``by`` field, in the order of the vector.

    Raises:
        PlanInvalid, UnknownField: as by_fields.
    """
    return tuple(product(*(field.labels() for field in by_fields(plan, catalogue))))


def question_blocks(plan: QuestionPlan, catalogue: Catalogue) -> tuple[Block, ...]:
    """Return the blocks of a question's vector: the count first, then each mean's total.

    Raises:
        PlanInvalid: the mean of a field that is not a number, or as by_fields.
        UnknownField: the catalogue has no such field.
    """
    cells = len(cell_labels(plan, catalogue))
    contributions = plan.bound.contributions
    scale = count_scale(
        departments=contributions,
        rho=plan.rho_per_statistic,
        cohort=len(plan.cohort),
        tolerance=plan.tolerance,
    )
    blocks = [
        Block(
            name="count",
            field=None,
            start=0,
            size=cells,
            scale=scale,
            sensitivity=float(scale * contributions),
            center=0.0,
            half_width=1.0,
        )
    ]
    for statistic in plan.statistics:
        if isinstance(statistic, Mean):
            lower, upper = number_bounds(catalogue.field(statistic.field))
            lattice = total_lattice(lower=-1.0, upper=1.0)
            blocks.append(
                Block(
                    name=f"total {statistic.field}",
                    field=statistic.field,
                    start=cells * len(blocks),
                    size=cells,
                    scale=lattice.scale,
                    sensitivity=float(lattice.reach * contributions),
                    center=(lower + upper) / 2,
                    half_width=(upper - lower) / 2,
                )
            )
    return tuple(blocks)


def number_bounds(field: Field) -> tuple[float, float]:
    """Return a number field's public bounds, in its unit.

    Raises:
        PlanInvalid: the field is not a number.
    """
    if field.kind != "number" or field.lower is None or field.upper is None:
        raise PlanInvalid(f"{field.name} is not a number: only a number has a mean")
    return field.lower, field.upper
