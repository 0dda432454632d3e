"""The notebook's side, against the real application."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from api.client import Client, Sandbox
from api.errors import ApiRefused, ApiUnreachable, RunRefused
from api.outcomes import CubeOutcome
from api.policy_schemas import ProposalView
from api.schemas import RunView
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


def test_an_answer_s_lines_are_what_pandas_takes(sandbox: Sandbox, runs: Runs) -> None:
    end(runs, sandbox.client.post("/api/v1/questions", QUESTION)["id"])
    (line,) = sandbox.ask(QUESTION).lines()
    assert (type(line), line["region"], line["low"], line["high"]) == (dict, "north", 7.0, 11.0)


def cube_of_a_hand_written_api(asked: list[str]) -> CubeOutcome:
    """Return a released cube of an API that notes what it is asked."""
    common = {"cube": "0" * 16, "epoch": 1, "age_s": 5, "level": 0.95}
    count = {"value": 100.0, "half_width": 8.0}
    answers: dict[str, dict[str, Any]] = {
        "table": {
            "fields": ["age", "sex"],
            "departments": ["risk"],
            "rows": [{"cell": {"age": "< 30", "sex": "f"}, "count": count}],
        },
        "relations": {"pairs": []},
        "model": {
            "target": "sex",
            "label": "f",
            "base": 0.1,
            "log_odds": {"intercept": -1.0, "slope": 4.0},
            "weights": {},
            "post_processing": "",
        },
    }

    def get(path: str, /) -> dict[str, Any]:
        asked.append(path.rsplit("/", 1)[1])
        return common | answers[path.split("?", maxsplit=1)[0].rsplit("/", 1)[1]]

    return CubeOutcome(run=RunView.model_construct(id="0" * 16), get=get)


def test_a_cube_answers_typed_and_as_frames() -> None:
    asked: list[str] = []
    cube = cube_of_a_hand_written_api(asked)
    assert cube.counts("age", "sex").rows[0].count.value == 100.0
    (row,) = cube.counts_frame("age", "sex").select("sex", "low", "high").rows()
    assert row == ("f", 92.0, 108.0)
    assert cube.relations().pairs == []
    assert cube.model("sex", label="f").base == 0.1
    assert asked[0] == "table?field=age&field=sex"
    assert asked[-1] == "model?target=sex&label=f"


def test_a_cube_that_no_firm_of_two_can_release_is_refused_to_a_notebook(sandbox: Sandbox) -> None:
    cube = {"purpose": "product_insight", "fields": ["income", "region"], "clients": 1024}
    with pytest.raises(ApiRefused, match="third"):
        sandbox.cube(cube | {"epsilon": 1.0, "reason": "what goes together"})
