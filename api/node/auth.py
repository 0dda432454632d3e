"""Who may use a node's own door: whoever can read its token file, which is the department.

Programs send the token as a bearer token. A browser is given a cookie for it: an hour and an HMAC
of it under the token, so nothing is stored and a new token ends every session.
"""

import hmac
import time
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final

from fastapi import Depends, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.auth import new_token, write_private
from api.errors import NotSignedIn
from api.people.csrf import SAFE, is_foreign
from api.people.errors import CsrfRefused

TOKEN_FILE: Final = "door.token"  # noqa: S105 - a file's name
COOKIE: Final = "node-session"
LIFETIME_S: Final = 8 * 3600

_bearer = HTTPBearer(auto_error=False, description="what the node's token file holds")


def door_token(state: Path) -> str:
    """Return the door's token (secret), made at the first start and readable by its owner only."""
    file = state / TOKEN_FILE
    if not file.exists():
        write_private(file, new_token())
    return file.read_text(encoding="utf-8").strip()


def owner(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)] = None,
) -> None:
    """Let the department in.

    Raises:
        NotSignedIn: neither the token nor a session under it.
        CsrfRefused: a session, and another site made the browser send this.
    """
    if credentials is not None:
        if not knows(request, credentials.credentials):
            raise NotSignedIn
        return
    if not signed_in(request):
        raise NotSignedIn
    if request.method not in SAFE and is_foreign(request):
        raise CsrfRefused


Owner = Depends(owner)


def knows(request: Request, token: str) -> bool:
    """Say whether this is the door's token, in a time that does not tell how much of it is."""
    return hmac.compare_digest(token.encode("utf-8", "replace"), _token(request).encode())


def signed_in(request: Request) -> bool:
    """Say whether the request has a session that still holds."""
    until, _, mac = request.cookies.get(COOKIE, "").partition(".")
    if not (until.isascii() and until.isdigit()) or int(until) < time.time():
        return False
    return hmac.compare_digest(mac.encode("utf-8", "replace"), _mac(request, until).encode())


def sign_in(request: Request, response: Response) -> None:
    """Give a browser a session; it ends with the browser, and after some hours."""
    until = str(int(time.time()) + LIFETIME_S)
    response.set_cookie(
        COOKIE,
        f"{until}.{_mac(request, until)}",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )


def form_token(request: Request) -> str:
    """Return what a form of this session must send back; "" without a session."""
    session = request.cookies.get(COOKIE, "")
    return _mac(request, f"form {session}") if session else ""


def check_form(request: Request, given: str) -> None:
    """Refuse a form that is not one of this session's pages.

    Raises:
        NotSignedIn: no session. CsrfRefused: another site's form.
    """
    if not signed_in(request):
        raise NotSignedIn
    right = form_token(request)
    if is_foreign(request) or not hmac.compare_digest(
        given.encode("utf-8", "replace"), right.encode()
    ):
        raise CsrfRefused


def _token(request: Request) -> str:
    token: str = request.app.state.token
    return token


def _mac(request: Request, text: str) -> str:
    return hmac.new(_token(request).encode(), text.encode("utf-8", "replace"), sha256).hexdigest()
