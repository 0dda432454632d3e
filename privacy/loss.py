"""Privacy losses: validated, ordered, and never rounded in favor of spending more.

Rho is the currency of the whole house: a mechanism M is rho-zCDP when, for all neighbors D and D'
and all alpha > 1, the Renyi divergence of order alpha between M(D) and M(D') is at most rho * alpha
(Bun and Steinke 2016, Definition 1.1). Losses add under adaptive composition (Lemma 2.3).
"""

import math
from dataclasses import dataclass
from fractions import Fraction

from privacy.errors import InvalidLoss


def rounded_up(exact: Fraction) -> float:
    """Return the smallest float64 that is not below an exact number.

    Raises:
        OverflowError: no finite float64 is as large.
    """
    near = float(exact)
    if near >= exact:
        return near
    above = math.nextafter(near, math.inf)
    if math.isinf(above):
        raise OverflowError
    return above


def rounded_down(exact: Fraction) -> float:
    """Return the largest float64 that is not above an exact number."""
    return -rounded_up(-exact)


def _real(quantity: str, value: float) -> float:
    """Return a finite float; -0.0 becomes 0.0."""
    try:
        real = float(value)
    except (OverflowError, TypeError, ValueError) as error:
        raise InvalidLoss(quantity, value) from error
    if not math.isfinite(real):
        raise InvalidLoss(quantity, value)
    return real + 0.0


@dataclass(frozen=True, slots=True, order=True)
class Rho:
    """A zCDP loss. Public, finite, at least 0.

    Raises:
        InvalidLoss: out of range, or a sum passed the largest float64.
    """

    value: float

    def __post_init__(self) -> None:
        """Refuse what is not a loss."""
        object.__setattr__(self, "value", _real("rho", self.value))
        if self.value < 0:
            raise InvalidLoss("rho", self.value)

    def __add__(self, other: "Rho") -> "Rho":
        """Add two losses: the exact sum, or the next float64 above it."""
        return _rho_at_least(Fraction(self.value) + Fraction(other.value))

    def times(self, n: int) -> "Rho":
        """Return the loss of n repetitions (n at least 0), never rounded down."""
        if n < 0:
            raise InvalidLoss("repetitions", n)
        return _rho_at_least(n * Fraction(self.value))


def _rho_at_least(exact: Fraction) -> Rho:
    try:
        return Rho(rounded_up(exact))
    except OverflowError as error:
        raise InvalidLoss("rho", math.inf) from error


ZERO_RHO = Rho(0.0)


@dataclass(frozen=True, slots=True, order=True)
class Epsilon:
    """The epsilon of (epsilon, delta)-differential privacy. Public, finite, at least 0.

    Raises:
        InvalidLoss: out of range.
    """

    value: float

    def __post_init__(self) -> None:
        """Refuse what is not a loss."""
        object.__setattr__(self, "value", _real("epsilon", self.value))
        if self.value < 0:
            raise InvalidLoss("epsilon", self.value)


@dataclass(frozen=True, slots=True, order=True)
class Delta:
    """The delta of (epsilon, delta)-differential privacy. Public, strictly between 0 and 1.

    Raises:
        InvalidLoss: out of range.
    """

    value: float

    def __post_init__(self) -> None:
        """Refuse what is not a probability of failure."""
        object.__setattr__(self, "value", _real("delta", self.value))
        if not 0 < self.value < 1:
            raise InvalidLoss("delta", self.value)
