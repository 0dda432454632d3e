"""How long Flower's processes wait for each other, and what they do when a SuperLink was killed.

One of the three files that use flwr's internals (1.41.0); `tests/protocol/test_flower_contract.py`
holds every one of them to what is relied on here. Each function changes one module of flwr in the
process that calls it.
"""

import functools
import importlib
from collections.abc import Callable
from contextlib import suppress
from types import ModuleType

import httpx
from flwr.supercore.inflatable.inflatable_utils import ObjectPushError

RETRY_CAP_S = 2
PULLS = {"initial_backoff": 0.02, "backoff_cap": 0.2, "max_time": 30}
"""Waits, in seconds, when a message came before its parts. Flower's are 1, doubling to 10, and two
hours in all, in which a SuperNode does nothing else; a sender that was killed never sends them."""


def outlast_superlink() -> None:
    """Let this process's clients find a SuperLink that is killed and comes back.

    Flower's own wait up to 20 s between two tries; see also :func:`is_hopeless`.
    """
    retry = importlib.import_module("flwr.supercore.retry.http_retry")
    invoker = retry.RetryInvoker

    def patient(*, should_giveup: Callable[[Exception], bool], **others: object) -> object:
        def gives_up(error: Exception) -> bool:
            return is_hopeless(error) and should_giveup(error)

        return invoker(should_giveup=gives_up, **others)

    retry.MAX_RETRY_DELAY = RETRY_CAP_S  # type: ignore[attr-defined]
    retry.RetryInvoker = patient  # type: ignore[attr-defined]


def is_hopeless(error: Exception) -> bool:
    """Say whether trying again may be useless; Flower itself then decides.

    A connection that broke can be made again. Flower takes one that broke inside TLS, as they do
    when a SuperLink is killed, for one with a wrong certificate.
    """
    return not isinstance(error, httpx.TransportError) or "certificate" in str(error).lower()


def shorten_pulls(module: ModuleType, name: str = "pull_objects") -> None:
    """Let a module of flwr pull a message's parts by our waits."""
    setattr(module, name, functools.partial(getattr(module, name), **PULLS))


def offer_parts_twice(module: ModuleType) -> None:
    """Let a module of flwr go on when a part of a message that it pushes is refused.

    A killed SuperLink may have taken a part and not said so. It refuses the same part after its
    return; Flower fails at that and leaves the other parts unsent, so the message never arrives.
    Whatever is really missing shows at the leg's deadline.
    """
    stock = module.make_push_object_fn_protobuf

    def make(*arguments: object, **named: object) -> Callable[[str, bytes], None]:
        push = stock(*arguments, **named)

        def once_more(object_id: str, content: bytes) -> None:
            with suppress(ObjectPushError):
                push(object_id, content)

        return once_more

    module.make_push_object_fn_protobuf = make  # type: ignore[attr-defined]
