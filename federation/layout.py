"""What stands where in a vector that leaves a node: one truth for the nodes and the coordinator.

Everything here follows from the plan and the catalogue, which are public. No function sees a row.

A question's vector is its blocks one after the other: the count of clients in each cell, then the
other sums of its statistics, in the plan's order. A block has one place per cell, or one for each
part of every cell, the parts running fastest; the cells are the product of the ``by`` fields'
labels, the last field running fastest (one cell if there is no ``by``).
A total is summed in units of half the field's public range around its middle, so that every client
adds a number in [−1, 1] whatever the field's unit is, and no sum comes near the ring's 2^63.
"""

from dataclasses import dataclass
from itertools import product
from math import prod

from consent.catalogue import Catalogue, Field
from federation.errors import PlanInvalid
from federation.question_plan import QuestionPlan
from federation.statistics.bounds import known_labels, range_of
from federation.statistics.summands import Clients, Moment, Summand
from privacy.loss import Rho
from privacy.noise_shares import count_scale
from privacy.total_lattice import total_lattice

MAX_CELLS = 4096
MAX_PLACES = 65_536
"""Most places of a question's vector: half a megabyte a leg, and less than a second of noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One released sum inside a question's vector. Public.

    Attributes:
        summand: what one client adds.
        start: index of its first place in the vector.
        size: number of places: cells times parts.
        parts: places of one cell, 1 unless the sum is split.
        rho: its part of the plan's loss.
        scale: lattice units per unit of the sum (1 client, or half a range of the field).
        sensitivity: L2, lattice units, over all clients and departments that one unit moves.
        center: of a total, the middle of the amount's public bounds, in its unit; else 0.
        half_width: of a total, half their distance; else 1.
    """

    summand: Summand
    start: int
    size: int
    parts: int
    rho: Rho
    scale: int
    sensitivity: float
    center: float
    half_width: float

    @property
    def name(self) -> str:
        """Name the block as its Release is named: "count", "total <field>" and the like."""
        return self.summand.name

    @property
    def field(self) -> str | None:
        """Name the field whose plain total it is; None for every other sum."""
        if isinstance(self.summand, Moment) and len(self.summand.factors) == 1:
            return self.summand.factors[0].field
        return None

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
    """Return the blocks of a question's vector: the count first, then its statistics' own sums.

    Raises:
        PlanInvalid: a statistic or a condition that its fields cannot give, a vector of more than
            MAX_PLACES places, or as by_fields.
        UnknownField: the catalogue has no such field.
    """
    for statistic in plan.statistics:
        statistic.check(catalogue)
    for condition in plan.where:
        known_labels(catalogue.field(condition.field), condition.one_of)
    cells = prod(len(field.labels()) for field in by_fields(plan, catalogue))
    if cells * sum(_parts(summand, catalogue) for summand in plan.sums) > MAX_PLACES:
        raise PlanInvalid(f"statistics: at most {MAX_PLACES} places in all; ask for fewer parts")
    blocks: list[Block] = []
    start = 0
    for summand, rho in plan.sums.items():
        parts = _parts(summand, catalogue)
        scale, reach = _lattice(summand, plan, rho)
        center, half_width = _range(summand, catalogue)
        blocks.append(
            Block(
                summand=summand,
                start=start,
                size=cells * parts,
                parts=parts,
                rho=rho,
                scale=scale,
                sensitivity=float(reach * plan.bound.contributions),
                center=center,
                half_width=half_width,
            )
        )
        start += cells * parts
    return tuple(blocks)


def _parts(summand: Summand, catalogue: Catalogue) -> int:
    match summand:
        case Clients(field=str() as name, parts=None):
            return len(catalogue.field(name).labels())
        case Clients(parts=int() as parts):
            return parts
        case _:
            return 1


def _lattice(summand: Summand, plan: QuestionPlan, rho: Rho) -> tuple[int, int]:
    """Return a sum's scale and one client's reach: 1 client, or 1 half width."""
    if isinstance(summand, Clients):
        scale = count_scale(
            departments=plan.bound.contributions,
            rho=rho,
            cohort=len(plan.cohort),
            tolerance=plan.tolerance,
        )
        return scale, scale
    lattice = total_lattice(lower=-1.0, upper=1.0)
    return lattice.scale, lattice.reach


def _range(summand: Summand, catalogue: Catalogue) -> tuple[float, float]:
    if isinstance(summand, Moment) and len(summand.factors) == 1:
        amount = summand.factors[0]
        found = range_of(amount, catalogue.field(amount.field))
        return found.center, found.half_width
    return 0.0, 1.0
