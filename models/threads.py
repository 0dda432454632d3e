"""How many threads torch may use: one by default, since departments run side by side."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from models.errors import InvalidSetting


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch use ``count`` threads inside the block, for the whole process.

    Args:
        count: threads, public, at least 1. Networks of this size gain little from a second one.

    Raises:
        InvalidSetting: the count is below 1.
    """
    if count < 1:
        raise InvalidSetting(name="threads", value=count, allowed="at least 1")
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
