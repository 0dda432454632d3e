"""The OpenAPI document against the API: what it allows is answered as it says, never with 500."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.people.access import ACCESS
from api.people.roles import STAFF_ROLES

EXAMPLES = 4
CHECKS = [content_type_conformance, response_schema_conformance, status_code_conformance]
DOWN = {"GET /readyz"}
"""Without a ServerApp nothing is ready, and that is what it should say."""


async def started(scope: Any, receive: Any, send: Any) -> None:
    """Say that the application has started: a fixture started it."""
    while scope["type"] == "lifespan":
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return


@pytest.fixture
def document(anyone: TestClient) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await (started if scope["type"] == "lifespan" else anyone.app)(scope, receive, send)

    schema = schemathesis.openapi.from_dict(anyone.get("/api/v1/openapi.json").json())
    schema.app = app
    return schema


def operations(document: Any) -> Iterator[tuple[str, Any]]:
    for found in document.get_all_operations():
        operation = found.ok()
        yield f"{operation.method.upper()} {operation.path}", operation


def bearer(route: str, tokens: dict[str, str]) -> dict[str, str]:
    """Return the header of somebody who may call a route."""
    who = ACCESS[route]
    role = next((r for r in STAFF_ROLES if who is None or r in who), None)
    assert role is not None, route
    return {"Authorization": f"Bearer {tokens[role]}"}


def wrong(route: str, operation: Any, header: dict[str, str], mode: GenerationMode) -> str:
    """Try one operation; return what is wrong, or nothing."""

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def answer(case: Any) -> None:
        response = case.call(headers=header)
        assert response.status_code < 500 or route in DOWN, response.text
        case.validate_response(response, checks=CHECKS)

    try:
        answer()
    except Unsatisfiable:  # nothing to get wrong: it takes no input
        assert mode is GenerationMode.NEGATIVE
    except (AssertionError, Failure, FailureGroup) as error:
        return f"{route}: {error} {getattr(error, 'exceptions', '')}"
    return ""


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_route_answers_as_the_document_says(
    document: Any, tokens: dict[str, str], mode: GenerationMode
) -> None:
    tried = {
        route: wrong(route, op, bearer(route, tokens), mode) for route, op in operations(document)
    }
    assert set(tried) == set(ACCESS)
    assert not any(tried.values()), "\n".join(filter(None, tried.values()))


def test_every_body_has_an_example(anyone: TestClient) -> None:
    document = anyone.get("/api/v1/openapi.json").json()
    lacking = []
    for path, item in document["paths"].items():
        for method, operation in item.items():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                schema = json.dumps(content)
                name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
                schema += json.dumps(document["components"]["schemas"].get(name, {}))
                if '"example' not in schema and "oneOf" not in schema:
                    lacking.append(f"{method} {path}")
    assert lacking == []
