"""What a page answers when it cannot: a page again. The same table of problems as the API's."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from api.errors import NotSignedIn
from api.people.csrf import FIELD
from api.people.sessions import current
from api.problems import MALFORMED, Kind, framework_problem, kind_of
from api.web.language import language_of
from api.web.problem_words import advice
from api.web.render import page


def _(text: str) -> str:
    """Mark a text for translation."""
    return text


SIGN_IN = "/sign-in"
NO_PAGE: Final = Kind(status=HTTPStatus.NOT_FOUND, slug="no-page", title=_("No such page"))


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
                return await _problem(request, MALFORMED, "")
            except Exception as error:
                if (kind := kind_of(type(error))) is None:
                    raise
                return await _problem(request, kind, str(error))

        return handled


async def _sign_in(request: Request) -> Response:
    """Lead to the sign-in page; what was typed into a form is kept in the page that says so."""
    if request.method == "GET":
        back = quote(f"{request.url.path}?{request.url.query}", safe="")
        return RedirectResponse(f"{SIGN_IN}?next={back}", status_code=303)
    form = await request.form()
    kept = [(k, v) for k, v in form.multi_items() if isinstance(v, str) and k != FIELD]
    return page(request, "sign_in.html", None, status=401, kept=kept, next=request.url.path)


async def lost(request: Request, error: Exception) -> Response:
    """Answer what no route does: with a page for people, with a problem for programs."""
    wanted = "text/html" in request.headers.get("accept", "")
    if not wanted or request.url.path.startswith(("/api/", "/static/")):
        return framework_problem(request, error)
    return await _problem(request, NO_PAGE, "")


async def _problem(request: Request, kind: Kind, detail: str) -> Response:
    caller = await run_in_threadpool(current, request)
    return page(
        request,
        "problem.html",
        caller,
        status=kind.status.value,
        title=kind.title,
        advice=advice(kind.slug, language_of(request)),
        detail=detail,
    )
