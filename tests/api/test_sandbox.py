"""The notebook's side, against the real application."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from api.client import Client, Sandbox
from api.errors import ApiRefused, ApiUnreachable, RunRefused
from api.policy_schemas import ProposalView
from federation.coordinator.runs import Runs
from privacy.entries import Opinion

SignIn = Callable[[str], TestClient]
QUESTION: dict[str, Any] = {
    "purpose": "product_insight",
    "statistics": [{"kind": "count"}],
    "by": ["region"],
    "epsilon": 1.0,
    "reason": "who lives where",
}
RESULT = {
    "kind": "question",
    "rows": [{"cell": {"region": "north"}, "count": {"value": 9.0, "half_width": 2.0}}],
}


@pytest.fixture
def sandbox(sign_in: SignIn) -> Sandbox:
    return Sandbox(client=Client(http=sign_in("analyst")))


def officer(sign_in: SignIn, name: str = "privacy_officer") -> Sandbox:
    return Sandbox(client=Client(http=sign_in(name)))


def end(runs: Runs, run: str, *, refused: bool = False) -> None:
    taken = runs.take()
    assert taken is not None
    assert taken.id == run
    if refused:
        runs.end_refused(run, code="DepartmentMissing", text="No answer from wealth", now=1)
    else:
        runs.end_released(run, result=RESULT, label={"rho": 1.0}, now=1)


def test_an_answer_is_a_frame_with_intervals(sandbox: Sandbox, runs: Runs) -> None:
    end(runs, sandbox.client.post("/api/v1/questions", QUESTION)["id"])
    outcome = sandbox.ask(QUESTION)
    assert outcome.run.state == "released"
    assert outcome.label == {"rho": 1.0}
    assert outcome.frame().select("region", "low", "high").rows() == [("north", 7.0, 11.0)]


def test_a_refused_run_has_no_result(sandbox: Sandbox, runs: Runs) -> None:
    run = sandbox.client.post("/api/v1/questions", QUESTION)["id"]
    end(runs, run, refused=True)
    with pytest.raises(RunRefused, match="No answer from wealth"):
        _ = sandbox.wait(run).result


def test_a_request_whose_answer_is_lost_is_sent_again_and_spends_once(
    sign_in: SignIn, runs: Runs
) -> None:
    real, lost = sign_in("analyst"), []

    def flaky(request: httpx.Request) -> httpx.Response:
        headers = {
            k: v
            for k, v in request.headers.items()
            if k in {"authorization", "idempotency-key", "content-type"}
        }
        answer = real.request(
            request.method, request.url.path, content=request.content, headers=headers
        )
        if request.method == "POST" and not lost:
            lost.append(answer.json()["id"])
            end(runs, lost[0])
            raise httpx.ReadError("the network went away")
        return httpx.Response(answer.status_code, json=answer.json())

    http = httpx.Client(base_url="http://api", transport=httpx.MockTransport(flaky))
    outcome = Sandbox(client=Client(http=http)).ask(QUESTION)
    assert outcome.run.id == lost[0]
    assert len(real.get("/api/v1/runs").json()) == 1


def test_an_api_that_is_gone_is_told(sandbox: Sandbox) -> None:
    def gone(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("gone")

    http = httpx.Client(base_url="http://api", transport=httpx.MockTransport(gone))
    with pytest.raises(ApiUnreachable):
        Sandbox(client=Client(http=http)).ask(QUESTION)
    assert sandbox.price(QUESTION | {"kind": "question"}).epsilon <= 1.0


def test_lists_are_read_page_by_page(sandbox: Sandbox) -> None:
    made = [
        sandbox.client.post("/api/v1/questions", QUESTION | {"epsilon": 0.1 + n / 1000})["id"]
        for n in range(53)
    ]
    assert [run.id for run in sandbox.runs()] == made[::-1]


def test_officers_decide_from_a_notebook(sandbox: Sandbox, sign_in: SignIn) -> None:
    waiting = sandbox.ask(QUESTION | {"epsilon": 9.0})
    assert waiting.run.state == "waiting"
    first, second = officer(sign_in), officer(sign_in, "second_officer")
    assert [one.run.id for one in first.approvals()] == [waiting.run.id]
    first.decide(waiting.run.id, Opinion.APPROVE, "worth it")
    assert second.decide(waiting.run.id, Opinion.APPROVE, "yes").run.state == "accepted"


def test_the_policy_is_changed_against_what_was_read(sign_in: SignIn) -> None:
    desk = officer(sign_in)
    policy, tag = desk.policy()
    more = policy.model_copy(update={"automatic_epsilon": 9.0})
    assert isinstance(desk.change_policy(more, tag), ProposalView)
    less = policy.model_copy(update={"automatic_epsilon": 1.0})
    assert desk.change_policy(less, tag) == less
    with pytest.raises(ApiRefused) as refused:
        desk.change_policy(less, tag)
    assert refused.value.status == 412


def test_the_rest_is_typed_too(sandbox: Sandbox) -> None:
    assert sandbox.budget()[0].pool == "firm"
    assert sandbox.catalogue().catalogue.name == "Synthetic savers"
