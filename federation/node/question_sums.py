"""One block of a question, summed over a department's counted clients. Pure."""

import numpy as np
import numpy.typing as npt

from consent.catalogue import Catalogue, Field
from federation.layout import Block
from federation.node.columns import Column, Numbers
from federation.node.features import codes
from federation.node.records import Records
from federation.question_plan import Condition, QuestionPlan
from federation.statistics.bounds import range_of, to_scale
from federation.statistics.summands import Amount, Clients, Moment, Share
from privacy.bounds import BoundedSum, bounded_count, bounded_total
from privacy.lattice import IntVector


def meets(condition: Condition, field: Field, records: Records) -> npt.NDArray[np.bool_]:
    """Say row by row whether a present value is one of the condition's labels; sensitive."""
    places = [field.labels().index(label) for label in condition.one_of]
    return np.isin(codes(field, records.columns[field.name]), places)


def bounded(
    block: Block, plan: QuestionPlan, records: Records, catalogue: Catalogue, cell: IntVector
) -> BoundedSum:
    """Return one block's sum.

    Guarantee: a client is in at most one cell and, where the block is split, in one part of it; it
    adds one client there, or a number clipped to [−1, 1]. So it moves its department's sum by at
    most the block's reach in L2, whatever its values are.

    Args:
        block: of the plan's layout; public.
        plan: whose unit and bound the sum declares; public.
        records: n clients; sensitive.
        catalogue: the fields' bounds and labels; public.
        cell: int64 [n], each client's cell, −1 for one that is not counted; sensitive.
    """
    summand = block.summand
    if isinstance(summand, Clients):
        part = 0 if summand.field is None else _part(summand, records, catalogue)
        place = np.where(cell >= 0, cell * block.parts + part, cell)
        return bounded_count(place, block.size, scale=block.scale, unit=plan.unit, bound=plan.bound)
    return bounded_total(
        block.name,
        _values(summand, records, catalogue),
        cell,
        block.size,
        lower=-1.0,
        upper=1.0,
        unit=plan.unit,
        bound=plan.bound,
    )


def _part(summand: Clients, records: Records, catalogue: Catalogue) -> IntVector:
    """Return each client's part of its cell; an absent value's is of no meaning."""
    field = catalogue.field(str(summand.field))
    column = records.columns[field.name]
    if summand.parts is None:
        return codes(field, column)
    along = (np.nan_to_num(to_scale(field, column)) + 1) / 2
    return np.minimum((along * summand.parts).astype(np.int64), summand.parts - 1)


def _values(summand: Moment | Share, records: Records, catalogue: Catalogue) -> Numbers:
    """Return what each client adds, within [−1, 1]; NaN where it is absent."""
    if isinstance(summand, Share):
        field = catalogue.field(summand.field)
        places = [field.labels().index(label) for label in summand.labels]
        return np.where(np.isin(codes(field, records.columns[field.name]), places), 1.0, -1.0)
    factors = [
        in_half_widths(amount, catalogue.field(amount.field), records.columns[amount.field])
        for amount in summand.factors
    ]
    if summand.squared:
        return 2 * factors[0] ** 2 - 1
    return np.asarray(np.prod(factors, axis=0), dtype=np.float64)


def in_half_widths(amount: Amount, field: Field, values: Column) -> Numbers:
    """Express a number in half ranges around the middle of its bounds, as its total is summed."""
    span = range_of(amount, field)
    lowest, highest = span.center - span.half_width, span.center + span.half_width
    clipped = np.clip(values, lowest, highest)
    return np.asarray((clipped - span.center) / span.half_width, dtype=np.float64)
