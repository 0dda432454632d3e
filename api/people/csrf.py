"""Against requests that another site makes a browser send: a token, and the request's origin.

The token is an HMAC of the session's id: whoever cannot read the cookie cannot make it, it changes
at every sign-in, and nothing is stored. A request without a session must at least not come from
another site, or a browser could be signed in to somebody else's account.
"""

import hmac
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from api.people.errors import CsrfRefused
from api.people.sessions import current, session_id

FIELD: Final = "csrf_token"
HEADER: Final = "X-CSRF-Token"
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_LABEL = b"infosandbox csrf 1"


def token_of(request: Request) -> str:
    """Return the token (secret to other sites) of the request's session; "" without a session."""
    session = session_id(request)
    if session is None:
        return ""
    return hmac.new(session.encode("utf-8", "replace"), _LABEL, sha256).hexdigest()


async def check_csrf(request: Request) -> None:
    """Refuse an unsafe request that may not have come from one of our own pages.

    Raises:
        CsrfRefused: it comes from another origin; or it has a session and not the session's token,
            in the form field ``csrf_token`` or the header ``X-CSRF-Token``.
    """
    if request.method in SAFE:
        return
    if is_foreign(request):
        raise CsrfRefused
    if await run_in_threadpool(current, request) is None:
        return
    given = await _given(request)
    if not hmac.compare_digest(given.encode("utf-8", "replace"), token_of(request).encode()):
        raise CsrfRefused


async def _given(request: Request) -> str:
    header = request.headers.get(HEADER)
    if header is not None:
        return header
    if not request.headers.get("content-type", "").startswith(_FORMS):
        return ""
    value = (await request.form()).get(FIELD)
    return value if isinstance(value, str) else ""


def is_foreign(request: Request) -> bool:
    """Say whether a browser tells that another site made it send this."""
    if request.headers.get("sec-fetch-site") in {"cross-site", "same-site"}:
        return True
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != request.headers.get("host")
