"""What a model is for: which labels it learns, and how many numbers it puts out. No torch here."""

from enum import StrEnum

import numpy as np
import numpy.typing as npt

from models.errors import InvalidSetting, LabelInvalid, TooLarge

MAX_OUTPUTS = 64
MAX_COUNT = 2**20
"""The largest count a label may be: float32 holds it exactly."""

LARGEST_LOG_RATE = 13.862943
"""Of a rate just below 2**20; beyond it the Poisson loss goes on as its tangent: no overflow."""


class Objective(StrEnum):
    """What is learned, and with which loss; ``models.slopes`` has the slopes.

    * BINARY: yes or no; one logit, logistic loss.
    * MULTICLASS: one of k classes without an order; k logits, cross-entropy of their softmax.
    * ORDINAL: one of k classes in order; k - 1 logits, each the binary question "is the class
      above j?", logistic losses added up (Frank and Hall 2001, "A simple approach to ordinal
      classification"; here the questions share the hidden layers).
    * COUNT: how often; one log-rate, Poisson loss, linear beyond a rate of 2**20.
    * AMOUNT: how much, scaled by public bounds to [-1, 1]; half the squared error, linear beyond an
      amount of 2**20. No Huber loss: a client's gradient is clipped anyway, which already bounds
      what an outlier can do, and a second threshold would have to be chosen without the data.
    """

    BINARY = "binary"
    MULTICLASS = "multiclass"
    ORDINAL = "ordinal"
    COUNT = "count"
    AMOUNT = "amount"


_ALLOWED = {
    Objective.BINARY: "0 or 1",
    Objective.MULTICLASS: "a class from 0 to the last",
    Objective.ORDINAL: "a class from 0 to the last",
    Objective.COUNT: "a whole number from 0 to the public cap",
    Objective.AMOUNT: "between -1 and 1, scaled by public bounds",
}


def check_outputs(objective: Objective, outputs: int) -> None:
    """Refuse a number of outputs that the objective cannot have.

    Raises:
        InvalidSetting: not one output, or for classes too few to tell any two apart.
        TooLarge: more than 64.
    """
    least, allowed = 1, "1"
    if objective is Objective.MULTICLASS:
        least, allowed = 2, "the number of classes, at least 2"
    elif objective is Objective.ORDINAL:
        allowed = "one less than the number of classes, at least 1"
    several = objective in {Objective.MULTICLASS, Objective.ORDINAL}
    if type(outputs) is not int or outputs < least or (outputs > 1 and not several):
        raise InvalidSetting(name="outputs", value=outputs, allowed=allowed)
    if outputs > MAX_OUTPUTS:
        raise TooLarge(what="outputs", value=outputs, limit=MAX_OUTPUTS)


def check_labels(
    labels: npt.NDArray[np.floating], *, objective: Objective, outputs: int = 1
) -> None:
    """Refuse labels that the objective cannot learn; nothing about a row is said in the error.

    Args:
        labels: float[n], sensitive.
        objective: public.
        outputs: of the network, public.

    Raises:
        LabelInvalid: a label is NaN, infinite, not a whole number where it must be, or out of
            range.
    """
    if objective is Objective.AMOUNT:
        fits = np.abs(labels) <= 1
    else:
        fits = (
            (labels >= 0) & (labels <= _largest(objective, outputs)) & (np.floor(labels) == labels)
        )
    if not fits.all():
        raise LabelInvalid(objective=objective, allowed=_ALLOWED[objective])


def _largest(objective: Objective, outputs: int) -> int:
    match objective:
        case Objective.MULTICLASS:
            return outputs - 1
        case Objective.ORDINAL:
            return outputs
        case Objective.COUNT:
            return MAX_COUNT
        case _:
            return 1
