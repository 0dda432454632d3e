"""Every error can be built from what it keeps, and says in a sentence what is wrong."""

import importlib
import inspect
import re
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import consent.errors
import federation.errors
import models.errors
import privacy.errors
from api.errors import DoorError
from consent.errors import Mistake

ROOT = Path(__file__).parents[2]
BASES = (
    DoorError,
    consent.errors.ConsentError,
    federation.errors.FederationError,
    models.errors.ModelError,
    privacy.errors.PrivacyError,
)
LEAST_WORDS = 4

SENTENCE = "the sample given here"
SAMPLES: tuple[tuple[str, object], ...] = (
    (r"\bMistake\b", [Mistake("fields.age", "is missing; add it")]),
    (r"\b(tuple|list|Sequence|Iterable)\b.*\bstr\b", ("advisory", "risk")),
    (r"\bPath\b", Path("sample.toml")),
    (r"\bbool\b", True),
    (r"\bint\b", 3),
    (r"\bfloat\b", 0.25),
    (r"\b(str|object)\b", SENTENCE),
)


def errors() -> list[type[Exception]]:
    """Import every errors module of the five rooms; return each error class below a base."""
    for room in ("api", "consent", "federation", "models", "privacy"):
        for path in (ROOT / room).rglob("*errors.py"):
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    leaves = {leaf for base in BASES for leaf in _below(base) if not leaf.__subclasses__()}
    return sorted(
        (leaf for leaf in leaves if leaf.__module__.partition(".")[0] in _rooms()),
        key=lambda leaf: (leaf.__module__, leaf.__name__),
    )


def _rooms() -> set[str]:
    return {base.__module__.partition(".")[0] for base in BASES}


def _below(base: type[Exception]) -> Iterator[type[Exception]]:
    for error in base.__subclasses__():
        yield error
        yield from _below(error)


def built(error: type[Exception]) -> Exception:
    """Build an error from samples that fit the annotations of its constructor."""
    hints = typing.get_type_hints(error.__init__)
    arguments: list[object] = []
    named: dict[str, object] = {}
    for name, parameter in inspect.signature(error).parameters.items():
        sample = _sample(error, name, str(hints.get(name)))
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            named[name] = sample
        elif parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
            arguments.append(sample)
    return error(*arguments, **named)


def _sample(error: type[Exception], name: str, annotation: str) -> object:
    for pattern, sample in SAMPLES:
        if re.search(pattern, annotation):
            return sample
    raise AssertionError(f"{error.__name__}: no sample for {name}: {annotation}")


def complaints(error: Exception) -> Sequence[str]:
    """Say what an error's message lacks."""
    found = []
    if len(str(error).split()) < LEAST_WORDS:
        found.append("its message is no sentence")
    if re.search(r"\bNone\b| object at 0x|\{\w*\}", str(error)):
        found.append("its message shows a gap")
    return found


@pytest.mark.parametrize("error", errors(), ids=lambda error: error.__name__)
def test_an_error_says_what_is_wrong(error: type[Exception]) -> None:
    assert not complaints(built(error))


def test_every_room_has_errors() -> None:
    assert {error.__module__.partition(".")[0] for error in errors()} == _rooms()


@pytest.mark.parametrize(
    "error",
    [ValueError(), ValueError("Pool {pool} has nothing left: ask for less.")],
    ids=["mute", "gappy"],
)
def test_a_message_that_says_nothing_is_caught(error: Exception) -> None:
    assert complaints(error)
