"""The department's own page: contract, consent's age, own limits, noise, journal and the switch."""

import time
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.errors import NotSignedIn
from api.node import auth
from api.node.routes import Node
from api.node.views import ContractView, EpochView, JournalView, NoiseView, limits_of
from api.people.csrf import is_foreign
from api.people.errors import CsrfRefused
from api.web.render import page
from api.web.words import LEGS, PLANS

router = APIRouter(include_in_schema=False)
_ROWS = 25


@router.get("/")
def console(
    request: Request, node: Node, before: Annotated[int | None, Query(ge=1)] = None
) -> Response:
    """Draw the page, or ask for the token."""
    if not auth.signed_in(request):
        return page(request, "node_sign_in.html", None, refused=False)
    return page(
        request,
        "node.html",
        None,
        form_token=auth.form_token(request),
        contract=ContractView.of(node),
        epoch=EpochView.of(node, now=int(time.time())),
        journal=JournalView.of(node, before=before, limit=_ROWS),
        noise=NoiseView.of(node),
        limits=limits_of(node, now=datetime.now(UTC)),
        plans=PLANS,
        legs=LEGS,
        purposes={purpose.name: purpose for purpose in node.catalogue.purposes},
    )


@router.post("/sign-in")
def sign_in(request: Request, token: Annotated[str, Form(max_length=512)]) -> Response:
    """Take the token for a session."""
    if is_foreign(request):
        raise CsrfRefused
    if not auth.knows(request, token.strip()):
        return page(request, "node_sign_in.html", None, status=401, refused=True)
    answer = RedirectResponse("/", status_code=303)
    auth.sign_in(request, answer)
    return answer


@router.post("/switch")
def switch(
    request: Request,
    node: Node,
    to: Annotated[str, Form()],
    form_token: Annotated[str, Form(max_length=128)] = "",
) -> Response:
    """Turn the stop switch, and come back to the page."""
    try:
        auth.check_form(request, form_token)
    except NotSignedIn:
        return RedirectResponse("/", status_code=303)
    if to == "stop":
        node.stop_switch.stop(now=datetime.now(UTC))
    elif to == "start":
        node.stop_switch.start()
    return RedirectResponse("/", status_code=303)
