"""The guard in front of Flower's HTTP service: a short list of paths, a token, a limit on bodies.

Flower 1.41 leaves its Control API open, reads bodies of any size before it asks who sent them, and
publishes its API description. The guard stands before all of it (plain ASGI, no Flower inside), and
what is not on its list does not exist.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from hmac import compare_digest
from ipaddress import ip_address
from typing import Any

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY_LIMIT = 64 * 1024 * 1024
"""Bytes in one request body. A masked vector of a million coordinates takes 8 MB."""

_NOT_FOUND, _UNAUTHORIZED, _TOO_LARGE = 404, 401, 413


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """An ASGI application that lets few requests through to another one.

    application: what is guarded; it authenticates callers of open and local paths itself.
    open_paths: exact paths for any peer.
    local_paths: exact paths for peers on this machine (a loopback address).
    token_paths: the same, with ``Authorization: Bearer <token>``.
    token: the bearer token, secret; compared in constant time.
    """

    application: Application
    open_paths: frozenset[str] = frozenset()
    local_paths: frozenset[str] = frozenset()
    token_paths: frozenset[str] = frozenset()
    token: bytes = field(default=b"", repr=False)
    body_limit: int = BODY_LIMIT

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 404, 401 or 413, or pass the request on."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.application(scope, receive, send)
            return
        if (refusal := self._refusal(scope)) is not None:
            await _answer(send, refusal)
            return
        await _pass_capped(self.application, scope, receive, send, limit=self.body_limit)

    def _refusal(self, scope: Scope) -> int | None:
        path, local = scope["path"], _is_local(scope)
        if not (path in self.open_paths or (local and path in self.local_paths | self.token_paths)):
            return _NOT_FOUND
        if path in self.token_paths and not _bears(scope, self.token):
            return _UNAUTHORIZED
        return _TOO_LARGE if _declared_length(scope) > self.body_limit else None


def _is_local(scope: Scope) -> bool:
    peer = scope.get("client")
    try:
        return peer is not None and ip_address(peer[0]).is_loopback
    except ValueError:
        return False


def _bears(scope: Scope, token: bytes) -> bool:
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    return len(given) == 1 and bool(token) and compare_digest(given[0], b"Bearer " + token)


def _declared_length(scope: Scope) -> int:
    given = [value for name, value in scope["headers"] if name == b"content-length"]
    return max((int(value) for value in given if value.isdigit()), default=0)


async def _pass_capped(
    application: Application, scope: Scope, receive: Receive, send: Send, *, limit: int
) -> None:
    """Count the body as it arrives, since a chunked one declares no length; cut it at the limit."""
    seen, refused = 0, False

    async def counted() -> Event:
        nonlocal seen, refused
        event = await receive()
        seen += len(event.get("body", b""))
        if seen > limit:
            if not refused:
                refused = True
                await _answer(send, _TOO_LARGE)
            return {"type": "http.disconnect"}
        return event

    async def unless_refused(event: Event) -> None:
        if not refused:
            await send(event)

    try:
        await application(scope, counted, unless_refused)
    except Exception:
        if not refused:
            raise


async def _answer(send: Send, status: int) -> None:
    headers = [(b"content-length", b"0"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
