"""A caller's side of the API: what the command line and the demonstration ask it over HTTP."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Self

import httpx

from api.errors import ApiRefused, ApiUnreachable

Progress = Callable[[str, float], None]
Json = dict[str, Any]

PENDING = frozenset({"accepted", "running"})
"""States of a run that end by themselves; one that waits for approval may take days."""

_LOOK_S = 0.15
_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why the coordinator or a department would not: a code for machines, a text for people."""

    code: str
    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A caller's connection to the API."""

    http: httpx.Client = field(repr=False)

    @classmethod
    def connect(cls, address: str, token: str) -> Self:
        """Speak to the API at an address, with a caller's token (secret)."""
        headers = {"Authorization": f"Bearer {token}"}
        # trust_env: a proxy of the machine has no business between two processes on it.
        http = httpx.Client(base_url=address, headers=headers, timeout=_TIMEOUT_S, trust_env=False)
        return cls(http=http)

    def get(self, path: str, **parameters: object) -> Any:  # noqa: ANN401 - any JSON
        """Return what a route answers.

        Raises:
            ApiRefused: with a problem.
            ApiUnreachable: not at all.
        """
        given = {name: str(value) for name, value in parameters.items() if value is not None}
        return self.call("GET", path, parameters=given).json()

    def post(self, path: str, body: Json) -> Any:  # noqa: ANN401 - any JSON
        """Send a body and return what the route answers; raises as ``get``."""
        return self.call("POST", path, body=body).json()

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Json | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send a request and return its answer; raises as ``get``."""
        answer = self._send(method, path, body, parameters)
        if answer.is_success:
            return answer
        refusal = _refusal(answer)
        raise ApiRefused(answer.status_code, refusal.code, refusal.text or refusal.title)

    def budget(self, purpose: str) -> Json:
        """Return the pool that a purpose is charged to."""
        pools: list[Json] = self.get("/api/v1/budget")
        return next(pool for pool in pools if pool["pool"].endswith(f"/{purpose}"))

    def submit(self, path: str, request: Json) -> Json | Refusal:
        """Submit a plan: the run it became, or why it became none."""
        answer = self._send("POST", path, request)
        if answer.status_code in {HTTPStatus.OK, HTTPStatus.ACCEPTED}:
            body: Json = answer.json()
            return body
        return _refusal(answer)

    def follow(self, run: Json, progress: Progress, *, alive: Callable[[], None]) -> Json | Refusal:
        """Wait for a run's end and tell how far it is; ``alive`` raises if nobody will end it.

        A run that waits for approval is returned as it is.
        """
        while run["state"] in PENDING:
            progress(run["step"], run["progress"])
            time.sleep(_LOOK_S)
            alive()
            run = self.get(f"/api/v1/runs/{run['id']}")
        if run["state"] == "refused":
            refusal = run["refusal"]
            return Refusal(code=refusal["code"], title="Refused", text=refusal["text"])
        progress(run["step"], 1.0)
        return run

    def carry_out(
        self, path: str, request: Json, progress: Progress, *, alive: Callable[[], None]
    ) -> Json | Refusal:
        """Submit a plan and wait for its end."""
        run = self.submit(path, request)
        return run if isinstance(run, Refusal) else self.follow(run, progress, alive=alive)

    def _send(
        self,
        method: str,
        path: str,
        body: Json | None,
        parameters: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        try:
            return self.http.request(method, path, json=body, params=parameters)
        except httpx.HTTPError as error:
            raise ApiUnreachable(type(error).__name__) from None


def _refusal(answer: httpx.Response) -> Refusal:
    """Read a problem; anything else is told by its status."""
    try:
        body: Json = answer.json()
        code = str(body["type"]).rpartition(":")[2]
        return Refusal(code=code, title=str(body["title"]), text=str(body.get("detail", "")))
    except (ValueError, KeyError, TypeError, AttributeError):
        title = f"The API answered with status {answer.status_code}"
        return Refusal(code=str(answer.status_code), title=title, text="")
