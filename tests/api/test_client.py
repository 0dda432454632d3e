"""A caller's side of the API, against a hand-written one."""

from collections.abc import Callable

import httpx
import pytest

from api.client import Client, Refusal
from api.demo.errors import StoryBroken
from api.demo.expected import refused, released
from api.errors import ApiRefused, ApiUnreachable
from federation.deployment.errors import DeploymentError


def client(answer: Callable[[httpx.Request], httpx.Response]) -> Client:
    http = httpx.Client(base_url="http://api", transport=httpx.MockTransport(answer))
    return Client(http=http)


def run(state: str, **more: object) -> dict[str, object]:
    return {"id": "1", "state": state, "step": f"it is {state}", "progress": 0.5, **more}


def api(*states: dict[str, object]) -> Client:
    """Return a client of an API that accepts a plan and then shows one state after another."""
    coming = iter(states)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(202, json=run("accepted"))
        return httpx.Response(200, json=next(coming))

    return client(answer)


def never(_doing: str, _part: float) -> None:
    pass


def alive() -> None:
    pass


def test_a_run_is_followed_to_its_end_and_its_progress_told() -> None:
    told: list[tuple[str, float]] = []
    done = api(run("running"), run("released", result={"rows": []})).carry_out(
        "/q", {}, lambda doing, part: told.append((doing, part)), alive=alive
    )
    assert released(done, "question")["result"] == {"rows": []}
    assert told == [("it is accepted", 0.5), ("it is running", 0.5), ("it is released", 1.0)]


def test_a_run_that_was_answered_before_is_taken_at_once() -> None:
    done = client(lambda _request: httpx.Response(200, json=run("released")))
    assert released(done.carry_out("/q", {}, never, alive=alive), "question")["id"] == "1"


def test_a_problem_is_a_refusal() -> None:
    body = {"type": "urn:infosandbox:problem:purpose-not-open", "title": "No", "detail": "why"}
    answer = client(lambda _request: httpx.Response(403, json=body)).submit("/q", {})
    assert answer == Refusal(code="purpose-not-open", title="No", text="why")


def test_a_department_that_refuses_later_is_a_refusal_too() -> None:
    end = run("refused", refusal={"code": "DepartmentMissing", "text": "No answer from wealth"})
    answer = api(end).carry_out("/q", {}, never, alive=alive)
    assert refused(answer, "refused").code == "DepartmentMissing"


def test_a_refusal_where_an_answer_is_needed_breaks_the_story() -> None:
    with pytest.raises(StoryBroken, match=r"question\.toml.*why"):
        released(Refusal(code="c", title="t", text="why"), "question.toml")


def test_an_answer_where_a_refusal_is_needed_breaks_the_story() -> None:
    with pytest.raises(StoryBroken, match=r"refused\.toml"):
        refused(run("released"), "refused.toml")


def test_a_run_that_waits_for_people_is_not_waited_for() -> None:
    waiting = client(lambda _request: httpx.Response(202, json=run("waiting")))
    done = waiting.carry_out("/q", {}, never, alive=alive)
    assert not isinstance(done, Refusal)
    with pytest.raises(StoryBroken, match="waiting"):
        released(done, "question.toml")


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"<html>"])
def test_an_answer_that_is_no_problem_is_told_by_its_status(body: bytes) -> None:
    with pytest.raises(ApiRefused, match="502") as refused_:
        client(lambda _request: httpx.Response(502, content=body)).get("/q")
    assert refused_.value.status == 502


def test_a_problem_is_raised_with_its_code() -> None:
    body = {"type": "urn:infosandbox:problem:budget-exceeded", "title": "No", "detail": "why"}
    with pytest.raises(ApiRefused, match="why") as raised:
        client(lambda _request: httpx.Response(409, json=body)).post("/q", {})
    assert (raised.value.code, raised.value.status) == ("budget-exceeded", 409)


def test_a_federation_that_has_died_is_not_waited_for() -> None:
    def dead() -> None:
        raise DeploymentError

    with pytest.raises(DeploymentError):
        api(run("running")).carry_out("/q", {}, never, alive=dead)


def test_an_api_that_does_not_answer_is_a_typed_error() -> None:
    def broken(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("secret detail")

    with pytest.raises(ApiUnreachable, match="ConnectError"):
        client(broken).submit("/q", {})


def test_the_pool_of_a_purpose_is_found() -> None:
    pools = [{"pool": "firm"}, {"pool": "firm/insight", "spent_epsilon": 1.0}]
    found = client(lambda _request: httpx.Response(200, json=pools)).budget("insight")
    assert found["spent_epsilon"] == 1.0


def test_a_question_mark_in_a_path_keeps_what_follows_it() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=request.url.params.multi_items())

    asked = client(answer).get("/cubes/1/model?target=age&feature=sex&feature=education")
    assert asked == [["target", "age"], ["feature", "sex"], ["feature", "education"]]
