"""Purposes: what personal data may be used for. They are public and stand in the catalogue."""

from pydantic import BaseModel, ConfigDict, Field

NAME = r"^[a-z][a-z0-9_]{0,63}$"
"""How every name in a catalogue is spelt: a lower-case word that SQL takes without quotes."""


class Purpose(BaseModel):
    """One purpose that clients are told about, such as ``suitability_review``.

    name: its identifier in plans, budgets and fields. title, title_zh: how people read it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str = Field(pattern=NAME)
    title: str = Field(min_length=1, max_length=200)
    title_zh: str = Field(default="", max_length=200)
