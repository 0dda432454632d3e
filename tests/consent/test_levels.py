import pytest

from consent.errors import UnknownLevel
from consent.levels import Level, level_of


def test_levels_are_ordered_and_named_in_both_languages() -> None:
    assert [int(level) for level in sorted(Level)] == [0, 1, 2, 3, 4]
    assert len({level.title for level in Level} | {level.title_zh for level in Level}) == 10


def test_a_level_is_found_by_its_number() -> None:
    assert level_of(3) is Level.FAMILY_STRUCTURE


@pytest.mark.parametrize("number", [-1, 5, 2**70])
def test_another_number_is_no_level(number: int) -> None:
    with pytest.raises(UnknownLevel) as caught:
        level_of(number)
    assert caught.value.level == number
