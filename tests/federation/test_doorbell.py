"""The doorbell alone: empty answers wait for a bell, all others leave at once."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Thread

from federation.deployment.doorbell import Doorbell
from federation.deployment.guard import Event, Receive, Scope, Send


@dataclass
class Answering:
    """Answers each path with a status and a body; counts what reached it."""

    answers: Mapping[str, tuple[int, bytes]]
    asked: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        self.asked.append(scope["path"])
        status, body = self.answers[scope["path"]]
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})


def doorbell(hold_s: float = 30.0, **answers: tuple[int, bytes]) -> Doorbell:
    inside = Answering({f"/{path}": answer for path, answer in answers.items()})
    return Doorbell(
        application=inside,
        holds={"/poll": "bell", "/other": "answer"},
        rings={"/ring": "bell"},
        parts={"/part": "bell"},
        hold_s=hold_s,
    )


async def request(bell: Doorbell, path: str) -> float:
    """Send a request; return the seconds until its answer."""
    began = time.monotonic()
    events: list[Event] = []

    async def receive() -> Event:
        return {"type": "http.request", "body": b""}

    async def send(event: Event) -> None:
        events.append(event)

    await bell({"type": "http", "path": path, "headers": []}, receive, send)
    assert [event["type"] for event in events] == ["http.response.start", "http.response.body"]
    return time.monotonic() - began


EMPTY, FULL, REFUSED = (200, b""), (200, b"a message"), (401, b"")


def test_an_answer_with_content_or_an_error_leaves_at_once() -> None:
    for answer in (FULL, REFUSED):
        assert asyncio.run(request(doorbell(poll=answer), "/poll")) < 10


def test_an_empty_answer_leaves_when_the_bell_rings() -> None:
    async def scene() -> float:
        bell = doorbell(poll=EMPTY, ring=EMPTY)
        poll = asyncio.create_task(request(bell, "/poll"))
        await asyncio.sleep(0.05)
        assert not poll.done()
        await request(bell, "/ring")
        return await poll

    assert asyncio.run(scene()) < 10


def test_a_refused_request_does_not_ring() -> None:
    async def scene() -> bool:
        bell = doorbell(poll=EMPTY, ring=REFUSED)
        poll = asyncio.create_task(request(bell, "/poll"))
        await asyncio.sleep(0.05)
        await request(bell, "/ring")
        await asyncio.sleep(0.05)
        waits = not poll.done()
        bell.ring("bell")
        await poll
        return waits

    assert asyncio.run(scene())


def test_parts_ring_once_their_sender_waits_for_an_answer() -> None:
    async def scene() -> tuple[bool, float]:
        bell = doorbell(poll=EMPTY, part=EMPTY, other=FULL)
        poll = asyncio.create_task(request(bell, "/poll"))
        for _ in range(3):
            await request(bell, "/part")
        await asyncio.sleep(0.05)
        waits = not poll.done()
        await request(bell, "/other")
        return waits, await poll

    waits, seconds = asyncio.run(scene())
    assert waits
    assert seconds < 10


def test_who_polls_again_does_not_ring_its_own_bell() -> None:
    async def scene() -> bool:
        bell = doorbell(poll=EMPTY, part=EMPTY)
        polls = [asyncio.create_task(request(bell, "/poll"))]
        await request(bell, "/part")
        polls.append(asyncio.create_task(request(bell, "/poll")))
        await asyncio.sleep(0.05)
        waits = not any(poll.done() for poll in polls)
        bell.ring("bell")
        await asyncio.gather(*polls)
        return waits

    assert asyncio.run(scene())


def test_a_bell_that_rings_while_the_application_looks_is_heard() -> None:
    bell = doorbell(poll=EMPTY, ring=EMPTY)
    inside = bell.application

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/poll":
            await request(bell, "/ring")
        await inside(scope, receive, send)

    bell.application = slow
    assert asyncio.run(request(bell, "/poll")) < 10


def test_an_empty_answer_leaves_at_the_latest_after_the_hold() -> None:
    assert 0.09 < asyncio.run(request(doorbell(0.1, poll=EMPTY), "/poll")) < 10


def test_another_thread_may_ring() -> None:
    async def scene() -> float:
        bell = doorbell(poll=EMPTY)
        poll = asyncio.create_task(request(bell, "/poll"))
        await asyncio.sleep(0.05)
        thread = Thread(target=bell.ring, args=("bell",))
        thread.start()
        thread.join()
        return await poll

    assert asyncio.run(scene()) < 10


def test_ringing_before_anything_was_asked_is_harmless() -> None:
    bell = doorbell(poll=FULL)
    bell.ring("bell")
    assert asyncio.run(request(bell, "/poll")) < 10
