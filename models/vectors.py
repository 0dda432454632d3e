"""What a flat vector of parameters is, and when it is refused. No torch here."""

import numpy as np
import numpy.typing as npt

from models.errors import NotFinite, WrongShape

Vector = npt.NDArray[np.float64]


def check_vector(vector: Vector, d: int) -> None:
    """Refuse anything but d finite numbers in one row.

    Raises:
        WrongShape: the vector is not one row of d numbers.
        NotFinite: the vector holds a NaN or an infinity.
    """
    if vector.shape != (d,):
        raise WrongShape(what="the parameter vector", needed=f"one row of {d} numbers")
    if not np.isfinite(vector).all():
        raise NotFinite(what="the parameter vector", advice="lower the learning rate")
