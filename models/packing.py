"""Rows kept by input and as narrow as they are: what is only -1, 0 or 1 takes a byte, not four."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.errors import NotFinite, WrongShape

LARGEST = 2.0**20
"""A feature beyond counts as this, a weight beyond is refused: then no float32 overflows."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Packed:
    """n rows of a model's inputs, a column per row. Sensitive.

    Attributes:
        reals: float32[k, n], within ±LARGEST.
        signs: int8[m, n], each -1, 0 or 1.
        real_places, sign_places: int64[k], int64[m]: of which of the k + m inputs.
    """

    reals: Tensor
    signs: Tensor
    real_places: Tensor
    sign_places: Tensor

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and inputs."""
        return self.reals.shape[1], len(self.reals) + len(self.signs)

    def columns(self, start: int, stop: int) -> "Packed":
        """The rows from start to stop, not copied."""
        return Packed(
            reals=self.reals[:, start:stop],
            signs=self.signs[:, start:stop],
            real_places=self.real_places,
            sign_places=self.sign_places,
        )

    def unpack(self, out: Tensor) -> None:
        """Write the inputs into the first columns of float32[inputs or more, n or more]."""
        there = out[:, : self.shape[0]]
        there.index_copy_(0, self.real_places, self.reals)
        there.index_copy_(0, self.sign_places, self.signs.float())

    def rows(self) -> npt.NDArray[np.float32]:
        """The rows as they came: float32[n, inputs], four bytes a number. Sensitive."""
        n, inputs = self.shape
        columns = torch.empty(inputs, n)
        self.unpack(columns)
        return np.asarray(columns.T.contiguous().numpy(), dtype=np.float32)


def pack(parts: Iterable[npt.NDArray[np.float32]], *, rows: int, inputs: int) -> Packed:
    """Pack the inputs, some at a time, so that they never lie in memory as they come.

    Args:
        parts: float32[rows, some inputs], in the order of the inputs; sensitive. Beyond ±2**20 they
            count as ±2**20.
        rows: n.
        inputs: of all parts together; public.

    Raises:
        WrongShape: the parts are not so many rows and inputs.
        NotFinite: a feature is NaN or infinite.
    """
    # Memory that is never written to is never taken.
    reals, signs = torch.empty(inputs, rows), torch.empty(inputs, rows, dtype=torch.int8)
    places: tuple[list[int], list[int]] = ([], [])
    for part in parts:
        start = len(places[0]) + len(places[1])
        if part.ndim != 2 or len(part) != rows or start + part.shape[1] > inputs:  # noqa: PLR2004 - rows and columns
            break
        for place, column in enumerate(part.T, start=start):
            if not np.isfinite(column).all():
                raise NotFinite(what="features", advice="fill what is missing before training")
            narrow = bool((np.abs(column) == (column != 0)).all())
            values = torch.from_numpy(np.ascontiguousarray(column))
            if narrow:
                signs[len(places[1])] = values
            else:
                reals[len(places[0])] = values.clamp(-LARGEST, LARGEST)
            places[narrow].append(place)
    if len(places[0]) + len(places[1]) != inputs:
        raise WrongShape(what="features", needed=f"rows of {inputs} numbers")
    return Packed(
        reals=reals[: len(places[0])],
        signs=signs[: len(places[1])],
        real_places=torch.tensor(places[0], dtype=torch.int64),
        sign_places=torch.tensor(places[1], dtype=torch.int64),
    )
