"""The node's own door: the department alone comes in, and no client's name or value comes out."""

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from api.logs import json_log
from api.node.app import create_node_app
from api.node.settings import DoorSettings
from federation.training_layout import architecture_of
from models.architectures import size
from models.files import save

BASE = "http://127.0.0.1"
ROUTES = ("/contract", "/epoch", "/journal", "/noise-pool", "/limits")
ACTS = ("/score", "/explain", "/stop", "/start")
CANARY = "CANARY-77"
LEAKY = 8888.5

Door = Callable[[], TestClient]


@pytest.fixture
def written() -> io.StringIO:
    """Return where the door's log goes."""
    return io.StringIO()


@pytest.fixture
def served(home: Any, written: io.StringIO) -> Iterator[TestClient]:
    """Open the door of a node with a planted client, and a model to score with."""
    rows = {client: dict(row) for client, row in home.firm.rows["risk"].items()}
    rows[CANARY] = {"age": 44, "education": "other", "income": LEAKY, "defaulted": True}
    home.firm.write("risk", rows)
    home.firm.levels[CANARY] = 1
    home.firm.epoch += 1
    home.consent()
    plan = home.firm.plan(
        kind="training", target="defaulted", features=("age", "income"), rounds=2, local_steps=5
    )
    shape = architecture_of(plan, home.firm.catalogue)
    file = home.firm.folder / "model.safetensors"
    save(file, shape, np.linspace(-1.0, 1.5, size(shape)))
    settings = DoorSettings(node=home.toml, model=file, plan=home.plan(plan))
    app = create_node_app(settings, log=json_log(written))
    with TestClient(app, base_url=BASE) as client:
        yield client


@pytest.fixture
def token(served: TestClient, home: Any) -> str:
    """Return what the token file holds."""
    assert served
    return str((home.state / "door.token").read_text())


@pytest.fixture
def program(served: TestClient, token: str) -> TestClient:
    """Return a program that sends the token."""
    served.headers["Authorization"] = f"Bearer {token}"
    return served


@pytest.fixture
def browser(served: TestClient, token: str) -> TestClient:
    """Return a browser that is signed in."""
    assert served.post("/sign-in", data={"token": token}).status_code == 200
    return served


def test_nobody_comes_in_without_the_token(served: TestClient, home: Any) -> None:
    for route in ROUTES:
        assert served.get(route).status_code == 401
    for act in ACTS:
        assert served.post(act, json={"client_id": "x"}).status_code == 401
    wrong = {"Authorization": "Bearer nonsense"}
    assert served.get("/contract", headers=wrong).status_code == 401
    assert served.get("/contract", cookies={"node-session": "99999999999.00"}).status_code == 401
    assert served.post("/sign-in", data={"token": "nonsense"}).status_code == 401
    assert "Data contract" not in served.get("/").text
    assert (home.state / "door.token").stat().st_mode & 0o777 == 0o600
    assert not (home.state / "stopped").exists()


def test_every_route_of_the_api_asks_who_is_there(served: TestClient) -> None:
    paths = served.get("/openapi.json").json()["paths"]
    assert set(paths) == {*ROUTES, *ACTS}


def test_every_route_is_on_the_departments_page_and_no_other(served: TestClient) -> None:
    page = (Path(__file__).parents[3] / "docs" / "node.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `((?:GET|POST) /[^`]*)` \|", page, re.MULTILINE))
    paths = served.get("/openapi.json").json()["paths"]
    assert named == {f"{method.upper()} {p}" for p, item in paths.items() for method in item}


def test_it_shows_the_contract_the_epoch_the_journal_the_noise_and_the_limits(
    program: TestClient, home: Any
) -> None:
    contract = program.get("/contract").json()
    assert contract["department"] == "risk"
    assert {f["name"]: f["held"] for f in contract["fields"]}["income"] is True
    assert "read_parquet" in contract["view"]
    epoch = program.get("/epoch").json()
    assert epoch["current"] is True
    assert epoch["epoch"] == home.firm.epoch
    assert epoch["age_s"] < 60
    assert program.get("/noise-pool").json() == {"left": {}, "draws": 0}
    root, review = program.get("/limits").json()
    assert (root["purpose"], review["purpose"]) == (None, "review")
    assert root["lifetime"]["budget_epsilon"] == pytest.approx(100, rel=1e-3)
    assert root["left_rho"] == root["budget_rho"]


def test_the_journal_comes_in_pages_newest_first(program: TestClient, home: Any) -> None:
    for _ in range(3):
        home.consent()
    first = program.get("/journal", params={"limit": 2}).json()
    numbers = [one["number"] for one in first["departures"]]
    assert numbers == sorted(numbers, reverse=True)
    rest = program.get("/journal", params={"limit": 200, "before": first["next"]}).json()
    assert rest["next"] is None
    everything = numbers + [one["number"] for one in rest["departures"]]
    assert everything == list(range(len(everything), 0, -1))
    assert {one["leg"] for one in rest["departures"]} == {"tokens"}


def test_a_client_is_scored_and_explained(program: TestClient, home: Any) -> None:
    client = next(c for c in home.firm.rows["risk"] if home.firm.levels[c] == 4)
    score = program.post("/score", json={"client_id": client}).json()["scores"]["probability"]
    why = program.post("/explain", json={"client_id": client}).json()
    assert why["scores"]["probability"] == score
    assert {share["name"] for share in why["shares"]} == {"age", "income"}


def test_no_name_or_value_of_a_client_is_in_a_refusal_or_in_a_log(
    program: TestClient, home: Any, written: io.StringIO
) -> None:
    answers = [
        program.post(act, json=body)
        for act in ("/score", "/explain")
        for body in ({"client_id": CANARY}, {"client_id": CANARY, "x": CANARY}, {"x": CANARY})
    ]
    answers.append(program.get(f"/{CANARY}"))
    answers.append(program.get("/journal", params={"before": CANARY}))
    assert {a.status_code for a in answers} == {403, 404, 422}
    home.firm.folder.joinpath("risk/view.sql").write_text(f"SELECT '{CANARY}' AS {CANARY}")
    broken = program.post("/score", json={"client_id": CANARY})
    assert broken.status_code == 503
    texts = [a.text for a in (*answers, broken)]
    texts += [written.getvalue(), (home.state / "node.log").read_text()]
    for text in texts:
        assert CANARY not in text
        assert str(LEAKY) not in text


def test_the_canary_would_be_seen(program: TestClient, home: Any) -> None:
    home.firm.levels[CANARY] = 4
    home.firm.epoch += 1
    home.consent()
    assert str(LEAKY) in program.post("/explain", json={"client_id": CANARY}).text


def test_the_switch_stops_the_node_and_starts_it_again(program: TestClient, home: Any) -> None:
    assert program.post("/stop").json() == {"stopped": True}
    with pytest.raises(AssertionError, match="node_stopped"):
        home.consent()
    assert program.get("/contract").json()["stopped"] is True
    assert program.post("/start").json() == {"stopped": False}
    home.consent()


def test_the_page_shows_everything_and_turns_the_switch(browser: TestClient, home: Any) -> None:
    shown = browser.get("/").text
    for part in ("Data contract", "Own limits", "Everything that left", "Stop the node", "tokens"):
        assert part in shown
    assert CANARY not in shown
    form = shown.split('name="form_token" value="')[1].split('"')[0]
    stopped = browser.post("/switch", data={"to": "stop", "form_token": form})
    assert "Start the node again" in stopped.text
    assert (home.state / "stopped").exists()
    browser.post("/switch", data={"to": "start", "form_token": form})
    assert not (home.state / "stopped").exists()


def test_the_page_is_chinese_too_and_has_a_strict_policy(browser: TestClient) -> None:
    shown = browser.get("/", headers={"Accept-Language": "zh"})
    for part in ("数据契约", "停止节点", "离开节点的一切"):
        assert part in shown.text
    policy = shown.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "<script>" not in shown.text
    assert "style=" not in shown.text


def test_another_sites_form_and_another_name_of_this_machine_do_nothing(
    browser: TestClient, home: Any, token: str
) -> None:
    foreign = {"Sec-Fetch-Site": "cross-site"}
    form = browser.get("/").text.split('name="form_token" value="')[1].split('"')[0]
    told = {"to": "stop", "form_token": form}
    assert browser.post("/switch", data=told, headers=foreign).status_code == 403
    assert browser.post("/switch", data=told | {"form_token": "x"}).status_code == 403
    assert browser.post("/stop", headers=foreign).status_code == 403
    sent = {"token": token}
    assert browser.post("/sign-in", data=sent, headers=foreign).status_code == 403
    assert browser.get("/contract", headers={"Host": "evil.example"}).status_code == 400
    assert not (home.state / "stopped").exists()


def test_a_new_token_ends_every_session(browser: TestClient, token: str) -> None:
    assert browser.get("/contract").status_code == 200
    browser.app.state.token = token[::-1]  # type: ignore[attr-defined]
    assert browser.get("/contract").status_code == 401


def test_without_a_model_it_says_so(home: Any) -> None:
    with TestClient(create_node_app(DoorSettings(node=home.toml)), base_url=BASE) as client:
        client.headers["Authorization"] = f"Bearer {(home.state / 'door.token').read_text()}"
        answer = client.post("/score", json={"client_id": "x"})
    assert (answer.status_code, answer.json()["type"][-16:]) == (404, ":no-model-served")


def test_beyond_loopback_it_needs_tls(home: Any) -> None:
    assert home.call("serve", "--host", "192.0.2.1").exit_code == 2
    missing = Path("missing.pem")
    refused = home.call("serve", "--certificate", missing, "--private-key", missing)
    assert "missing.pem" in str(refused.exception)
    assert home.call("serve", "--model", "m").exit_code == 2
