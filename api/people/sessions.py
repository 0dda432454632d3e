"""The session of a request.

What a page needs to know who looks at it::

    current(request) -> Caller | None             who is signed in by the cookie
    sign_in(request, response, caller) -> None    a new session, and its cookie on the response
    sign_out(request, response) -> None           its end
    sign_in_by_password(request, response, name=..., password=...) -> Caller

    api.people.csrf.token_of(request) -> str      the token of every form of this session
    Depends(api.people.csrf.check_csrf)           on every route that takes a form
    api.people.next_page.safe_next(text) -> str   where to go after signing in
    request.app.state.people                      accounts, setup links: api.people.people.People

The caller must have an account (``people.accounts``). The cookie is ``__Host-session``, Secure;
over plain HTTP, which the API serves on loopback only, it is ``session``. It is always HttpOnly and
SameSite=Lax.
"""

import time

from fastapi import Request, Response

from api.people.errors import TooManyRequests
from api.people.people import People
from api.people.roles import Caller

_CALLER, _SESSION = "signed_in_caller", "session"


def current(request: Request) -> Caller | None:
    """Return who is signed in by the request's cookie, or None. Reads the database once a request.

    A route that changes something needs ``check_csrf`` besides.
    """
    if not hasattr(request.state, _CALLER):
        session = session_id(request)
        found = None if session is None else people_of(request).sessions.find(session, _now())
        setattr(request.state, _CALLER, found)
    caller: Caller | None = getattr(request.state, _CALLER)
    return caller


def sign_in(request: Request, response: Response, caller: Caller) -> None:
    """End the request's session, if it has one, and open a new one for an account.

    The new id was never sent before, so whoever planted a cookie holds nothing.
    """
    sessions = people_of(request).sessions
    if (before := session_id(request)) is not None:
        sessions.close(before)
    session = sessions.open(caller.name, _now())
    setattr(request.state, _SESSION, session)
    setattr(request.state, _CALLER, caller)
    response.set_cookie(
        cookie_name(request),
        session,
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def sign_out(request: Request, response: Response) -> None:
    """End the request's session and take its cookie back."""
    if (session := session_id(request)) is not None:
        people_of(request).sessions.close(session)
    setattr(request.state, _SESSION, None)
    setattr(request.state, _CALLER, None)
    response.delete_cookie(
        cookie_name(request),
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def sign_in_by_password(
    request: Request, response: Response, *, name: str, password: str
) -> Caller:
    """Sign in by a local account's name and password (secret). Takes about 0.1 s of a core.

    Raises:
        WrongPassword: they do not belong together.
        TooManyRequests: this person, or this address, failed too often lately.
    """
    people, now = people_of(request), time.monotonic()
    address = address_of(request)
    people.by_address.take(address, now)
    try:
        people.by_name.take(name, now)
    except TooManyRequests:
        people.by_address.give_back(address)
        raise
    caller = people.accounts.check(name, password).caller
    people.by_name.give_back(name)
    people.by_address.give_back(address)
    sign_in(request, response, caller)
    return caller


def session_id(request: Request) -> str | None:
    """Return the request's session id (secret), known or not; None without one."""
    if not hasattr(request.state, _SESSION):
        setattr(request.state, _SESSION, request.cookies.get(cookie_name(request)))
    session: str | None = getattr(request.state, _SESSION)
    return session


def cookie_name(request: Request) -> str:
    """Name the cookie: with the prefix that binds it to this host, wherever a browser takes it."""
    return "__Host-session" if request.url.scheme == "https" else "session"


def people_of(request: Request) -> People:
    """Return what the application opened when it started."""
    people: People = request.app.state.people
    return people


def address_of(request: Request) -> str:
    """Return the address that a request came from; a proxy on loopback says whose it is."""
    return "" if request.client is None else request.client.host


def _now() -> int:
    return int(time.time())
