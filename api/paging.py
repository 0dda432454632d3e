"""Pages of a list: so many lines, and a ``Link`` header that leads to the next ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar
from urllib.parse import quote

from fastapi import Depends, Query, Request, Response

Line = TypeVar("Line")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page that a caller asks for. ``limit``: how many lines it has at most."""

    request: Request
    response: Response
    limit: int

    @property
    def enough(self) -> int:
        """How many lines to read: one more tells whether there is another page."""
        return self.limit + 1

    def of(
        self, found: Sequence[Line], mark: Callable[[Line], object], *, by: str = "before"
    ) -> Sequence[Line]:
        """Return the page's lines, and point to the next page if there is one.

        Args:
            found: what was read, as many lines as are enough.
            mark: what names a line in an address.
            by: the query's name for the last line of the page before.
        """
        if len(found) > self.limit:
            last = quote(str(mark(found[self.limit - 1])), safe="")
            further = f"{quote(self.request.url.path)}?limit={self.limit}&{by}={last}"
            self.response.headers["Link"] = f'<{further}>; rel="next"'
        return found[: self.limit]


def _page(
    request: Request,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=200, description="lines of a page")] = 50,
) -> Page:
    return Page(request=request, response=response, limit=limit)


OnePage = Annotated[Page, Depends(_page)]
