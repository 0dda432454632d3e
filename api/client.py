"""A caller's side of the API: ``Sandbox`` for notebooks, and what commands and the demo ask.

sandbox = Sandbox.connect("http://127.0.0.1:8443", token)
sandbox.ask({...}).frame()
"""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Self

import httpx

from api.desk_schemas import ApprovalView
from api.errors import ApiRefused, ApiUnreachable
from api.outcomes import CubeOutcome, Outcome
from api.policy_schemas import ProposalView
from api.schemas import Budget, CatalogueView, Price, RunSummary, RunView
from federation.coordinator.policy import Policy
from privacy.entries import Opinion

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
        return cls.speaking(address, {"Authorization": f"Bearer {token}"})

    @classmethod
    def speaking(cls, address: str, headers: Mapping[str, str]) -> Self:
        """Speak to an address, past any proxy, with the headers (secret) that say who calls."""
        http = httpx.Client(base_url=address, headers=headers, timeout=_TIMEOUT_S, trust_env=False)
        return cls(http=http)

    def get(self, path: str, **parameters: object) -> Any:  # noqa: ANN401 - any JSON
        """Return what a route answers.

        Raises:
            ApiRefused: with a problem.
            ApiUnreachable: not at all.
        """
        given = {name: str(value) for name, value in parameters.items() if value is not None}
        return self.call("GET", path, parameters=given or None).json()

    def every(self, path: str) -> list[Any]:
        """Return all lines of a list, page after page; raises as ``get``."""
        answer = self.call("GET", path)
        found: list[Any] = answer.json()
        further = answer.links.get("next")
        return found + (self.every(further["url"]) if further else [])

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
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send a request and return its answer; raises as ``get``."""
        answer = self._send(method, path, body, parameters, headers)
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
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        try:
            return self.http.request(method, path, json=body, params=parameters, headers=headers)
        except httpx.HTTPError as error:
            raise ApiUnreachable(type(error).__name__) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """The sandbox from a notebook: ask, train, look, decide. Every method raises as ``Client.get``.

    Requests are those of the API, as dictionaries. Whatever spends carries an idempotency key, so
    a cell that is run again while its first answer is lost spends nothing more.
    """

    client: Client

    @classmethod
    def connect(cls, address: str, token: str) -> Self:
        """Speak to the API at an address, with your token (secret)."""
        return cls(client=Client.connect(address, token))

    def price(self, request: Json) -> Price:
        """Say what a plan would cost; its ``kind`` says of what kind it is. Spends nothing."""
        return Price.model_validate(self.client.post("/api/v1/price", request))

    def ask(self, question: Json, *, key: str | None = None) -> Outcome:
        """Ask a question and wait for its end; one that waits for approval comes back waiting."""
        return self._spend("/api/v1/questions", question, key)

    def train(self, training: Json, *, key: str | None = None) -> Outcome:
        """Train a shared model and wait for its end, as ``ask``."""
        return self._spend("/api/v1/trainings", training, key)

    def evaluate(self, evaluation: Json, *, key: str | None = None) -> Outcome:
        """Measure a shared model and wait for its end, as ``ask``."""
        return self._spend("/api/v1/evaluations", evaluation, key)

    def cube(self, cube: Json, *, key: str | None = None) -> CubeOutcome:
        """Ask for a cube and wait for its end, as ``ask``; then it answers as often as you like."""
        return CubeOutcome(run=self._spend("/api/v1/cubes", cube, key).run, get=self.client.get)

    def run(self, run: str) -> Outcome:
        """Return one run as it is now."""
        return Outcome(run=RunView.model_validate(self.client.get(f"/api/v1/runs/{run}")))

    def runs(self) -> Iterator[RunSummary]:
        """Yield every run, newest first, page by page."""
        for line in self._pages("/api/v1/runs"):
            yield RunSummary.model_validate(line)

    def wait(self, run: str) -> Outcome:
        """Wait until a run ends, or turns out to wait for approval."""
        while (found := self.run(run)).run.state in PENDING:
            time.sleep(_LOOK_S)
        return found

    def label(self, run: str, form: str = "label") -> Json:
        """Return a release's label: as it is, by its ``claims``, or as a ``registry`` record."""
        found: Json = self.client.get(f"/api/v1/runs/{run}/label", form=form)
        return found

    def budget(self) -> tuple[Budget, ...]:
        """Return every pool."""
        return tuple(Budget.model_validate(pool) for pool in self.client.get("/api/v1/budget"))

    def catalogue(self) -> CatalogueView:
        """Return the fields there are."""
        return CatalogueView.model_validate_json(
            self.client.call("GET", "/api/v1/catalogue").content
        )

    def approvals(self) -> tuple[ApprovalView, ...]:
        """Return the runs that wait for two officers."""
        return tuple(ApprovalView.model_validate(a) for a in self._pages("/api/v1/approvals"))

    def decide(self, run: str, opinion: Opinion, reason: str) -> ApprovalView:
        """Give your opinion on a run; it stands."""
        body = {"opinion": Opinion(opinion).value, "reason": reason}
        return ApprovalView.model_validate(self.client.post(f"/api/v1/approvals/{run}", body))

    def policy(self) -> tuple[Policy, str]:
        """Return the policy that holds, and the ETag that goes with a change of it."""
        answer = self.client.call("GET", "/api/v1/policy")
        return Policy.model_validate(answer.json()), answer.headers["etag"]

    def change_policy(self, policy: Policy, etag: str) -> Policy | ProposalView:
        """Change the policy that was read; one that allows more comes back as a proposal.

        Raises:
            ApiRefused: with status 412 if somebody changed it in between.
        """
        answer = self.client.call(
            "PUT",
            "/api/v1/policy",
            body=policy.model_dump(mode="json"),
            headers={"If-Match": etag},
        )
        if answer.status_code == HTTPStatus.ACCEPTED:
            return ProposalView.model_validate(answer.json())
        return Policy.model_validate(answer.json())

    def _spend(self, path: str, request: Json, key: str | None) -> Outcome:
        headers = {"Idempotency-Key": key or secrets.token_urlsafe(16)}
        answer = self._patiently(path, request, headers)
        return self.wait(answer["id"])

    def _patiently(self, path: str, request: Json, headers: Mapping[str, str]) -> Json:
        """Send a request that spends; if its answer is lost, once more, under the same key."""
        try:
            answer = self.client.call("POST", path, body=request, headers=headers)
        except ApiUnreachable:
            answer = self.client.call("POST", path, body=request, headers=headers)
        body: Json = answer.json()
        return body

    def _pages(self, path: str) -> Iterator[Json]:
        following: str | None = path
        while following is not None:
            answer = self.client.call("GET", following)
            yield from answer.json()
            following = answer.links.get("next", {}).get("url")


def _refusal(answer: httpx.Response) -> Refusal:
    """Read a problem; anything else is told by its status."""
    try:
        body: Json = answer.json()
        code = str(body["type"]).rpartition(":")[2]
        return Refusal(code=code, title=str(body["title"]), text=str(body.get("detail", "")))
    except (ValueError, KeyError, TypeError, AttributeError):
        title = f"The API answered with status {answer.status_code}"
        return Refusal(code=str(answer.status_code), title=title, text="")
