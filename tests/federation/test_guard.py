"""The guard alone, in front of an application that remembers what reached it."""

import asyncio
from dataclasses import dataclass, field

import pytest

from federation.deployment.guard import Event, Guard, Receive, Scope, Send

TOKEN = b"the-token"


@dataclass
class Remembering:
    """Reads the whole body, as Flower does, then answers 200."""

    bodies: list[bytes] = field(default_factory=list)

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while True:
            event = await receive()
            if event["type"] == "http.disconnect":
                raise ConnectionError
            body += event.get("body", b"")
            if not event.get("more_body"):
                break
        self.bodies.append(body)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})


def call(
    guard: Guard,
    path: str,
    *,
    headers: tuple[tuple[bytes, bytes], ...] = (),
    chunks: tuple[bytes, ...] = (b"",),
    peer: tuple[str, int] | None = ("127.0.0.1", 4242),
) -> int:
    """Send one request; return the status of the one response."""
    incoming = [
        {"type": "http.request", "body": chunk, "more_body": n < len(chunks)}
        for n, chunk in enumerate(chunks, start=1)
    ]
    sent: list[Event] = []

    async def receive() -> Event:
        return incoming.pop(0)

    async def send(event: Event) -> None:
        sent.append(event)

    scope = {"type": "http", "path": path, "headers": list(headers), "client": peer}
    asyncio.run(guard(scope, receive, send))
    statuses = [event["status"] for event in sent if "status" in event]
    assert len(statuses) == 1
    return int(statuses[0])


@pytest.fixture
def inside() -> Remembering:
    return Remembering()


@pytest.fixture
def guard(inside: Remembering) -> Guard:
    return Guard(
        application=inside,
        open_paths=frozenset({"/open"}),
        local_paths=frozenset({"/local"}),
        token_paths=frozenset({"/control"}),
        token=TOKEN,
        body_limit=10,
    )


def test_what_is_not_on_the_list_does_not_exist(guard: Guard, inside: Remembering) -> None:
    for path in ("/docs", "/openapi.json", "/open/", "/open/more", "//open", "/Open", ""):
        assert call(guard, path) == 404
    assert inside.bodies == []
    assert call(guard, "/open") == 200


@pytest.mark.parametrize("peer", [("192.0.2.7", 1), ("2001:db8::7", 1), ("", 1), None])
def test_other_machines_reach_open_paths_only(guard: Guard, peer: tuple[str, int] | None) -> None:
    header = (b"authorization", b"Bearer " + TOKEN)
    assert call(guard, "/open", peer=peer) == 200
    assert call(guard, "/local", peer=peer) == 404
    assert call(guard, "/control", headers=(header,), peer=peer) == 404


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.9", "::1"])
def test_this_machine_reaches_local_paths(guard: Guard, address: str) -> None:
    assert call(guard, "/local", peer=(address, 1)) == 200


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ((b"authorization", b""),),
        ((b"authorization", b"Bearer "),),
        ((b"authorization", TOKEN),),
        ((b"authorization", b"Bearer " + TOKEN[:-1]),),
        ((b"authorization", b"Bearer " + TOKEN + b"x"),),
        ((b"authorization", b"Basic " + TOKEN),),
        ((b"authorization", b"Bearer " + TOKEN), (b"authorization", b"Bearer x")),
    ],
)
def test_a_control_path_needs_the_token(
    guard: Guard, inside: Remembering, headers: tuple[tuple[bytes, bytes], ...]
) -> None:
    assert call(guard, "/control", headers=headers, chunks=(b"body",)) == 401
    assert inside.bodies == []


def test_the_token_opens_a_control_path(guard: Guard, inside: Remembering) -> None:
    header = (b"authorization", b"Bearer " + TOKEN)
    assert call(guard, "/control", headers=(header,), chunks=(b"body",)) == 200
    assert inside.bodies == [b"body"]


def test_an_empty_token_opens_nothing(inside: Remembering) -> None:
    guard = Guard(application=inside, token_paths=frozenset({"/control"}), token=b"")
    assert call(guard, "/control", headers=((b"authorization", b"Bearer "),)) == 401


def test_the_token_is_in_no_repr(guard: Guard) -> None:
    assert TOKEN.decode() not in repr(guard)


def test_a_body_at_the_limit_passes(guard: Guard, inside: Remembering) -> None:
    assert call(guard, "/open", chunks=(b"12345", b"67890")) == 200
    assert inside.bodies == [b"1234567890"]


def test_a_declared_oversize_is_refused_before_the_body(guard: Guard, inside: Remembering) -> None:
    assert (
        call(guard, "/open", headers=((b"content-length", b"11"),), chunks=(b"never read",)) == 413
    )
    assert inside.bodies == []


def test_an_undeclared_oversize_is_cut_off(guard: Guard, inside: Remembering) -> None:
    assert call(guard, "/open", chunks=(b"12345", b"67890", b"1", b"never read")) == 413
    assert inside.bodies == []


def test_only_http_and_the_lifespan_pass(inside: Remembering) -> None:
    scopes: list[str] = []

    async def application(scope: Scope, _receive: Receive, _send: Send) -> None:
        scopes.append(scope["type"])

    async def nothing(*_arguments: object) -> Event:
        return {}

    async def no_send(_event: Event) -> None:
        return None

    guard = Guard(application=application, open_paths=frozenset({"/open"}))
    for kind in ("lifespan", "websocket"):
        asyncio.run(guard({"type": kind, "path": "/open", "headers": []}, nothing, no_send))
    assert scopes == ["lifespan"]
    assert inside.bodies == []
