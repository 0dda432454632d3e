"""What a form holds, as text, by name; a page shows it again when something is wrong."""

import math
from typing import Annotated

from fastapi import Depends, Request

MOST_LENGTH = 2000


class Fields(dict[str, list[str]]):
    """The fields of a form or of a query: each name with its values, never a file."""

    def one(self, name: str, default: str = "") -> str:
        """Return the first value of a field, without the blanks around it."""
        values = self.get(name, [])
        return values[0].strip()[:MOST_LENGTH] if values else default

    def many(self, name: str) -> list[str]:
        """Return all values of a field that say something."""
        return [value[:MOST_LENGTH] for value in self.get(name, []) if value]

    def number(self, name: str, default: float) -> float:
        """Return a field as a finite number; what is none is the default."""
        try:
            found = float(self.one(name).replace(",", ""))
        except ValueError:
            return default
        return found if math.isfinite(found) else default


def _gathered(items: list[tuple[str, object]]) -> Fields:
    fields = Fields()
    for name, value in items:
        if isinstance(value, str):
            fields.setdefault(name, []).append(value)
    return fields


async def _posted(request: Request) -> Fields:
    return _gathered(list((await request.form()).multi_items()))


def _asked(request: Request) -> Fields:
    return _gathered(list(request.query_params.multi_items()))


Posted = Annotated[Fields, Depends(_posted)]
Asked = Annotated[Fields, Depends(_asked)]
