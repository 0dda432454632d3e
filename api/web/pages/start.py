"""The way in: the start page leads everybody to the screen of their role."""

from fastapi import APIRouter
from fastapi.responses import RedirectResponse

from api.web.caller import PageCaller
from api.web.page_route import PageRoute
from api.web.screens import home_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/")
def start(caller: PageCaller) -> RedirectResponse:
    """Lead to the first screen of a role."""
    return RedirectResponse(home_of(caller).path, status_code=303)
