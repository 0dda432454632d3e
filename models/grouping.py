"""Which rows belong to the same client, laid out so that the clients of a block have equal slots.

No torch here.
"""

import numpy as np
import numpy.typing as npt

from models.errors import TooManyRows, WrongShape

Clients = npt.NDArray[np.int32]

ABSENT = -1
SLOTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 96)
"""Rows that a client is given room for: the divisors of ``models.evenness.TILE``."""


def members_of(clients: Clients | None, n: int) -> list[npt.NDArray[np.int64]]:
    """The rows of each client, those with room for as many rows in one table.

    Which table a client is in, and the order of its rows, depend on that client alone.

    Args:
        clients: int32[n], the same number for rows of the same client; None says that each row is
            a client. Sensitive.
        n: rows.

    Returns:
        for each number of slots that some client needs int64[clients, slots], the places of the
        client's rows in the order given, then ABSENT. Sensitive.

    Raises:
        WrongShape: not one number for each row.
        TooManyRows: a client has more rows than the largest number of slots.
    """
    if clients is None:
        return [np.arange(n).reshape(n, 1)]
    if clients.shape != (n,):
        raise WrongShape(what="clients", needed="one number for each row of the features")
    order = np.argsort(clients, kind="stable")
    _, starts, counts = np.unique(clients[order], return_index=True, return_counts=True)
    if (counts > SLOTS[-1]).any():
        raise TooManyRows(limit=SLOTS[-1])
    room = np.searchsorted(SLOTS, counts)
    return [
        _table(order, starts[room == index], counts[room == index], slots)
        for index, slots in enumerate(SLOTS)
        if (room == index).any()
    ]


def _table(
    order: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    counts: npt.NDArray[np.int64],
    slots: int,
) -> npt.NDArray[np.int64]:
    slot = np.arange(slots)
    places = starts[:, None] + slot
    there = slot < counts[:, None]
    return np.where(there, order[np.where(there, places, 0)], ABSENT)
