"""Signing in at the firm's provider: there and back."""

import time
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse

from api.people.errors import NoProvider, ProviderRefused
from api.people.next_page import safe_next
from api.people.oidc import LASTS_S, Provider
from api.people.people import account_of
from api.people.sessions import address_of, people_of, sign_in

router = APIRouter(tags=["people"])

CALLBACK = "/api/v1/oidc/callback"
Short = Annotated[str, Query(max_length=2000)]


@router.get("/api/v1/oidc/start", status_code=HTTPStatus.SEE_OTHER, response_class=RedirectResponse)
def start(
    request: Request, next_page: Annotated[str, Query(alias="next")] = "/"
) -> RedirectResponse:
    """Send the browser to the firm's provider; afterwards it goes on to a page of ours."""
    people_of(request).requests.take(address_of(request), time.monotonic())
    begun = _provider(request).begin(safe_next(next_page), time.monotonic())
    answer = RedirectResponse(begun.address, status_code=HTTPStatus.SEE_OTHER)
    answer.set_cookie(
        _cookie(request),
        begun.binding,
        max_age=LASTS_S,
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )
    return answer


@router.get(CALLBACK, status_code=HTTPStatus.SEE_OTHER, response_class=RedirectResponse)
def finish(request: Request, state: Short = "", code: Short = "") -> RedirectResponse:
    """Take the browser back from the provider, signed in."""
    if not code:
        raise ProviderRefused("sends no code")
    provider, binding = _provider(request), request.cookies.get(_cookie(request), "")
    identity, page = provider.finish(state=state, binding=binding, code=code, now=time.monotonic())
    tokens = {token.name for token in request.app.state.tokens}
    caller = account_of(
        identity, people_of(request).accounts, taken=tokens, now=int(time.time())
    ).caller
    answer = RedirectResponse(page, status_code=HTTPStatus.SEE_OTHER)
    answer.delete_cookie(
        _cookie(request), path="/", secure=request.url.scheme == "https", httponly=True
    )
    sign_in(request, answer, caller)
    return answer


def _provider(request: Request) -> Provider:
    found = people_of(request).provider
    if found is None:
        raise NoProvider
    return found


def _cookie(request: Request) -> str:
    return "__Host-oidc" if request.url.scheme == "https" else "oidc"
