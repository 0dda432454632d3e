"""Live progress as server-sent events: how far a run is, as it changes, until it ends.

Nothing is queued for a client: the next event is made when the last one was taken, so a slow client
sees fewer of them, and one that takes none for half a minute is dropped. An event's id tells the
state it shows, so a client that comes back with ``Last-Event-ID`` gets what is new, or nothing.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.types import Message, Send

from api.people.errors import TooManyRequests
from federation.coordinator.runs import Run, RunState

ENDED: Final = frozenset({RunState.RELEASED, RunState.REFUSED})
STREAMS_EACH: Final = 8
"""How many streams one person may hold open: tabs, not programs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds of a stream.

    look_s: between two looks. heartbeat_s: of silence at most. longest_s: until it ends, and the
    client comes back and is let in anew. patience_s: for one event to be taken.
    """

    look_s: float = 0.4
    heartbeat_s: float = 15.0
    longest_s: float = 600.0
    patience_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Streams:
    """How many streams each person holds open, in this process."""

    open: Counter[str] = field(default_factory=Counter)

    def check(self, name: str) -> None:
        """Raise TooManyRequests if a person holds as many as one may."""
        if self.open[name] >= STREAMS_EACH:
            raise TooManyRequests(5)


class EventStream(StreamingResponse):
    """A stream of events that ends when its client does not take one in time."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[bytes], pace: Pace) -> None:
        """Stream events, none of which is kept by anybody on the way."""
        super().__init__(events, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._patience_s = pace.patience_s

    async def stream_response(self, send: Send) -> None:
        """Send each event; give up on a client that takes none."""

        async def impatient(message: Message) -> None:
            async with asyncio.timeout(self._patience_s):
                await send(message)

        try:
            await super().stream_response(impatient)
        except TimeoutError:
            return


def event_id(run: Run) -> str:
    """Name what an event shows of a run."""
    shown = json.dumps([run.id, run.state, run.progress, run.step])
    return sha256(shown.encode()).hexdigest()[:16]


def event(run: Run) -> bytes:
    """Write a run's state as one event. No result is in it: a stream's end says to fetch it."""
    shown = {"id": run.id, "state": run.state, "progress": run.progress, "step": run.step}
    return f"id: {event_id(run)}\nevent: run\ndata: {json.dumps(shown)}\n\n".encode()


async def follow(
    read: Callable[[], Run],
    *,
    pace: Pace,
    last: str | None,
    streams: Streams,
    name: str,
) -> AsyncIterator[bytes]:
    """Yield an event whenever a run has changed, and a comment when nothing does.

    Args:
        read: looks at the run; called in a thread.
        pace: how often.
        last: the id of the event that the client had last.
        streams: counts this one while it is open.
        name: whose it is.
    """
    streams.open[name] += 1
    try:
        begun = spoke = time.monotonic()
        while (now := time.monotonic()) - begun < pace.longest_s:
            run = await run_in_threadpool(read)
            if event_id(run) != last:
                last, spoke = event_id(run), now
                yield event(run)
            elif now - spoke >= pace.heartbeat_s:
                spoke = now
                yield b": still here\n\n"
            if run.state in ENDED:
                return
            await asyncio.sleep(pace.look_s)
    finally:
        streams.open[name] -= 1
