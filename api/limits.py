"""A cap on request bodies: the largest plan takes a few kilobytes, so more is never read."""

from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import BodyTooLarge
from api.problems import TABLE, problem

BODY_LIMIT = 64 * 1024
"""Bytes. A training plan with 200 features of 64 letters takes 14 KB."""


@dataclass(frozen=True, slots=True)  # Starlette gives the app by position
class BodyCap:
    """ASGI middleware that answers 413 as soon as a body is longer than it may be."""

    app: ASGIApp
    limit: int = BODY_LIMIT

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on while its body stays within the limit."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body: list[Message] = []
        size = 0
        while True:
            message = await receive()
            body.append(message)
            size += len(message.get("body", b""))
            if size > self.limit:
                error = BodyTooLarge(self.limit)
                await problem(TABLE[BodyTooLarge], str(error))(scope, receive, send)
                return
            if not message.get("more_body", False):
                break
        queued = iter(body)

        async def again() -> Message:
            return next(queued, None) or await receive()

        await self.app(scope, again, send)
