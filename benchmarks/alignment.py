"""Matching clients by tokens: seconds for three departments on this machine, one process each.

The peer of a whole match is the same work one after the other. CPU-seconds are one department's.
"""

import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from federation.alignment import Tokens, owners, plan_key, row_places, tokens

DEPARTMENTS = ("advisory", "research", "risk")
SIZES = (100_000, 1_000_000)
PROCESSES = 2

Row = dict[str, str | float | None]


def rows() -> list[Row]:
    """Measure both sizes, each department knowing another nine tenths of the clients."""
    key = plan_key(os.urandom(32), os.urandom(32))
    found: list[Row] = []
    with ProcessPoolExecutor(PROCESSES) as pool:
        list(pool.map(_sent, [(key, 10, d) for d in range(3)]))  # warm
        for size in SIZES:
            began = time.perf_counter()
            sent = list(pool.map(_sent, [(key, size, d) for d in range(3)]))
            lists = {d: each[0] for d, each in zip(DEPARTMENTS, sent, strict=True)}
            tokens_s = time.perf_counter() - began
            flags_s = _took(partial(owners, lists))
            placed = partial(row_places, lists, rows=2 * size, shuffle=os.urandom(32))
            places_s = _took(placed)
            cpu = max(each[1] for each in sent)
            whole = tokens_s + flags_s
            alone = sum(each[1] for each in sent) + flags_s
            found += [
                _row(f"3 x {size:,} ids: tokens and owners, two cores", whole, alone),
                _row(f"3 x {size:,} ids: CPU of one department", cpu, None),
                _row(f"3 x {size:,} ids: owners at the coordinator", flags_s, None),
                _row(f"3 x {size:,} ids: a cube's rows at the coordinator", places_s, None),
            ]
    return found


def _sent(task: tuple[bytes, int, int]) -> tuple[Tokens, float]:
    key, size, department = task
    ids = [f"TW{number:09d}" for number in range(size + size // 9) if number % 10 != department]
    began = time.process_time()
    made = tokens(key, ids).tokens
    return made, time.process_time() - began


def _took(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _row(name: str, value: float, peer: float | None) -> Row:
    ratio = None if peer is None else value / peer
    return {"name": name, "value": value, "unit": "s", "peer": peer, "ratio": ratio}
