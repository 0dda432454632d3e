import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from itertools import chain, repeat

import pytest
from fastapi.testclient import TestClient
from starlette.types import Message, Scope

from api.live import STREAMS_EACH, EventStream, Pace, Streams, event, event_id, follow
from api.people.errors import TooManyRequests
from federation.coordinator.runs import Run, Runs, RunState

QUICK = Pace(look_s=0.0, heartbeat_s=0.02, longest_s=5.0, patience_s=0.05)
QUESTION = {
    "purpose": "product_insight",
    "statistics": [{"kind": "count"}],
    "epsilon": 1.0,
    "reason": "how many there are",
}


def run(state: RunState, progress: float = 0.0, step: str = "") -> Run:
    return Run(
        id="0" * 16,
        request=None,
        asker="ann",
        plan=b"{}",
        digest="",
        question="",
        attempt=0,
        epoch=0,
        policy="",
        data=None,
        state=state,
        progress=progress,
        step=step,
        accepted_at=0,
        ended_at=None,
        result={"rows": [1234567]},
        label=None,
        refusal=None,
    )


def told(
    states: list[Run],
    *,
    last: str | None = None,
    pace: Pace = QUICK,
    streams: Streams | None = None,
) -> list[bytes]:
    looks: Iterator[Run] = chain(states, repeat(states[-1]))

    async def collect() -> list[bytes]:
        held = streams or Streams()
        events = follow(lambda: next(looks), pace=pace, last=last, streams=held, name="ann")
        return [chunk async for chunk in events]

    return asyncio.run(collect())


ACCEPTED, HALF = run(RunState.ACCEPTED), run(RunState.RUNNING, 0.5, "half way")
RELEASED = run(RunState.RELEASED, 1.0, "released")


def test_every_change_is_told_once_and_the_end_ends_it() -> None:
    seen = [ACCEPTED, ACCEPTED, HALF, HALF, RELEASED]
    assert told(seen) == [event(ACCEPTED), event(HALF), event(RELEASED)]


def test_an_event_says_how_far_it_is_and_releases_nothing() -> None:
    text = event(HALF).decode()
    assert json.loads(text.partition("data: ")[2]) == {
        "id": "0" * 16,
        "state": "running",
        "progress": 0.5,
        "step": "half way",
    }
    assert "1234567" not in event(RELEASED).decode()


def test_a_client_that_comes_back_gets_what_is_new() -> None:
    assert told([HALF, RELEASED], last=event_id(HALF)) == [event(RELEASED)]
    assert told([HALF, RELEASED], last="anything else") == [event(HALF), event(RELEASED)]


def test_silence_is_broken_by_a_heartbeat_and_a_stream_has_an_end() -> None:
    chunks = told([HALF], pace=Pace(look_s=0.01, heartbeat_s=0.02, longest_s=0.3))
    assert chunks[0] == event(HALF)
    assert set(chunks[1:]) == {b": still here\n\n"}


def test_a_step_cannot_break_out_of_its_event() -> None:
    forged = run(RunState.RUNNING, step="x\n\nevent: run\ndata: {}")
    assert event(forged).count(b"\n\n") == 1


def test_a_client_that_never_reads_is_dropped() -> None:
    streams, looks = Streams(), []

    def look() -> Run:
        looks.append(1)
        return HALF if len(looks) % 2 else ACCEPTED

    async def never(message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    async def stays() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def serve() -> None:
        events: AsyncIterator[bytes] = follow(
            look, pace=QUICK, last=None, streams=streams, name="ann"
        )
        scope: Scope = {"type": "http", "asgi": {"spec_version": "2.3"}}
        async with asyncio.timeout(20):
            await EventStream(events, QUICK)(scope, stays, never)
        await events.aclose()  # type: ignore[attr-defined]

    asyncio.run(serve())
    assert len(looks) == 1  # nothing was made for it while it did not read
    assert streams.open["ann"] == 0


def test_nobody_holds_more_streams_than_a_person_looks_at() -> None:
    streams = Streams()
    streams.open["ann"] = STREAMS_EACH
    with pytest.raises(TooManyRequests):
        streams.check("ann")
    streams.check("ben")


def test_a_stream_that_ended_is_not_counted() -> None:
    streams = Streams()
    told([RELEASED], streams=streams)
    assert streams.open["ann"] == 0


def test_the_door_streams_until_the_run_ends(analyst: TestClient, runs: Runs) -> None:
    place = analyst.post("/api/v1/questions", json=QUESTION).headers["Location"]
    taken = runs.take()
    assert taken is not None
    runs.end_refused(taken.id, code="DepartmentMissing", text="No answer from wealth", now=1)
    answer = analyst.get(place + "/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    assert '"state": "refused"' in answer.text
    seen = {"Last-Event-ID": answer.text.partition("id: ")[2].partition("\n")[0]}
    assert analyst.get(place + "/events", headers=seen).status_code == 204
    assert analyst.get("/api/v1/runs/0123456789abcdef/events").status_code == 404
