"""The public numbers of a field that statistics rest on: bounds, labels, scales. Pure."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from consent.catalogue import Field
from federation.errors import PlanInvalid
from federation.statistics.summands import Amount
from privacy.lattice import RealVector


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Where an amount lies: the middle of its bounds and half their distance, in its unit."""

    center: float
    half_width: float


def number_bounds(field: Field) -> tuple[float, float]:
    """Return a number field's public bounds, in its unit.

    Raises:
        PlanInvalid: the field is not a number.
    """
    if field.kind != "number" or field.lower is None or field.upper is None:
        raise PlanInvalid(f"{field.name} is not a number: only a number has a mean")
    return field.lower, field.upper


def range_of(amount: Amount, field: Field) -> Range:
    """Return the range of an amount of this field.

    Raises:
        PlanInvalid: the field is not a number, or the cap is not within its bounds.
    """
    lower, upper = number_bounds(field)
    if amount.cap is not None:
        if not lower < amount.cap <= upper:
            raise PlanInvalid(
                f"cap: must be above {lower:g} and at most {upper:g}, the bounds of {field.name}"
            )
        upper = amount.cap
    return Range(center=lower / 2 + upper / 2, half_width=upper / 2 - lower / 2)


def known_labels(field: Field, labels: tuple[str, ...]) -> tuple[str, ...]:
    """Return the labels in the catalogue's order.

    Raises:
        PlanInvalid: the field has no such label, or one is named twice.
    """
    if unknown := [label for label in labels if label not in field.labels()]:
        known = ", ".join(field.labels()[:20])
        raise PlanInvalid(f"{field.name}: there is no {unknown[0]!r:.60}; it has {known}")
    if len(set(labels)) < len(labels):
        raise PlanInvalid(f"{field.name}: name each label once; they must not overlap")
    return tuple(label for label in field.labels() if label in labels)


def scale_ends(field: Field) -> tuple[float, float]:
    """Return a number's public bounds as its transform has them: what −1 and 1 stand for."""
    ends = np.array(number_bounds(field))
    low, high = (_signed_log(ends) if field.transform == "signed_log" else ends).tolist()
    return low, high


def to_scale(field: Field, values: npt.ArrayLike) -> RealVector:
    """Clip a number to its bounds and map it to [−1, 1] as its transform says; NaN stays NaN."""
    lower, upper = number_bounds(field)
    x = np.clip(np.asarray(values, dtype=np.float64), lower, upper)
    if field.transform == "signed_log":
        x = _signed_log(x)
    low, high = scale_ends(field)
    half = (high - low) / 2
    return np.asarray(np.clip((x - (low + half)) / half, -1.0, 1.0), dtype=np.float64)


def from_scale(field: Field, scaled: RealVector) -> RealVector:
    """Undo ``to_scale``: places in [−1, 1] back to the field's unit."""
    low, high = scale_ends(field)
    half = (high - low) / 2
    x = low + half + half * np.asarray(scaled, dtype=np.float64)
    if field.transform == "signed_log":
        x = np.sign(x) * np.expm1(np.abs(x))
    return np.asarray(np.clip(x, *number_bounds(field)), dtype=np.float64)


def _signed_log(values: RealVector) -> RealVector:
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)), dtype=np.float64)
