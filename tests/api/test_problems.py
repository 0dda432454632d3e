"""Every refusal of every room has a line in the one table."""

import importlib
import pkgutil

import pytest

import consent
import federation
import models
import privacy
from api.demo.errors import DemoError
from api.errors import CallError, DoorError
from api.problems import TABLE, Kind, internal_problem, kind_of
from consent.errors import ConsentError
from federation.errors import FederationError
from models.errors import ModelError
from privacy.errors import PrivacyError

BASES = (PrivacyError, ConsentError, FederationError, ModelError, DoorError)


def leaves(base: type[BaseException]) -> set[type[BaseException]]:
    below = base.__subclasses__()
    return {base} if not below else set().union(*(leaves(c) for c in below))


@pytest.fixture(scope="module")
def every_error() -> set[type[BaseException]]:
    for room in (consent, federation, models, privacy):
        for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            if module.name.endswith("errors"):
                importlib.import_module(module.name)
    found = set().union(*(leaves(base) for base in BASES)) - set(BASES)
    # What a caller of the API meets never travels over HTTP.
    return {error for error in found if not issubclass(error, DemoError | CallError)}


def missing(every: set[type[BaseException]]) -> list[str]:
    return sorted(e.__name__ for e in every if kind_of(e) is None)


def test_every_leaf_of_every_room_has_its_line(every_error: set[type[BaseException]]) -> None:
    assert len(every_error) > 30
    assert missing(every_error) == []


def test_a_new_error_without_a_line_is_found(every_error: set[type[BaseException]]) -> None:
    stranger = type("BrandNew", (PrivacyError,), {})
    assert missing(every_error | {stranger}) == ["BrandNew"]


def test_no_two_errors_share_a_slug() -> None:
    slugs = [kind.slug for kind in TABLE.values()]
    assert len(slugs) == len(set(slugs))


def test_a_subclass_is_answered_as_its_parent() -> None:
    parent = next(iter(TABLE))
    assert kind_of(type("Child", (parent,), {})) == TABLE[parent]


def test_the_table_lists_refusals_and_failures_only() -> None:
    assert all(isinstance(kind, Kind) and kind.status >= 400 for kind in TABLE.values())


def test_an_unexpected_error_tells_nothing() -> None:
    assert b"internal" in bytes(internal_problem().body)
