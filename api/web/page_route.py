"""What a page answers when it cannot: a page again. The same table of problems as the API's."""

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute

from api.auth import Caller
from api.errors import NotSignedIn
from api.problems import kind_of
from api.web.caller import page_caller
from api.web.render import page

SIGN_IN = "/sign-in"


class PageRoute(APIRoute):
    """A route whose known errors are pages: sign in first, or what went wrong and what to do."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler that FastAPI makes."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except NotSignedIn:
                return await _sign_in(request)
            except RequestValidationError:
                return _problem(request, 422, "The request is not valid", "")
            except Exception as error:
                if (kind := kind_of(type(error))) is None:
                    raise
                return _problem(request, kind.status.value, kind.title, str(error))

        return handled


async def _sign_in(request: Request) -> Response:
    """Lead to the sign-in page; what was typed into a form is kept in the page that says so."""
    if request.method == "GET":
        back = quote(f"{request.url.path}?{request.url.query}", safe="")
        return RedirectResponse(f"{SIGN_IN}?back={back}", status_code=303)
    form = await request.form()
    kept = [(k, v) for k, v in form.multi_items() if isinstance(v, str) and k != "csrf"]
    return page(request, "expired.html", None, status=401, kept=kept)


def _problem(request: Request, status: int, title: str, detail: str) -> Response:
    return page(
        request, "problem.html", _caller(request), status=status, title=title, detail=detail
    )


def _caller(request: Request) -> Caller | None:
    try:
        return page_caller(request)
    except NotSignedIn:
        return None
