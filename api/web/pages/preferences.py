"""Language and theme, kept in cookies that say nothing about a person."""

from typing import Annotated

from fastapi import APIRouter, Form, Response
from fastapi.responses import RedirectResponse

from api.people.next_page import safe_next
from api.web.language import COOKIE, LANGUAGES
from api.web.page_route import PageRoute
from api.web.render import THEMES

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_YEAR = 365 * 24 * 3600


@router.post("/preferences")
def set_preferences(
    back: Annotated[str, Form()] = "/",
    language: Annotated[str | None, Form()] = None,
    theme: Annotated[str | None, Form()] = None,
) -> Response:
    """Keep a choice and go back to where it was made. What there is no choice of is left out."""
    answer = RedirectResponse(safe_next(back), status_code=303)
    if language in LANGUAGES:
        _keep(answer, COOKIE, language)
    if theme in THEMES:
        _keep(answer, "theme", theme)
    return answer


def _keep(answer: Response, name: str, value: str) -> None:
    answer.set_cookie(name, value, max_age=_YEAR, samesite="lax", httponly=True)
