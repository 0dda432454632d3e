import pytest
import torch

from models.errors import InvalidSetting
from models.threads import torch_threads


def test_the_number_of_threads_holds_inside_and_is_put_back_after() -> None:
    before = torch.get_num_threads()
    with torch_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_the_number_of_threads_is_put_back_even_after_an_error() -> None:
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError), torch_threads(before + 1):
        _ = 1 / 0
    assert torch.get_num_threads() == before


def test_no_threads_at_all_is_refused() -> None:
    with pytest.raises(InvalidSetting), torch_threads(0):
        pass
