"""Who looks at a page. The one place where the console asks."""

from typing import Annotated

from fastapi import Depends, Request

from api.auth import Caller, caller_of
from api.errors import NotSignedIn

_SCHEME = "Bearer "


def page_caller(request: Request) -> Caller:
    """Return who is signed in, or raise NotSignedIn."""
    header = request.headers.get("authorization", "")
    if not header.startswith(_SCHEME):
        raise NotSignedIn
    return caller_of(header.removeprefix(_SCHEME), request.app.state.tokens)


PageCaller = Annotated[Caller, Depends(page_caller)]
