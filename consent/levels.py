"""The four authorization levels a client can give, and level 0: none, or withdrawn."""

from enum import IntEnum

from consent.errors import UnknownLevel


class Level(IntEnum):
    """What a client has authorized. A level opens its own fields and those of all lower levels."""

    NONE = 0
    BASIC_ASSETS = 1
    INVESTMENT_PREFERENCES = 2
    FAMILY_STRUCTURE = 3
    FULL_FAMILY_FINANCES = 4

    @property
    def title(self) -> str:
        """The level's name in English."""
        return _TITLES[self][0]

    @property
    def title_zh(self) -> str:
        """The level's name in Chinese."""
        return _TITLES[self][1]


_TITLES = {
    Level.NONE: ("none or withdrawn", "未授权或已撤回"),
    Level.BASIC_ASSETS: ("basic assets", "基础资产信息"),
    Level.INVESTMENT_PREFERENCES: ("investment preferences", "投资偏好"),
    Level.FAMILY_STRUCTURE: ("family structure", "家庭结构"),
    Level.FULL_FAMILY_FINANCES: ("full family finances", "家庭财务全貌"),
}


def level_of(number: int) -> Level:
    """Return the level with this number.

    Raises:
        UnknownLevel: the number is not one of 0 to 4.
    """
    try:
        return Level(number)
    except ValueError:
        raise UnknownLevel(number) from None
