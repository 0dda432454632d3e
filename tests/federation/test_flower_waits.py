"""What Flower's clients do when a SuperLink goes away in the middle of something."""

from collections.abc import Callable
from types import ModuleType

import httpx
import pytest
from flwr.supercore.inflatable.inflatable_utils import (
    ObjectPushError,
    push_object_contents_from_iterable,
)

from federation.deployment.flower_waits import is_hopeless, offer_parts_twice

PARTS = [("first", b"1"), ("second", b"2"), ("third", b"3")]


@pytest.mark.parametrize(
    "text",
    [
        "[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred in violation of protocol (_ssl.c:1006)",
        "TLS/SSL connection has been closed (EOF) (_ssl.c:2580)",
        "[Errno 111] Connection refused",
    ],
)
def test_a_connection_that_broke_is_made_again(text: str) -> None:
    assert not is_hopeless(httpx.ReadError(text))
    assert not is_hopeless(httpx.ConnectError(text))


def test_a_wrong_certificate_and_an_answer_are_left_to_flower() -> None:
    wrong = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate"
    assert is_hopeless(httpx.ConnectError(wrong))
    request = httpx.Request("POST", "https://superlink/v1/fleet/pull-messages")
    answer = httpx.Response(401, request=request)
    assert is_hopeless(httpx.HTTPStatusError("", request=request, response=answer))


def superlink(taken: set[str]) -> ModuleType:
    """A module that pushes to a SuperLink which refuses what it has, as Flower's does."""

    def make(run_id: int) -> Callable[[str, bytes], None]:
        def push(object_id: str, _content: bytes) -> None:
            if object_id in taken:
                raise ObjectPushError(object_id, run_id, "session")
            taken.add(object_id)

        return push

    module = ModuleType("pushes")
    module.make_push_object_fn_protobuf = make  # type: ignore[attr-defined]
    return module


def test_a_part_that_was_taken_before_does_not_keep_the_others_back() -> None:
    taken = {"first"}
    module = superlink(taken)
    offer_parts_twice(module)
    push = module.make_push_object_fn_protobuf(7)
    push_object_contents_from_iterable(PARTS, push, max_concurrent_pushes=1)
    assert taken == {"first", "second", "third"}


def test_stock_flower_leaves_the_others_unsent() -> None:
    """The saboteur's twin of the test above."""
    taken = {"first"}
    push = superlink(taken).make_push_object_fn_protobuf(7)
    with pytest.raises(ObjectPushError):
        push_object_contents_from_iterable(PARTS, push, max_concurrent_pushes=1)
    assert taken == {"first"}
