"""Long polling for a service whose clients poll: an empty answer waits until something happened.

Flower's processes ask each other "anything new?" every second or three. Asking ten times faster
makes the asking itself the load; holding the empty answer back until a bell rings gives an answer
within milliseconds and leaves an idle federation idle. Plain ASGI, no Flower inside.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from federation.deployment.guard import Application, Event, Receive, Scope, Send

HOLD_S = 2.0
"""An empty answer leaves after this many seconds at the latest, so nothing rests on the bell."""

_OK = 200


@dataclass(slots=True, kw_only=True)
class Doorbell:
    """An ASGI application that holds empty answers of another one.

    application: what is wrapped; it must answer a poll for nothing with an empty 200.
    holds: path of a poll -> name of the bell it waits for.
    rings: path -> name of the bell that rings when such a request has succeeded.
    parts: path -> name of the bell for one part of something that is sent in many. It rings when
        somebody polls for another bell: who waits for an answer has sent all parts of its question.
        Rung for the first part, the other side would ask for parts that are not there yet.
    """

    application: Application
    holds: Mapping[str, str]
    rings: Mapping[str, str]
    parts: Mapping[str, str] = field(default_factory=dict)
    hold_s: float = HOLD_S
    _due: set[str] = field(default_factory=set, init=False)
    _waiting: dict[str, asyncio.Event] = field(default_factory=dict, init=False)
    _loop: asyncio.AbstractEventLoop | None = field(default=None, init=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; hold its answer, ring a bell, or do neither."""
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        self._loop = asyncio.get_running_loop()
        path = scope["path"]
        if (held := self.holds.get(path)) is not None:
            for bell in self._due - {held}:
                self._ring(bell)
            await self._hold(held, scope, receive, send)
        elif not await self._passed(scope, receive, send):
            return
        elif (rung := self.rings.get(path)) is not None:
            self._ring(rung)
        elif (part := self.parts.get(path)) is not None:
            self._due.add(part)

    def ring(self, bell: str) -> None:
        """Let go of every answer held for this bell; may be called from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._ring, bell)

    def _ring(self, bell: str) -> None:
        self._due.discard(bell)
        waiting = self._waiting.pop(bell, None)
        if waiting is not None:
            waiting.set()

    async def _hold(self, bell: str, scope: Scope, receive: Receive, send: Send) -> None:
        # The bell is taken before the application looks, so a ring in between is not missed.
        rung = self._waiting.setdefault(bell, asyncio.Event())
        events: list[Event] = []

        async def keep(event: Event) -> None:
            events.append(event)

        await self.application(scope, receive, keep)
        if events and events[0]["status"] == _OK and not any(e.get("body") for e in events):
            with suppress(TimeoutError):
                await asyncio.wait_for(rung.wait(), self.hold_s)
        for event in events:
            await send(event)

    async def _passed(self, scope: Scope, receive: Receive, send: Send) -> bool:
        status = 0

        async def watch(event: Event) -> None:
            nonlocal status
            status = event.get("status", status)
            await send(event)

        await self.application(scope, receive, watch)
        return status == _OK
