"""How far a training is: what the coordinator knows after each round. All of it is public.

Weights and noisy counts were released with noise, so they may be stored, sent and shown. A training
that was interrupted goes on from here, with the next round: no round is ever asked twice.
"""

import io
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Progress:
    """A training between two rounds.

    Attributes:
        asked: rounds that were sent out, answered or not; the next one has this number.
        done: rounds whose sum came back.
        weights: float64[d], from which the next round starts.
        velocity: float64[d], of the coordinator's steps; zero where the steps are local.
        counts: float64[n], the sum over the done rounds of the departments' noisy counts; with
            local steps zero, for there the counts stay on the nodes.
        kept: float64[d], the sum of the weights that will be averaged.
        kept_rounds: of how many rounds.
    """

    asked: int
    done: int
    weights: Vector = field(repr=False)
    velocity: Vector = field(repr=False)
    counts: Vector = field(repr=False)
    kept: Vector = field(repr=False)
    kept_rounds: int

    def average(self) -> Vector:
        """Return the model float64[d]: the mean over the last half of the plan's rounds."""
        return self.kept / self.kept_rounds if self.kept_rounds else self.weights


def begun(weights: Vector, *, departments: int) -> Progress:
    """Return a training before its first round."""
    nothing = np.zeros_like(weights)
    return Progress(
        asked=0,
        done=0,
        weights=weights,
        velocity=nothing,
        counts=np.zeros(departments),
        kept=nothing,
        kept_rounds=0,
    )


def sent_out(progress: Progress) -> Progress:
    """Return the training with its next round sent out: that number is used up."""
    return Progress(
        asked=progress.asked + 1,
        done=progress.done,
        weights=progress.weights,
        velocity=progress.velocity,
        counts=progress.counts,
        kept=progress.kept,
        kept_rounds=progress.kept_rounds,
    )


def moved_to(
    progress: Progress, weights: Vector, *, velocity: Vector, counts: Vector, keep: bool
) -> Progress:
    """Return the training after one more round, whose weights will be averaged if ``keep``."""
    return Progress(
        asked=progress.asked,
        done=progress.done + 1,
        weights=weights,
        velocity=velocity,
        counts=counts,
        kept=progress.kept + weights if keep else progress.kept,
        kept_rounds=progress.kept_rounds + keep,
    )


def grown_to(progress: Progress, weights: Vector) -> Progress:
    """Return the training with another network, of which no round is kept yet."""
    nothing = np.zeros_like(weights)
    return Progress(
        asked=progress.asked,
        done=progress.done,
        weights=weights,
        velocity=nothing,
        counts=progress.counts,
        kept=nothing,
        kept_rounds=0,
    )


def to_bytes(progress: Progress) -> bytes:
    """Write a training's progress down."""
    file = io.BytesIO()
    numbers = np.array([progress.asked, progress.done, progress.kept_rounds])
    np.savez(
        file,
        numbers=numbers,
        weights=progress.weights,
        velocity=progress.velocity,
        counts=progress.counts,
        kept=progress.kept,
    )
    return file.getvalue()


def from_bytes(data: bytes) -> Progress:
    """Read what ``to_bytes`` wrote."""
    with np.load(io.BytesIO(data), allow_pickle=False) as found:
        asked, done, kept_rounds = (int(number) for number in found["numbers"])
        return Progress(
            asked=asked,
            done=done,
            weights=found["weights"],
            velocity=found["velocity"],
            counts=found["counts"],
            kept=found["kept"],
            kept_rounds=kept_rounds,
        )
