"""What no request may hold: more than the largest plan takes, or a NUL, which no database keeps."""

import re
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import BodyTooLarge, NulCharacter
from api.problems import TABLE, problem

BODY_LIMIT = 64 * 1024
"""Bytes. A training plan with 200 features of 64 letters takes 14 KB."""

_FORM = b"application/x-www-form-urlencoded"
_ESCAPED = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""NUL as JSON writes it; the backslash is not itself escaped."""


@dataclass(frozen=True, slots=True)  # Starlette gives the app by position
class Limits:
    """ASGI middleware: answers 413 as soon as a body is longer than it may be, 422 to a NUL.

    A NUL is refused wherever it stands, in the path, the query or the body, before any room sees
    it: PostgreSQL takes it in no text, SQLite keeps what follows it out of sight.
    """

    app: ASGIApp
    limit: int = BODY_LIMIT

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on while it stays within the limits."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        read: list[Message] = []
        size = 0
        while True:
            message = await receive()
            read.append(message)
            size += len(message.get("body", b""))
            if size > self.limit:
                error = BodyTooLarge(self.limit)
                await problem(TABLE[BodyTooLarge], str(error))(scope, receive, send)
                return
            if not message.get("more_body", False):
                break
        if _has_nul(scope, b"".join(message.get("body", b"") for message in read)):
            await problem(TABLE[NulCharacter], str(NulCharacter()))(scope, receive, send)
            return
        queued = iter(read)

        async def again() -> Message:
            return next(queued, None) or await receive()

        await self.app(scope, again, send)


def _has_nul(scope: Scope, body: bytes) -> bool:
    if "\0" in scope["path"] or b"%00" in scope["query_string"] or b"\0" in body:
        return True
    sent_as = dict(scope["headers"]).get(b"content-type", b"").lower()
    return b"%00" in body if sent_as.startswith(_FORM) else _ESCAPED.search(body) is not None
