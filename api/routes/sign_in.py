"""Signing in and out, and setting a password by a link. A page does the same with forms."""

import time
from http import HTTPStatus

from fastapi import APIRouter, Depends, Request, Response

from api.auth import AnyCaller
from api.people.csrf import check_csrf, token_of
from api.people.schemas import Me, SetupRequest, SignInRequest
from api.people.sessions import address_of, people_of, sign_in_by_password, sign_out

router = APIRouter(tags=["people"])


@router.post("/api/v1/sign-in", dependencies=[Depends(check_csrf)])
def sign_in(body: SignInRequest, request: Request, response: Response) -> Me:
    """Open a session for a local account: its cookie, and the token that goes with every change."""
    caller = sign_in_by_password(
        request, response, name=body.name, password=body.password.get_secret_value()
    )
    return Me.of(caller, token_of(request))


@router.post(
    "/api/v1/sign-out", status_code=HTTPStatus.NO_CONTENT, dependencies=[Depends(check_csrf)]
)
def end_session(request: Request, response: Response) -> None:
    """End this session, if there is one."""
    sign_out(request, response)


@router.get("/api/v1/me")
def read_me(request: Request, caller: AnyCaller) -> Me:
    """Say who calls, and give a session its token again."""
    return Me.of(caller, token_of(request))


@router.post("/api/v1/setup", status_code=HTTPStatus.NO_CONTENT, dependencies=[Depends(check_csrf)])
def set_up(body: SetupRequest, request: Request) -> None:
    """Set a password by a setup link; every session of the account ends."""
    people = people_of(request)
    people.by_address.take(address_of(request), time.monotonic())
    name = people.links.use(
        body.link.get_secret_value(),
        password=body.password.get_secret_value(),
        now=int(time.time()),
        name=body.name,
    )
    people.sessions.close_all(name)
