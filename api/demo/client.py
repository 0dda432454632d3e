"""The demonstration's own caller: everything it shows, it asks over HTTP like anybody else."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Self

import httpx

from api.demo.errors import ApiUnreachable, StoryBroken

Progress = Callable[[str, float], None]
Json = dict[str, Any]

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
    """An analyst's connection to the API."""

    http: httpx.Client = field(repr=False)

    @classmethod
    def connect(cls, address: str, token: str) -> Self:
        """Speak to the API at an address, with an analyst's token (secret)."""
        headers = {"Authorization": f"Bearer {token}"}
        # trust_env: a proxy of the machine has no business between two processes on it.
        http = httpx.Client(base_url=address, headers=headers, timeout=_TIMEOUT_S, trust_env=False)
        return cls(http=http)

    def budget(self, purpose: str) -> Json:
        """Return the pool that a purpose is charged to."""
        pools: list[Json] = self._get("/api/v1/budget")
        return next(pool for pool in pools if pool["pool"].endswith(f"/{purpose}"))

    def submit(self, path: str, request: Json) -> Json | Refusal:
        """Submit a plan: the run it became, or why it became none."""
        answer = self._send("POST", path, request)
        body: Json = answer.json()
        if answer.status_code in {HTTPStatus.OK, HTTPStatus.ACCEPTED}:
            return body
        code = str(body["type"]).rpartition(":")[2]
        return Refusal(code=code, title=body["title"], text=body.get("detail", ""))

    def follow(self, run: Json, progress: Progress, *, alive: Callable[[], None]) -> Json | Refusal:
        """Wait for a run's end and tell how far it is; ``alive`` raises if nobody will end it."""
        while run["state"] in {"accepted", "running"}:
            progress(run["step"], run["progress"])
            time.sleep(_LOOK_S)
            alive()
            run = self._get(f"/api/v1/runs/{run['id']}")
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

    def _get(self, path: str) -> Any:  # noqa: ANN401 - any JSON
        answer = self._send("GET", path, None)
        answer.raise_for_status()
        return answer.json()

    def _send(self, method: str, path: str, body: Json | None) -> httpx.Response:
        try:
            return self.http.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise ApiUnreachable(type(error).__name__) from None


def released(run: Json | Refusal, step: str) -> Json:
    """Return a released run; StoryBroken if it was refused."""
    if isinstance(run, Refusal):
        raise StoryBroken(step, run.code, run.text)
    return run


def refused(run: Json | Refusal, step: str) -> Refusal:
    """Return a refusal; StoryBroken if the request was answered."""
    if isinstance(run, Refusal):
        return run
    raise StoryBroken(step, "answered", "it was answered, and the demonstration expects a refusal")
