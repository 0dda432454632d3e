"""The whole demonstration, on the tiny folder and on its own, with real processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

pytestmark = pytest.mark.protocol

DEMO = Path(__file__).parents[2] / "demo"
STORY_S = 280.0


def command(folder: Path, state: Path, *more: str) -> list[str]:
    places = ["--from", str(folder), "--state", str(state)]
    return [sys.executable, "-m", "api.cli", "demo", *places, *more]


def mentioning(state: Path) -> set[int]:
    """Return the processes whose command line or environment names the state folder."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            if str(state).encode() in told:
                found.add(int(process.name))
    return found - {os.getpid()}


def wait_until(ready: object, *, seconds: float = STORY_S) -> None:
    deadline = time.monotonic() + seconds
    while not ready():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.1)


@contextmanager
def demo(folder: Path, state: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    """Start a demonstration that writes to state.out, and end it whatever happens."""
    with state.with_suffix(".out").open("w") as out:
        process = subprocess.Popen(
            command(folder, state, *more), stdout=out, stderr=subprocess.STDOUT, text=True
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_once_tells_the_story_and_leaves_one_json_object(tmp_path: Path) -> None:
    state = tmp_path / "state"
    ended = subprocess.run(
        command(DEMO, state, "--once", "--json"),
        capture_output=True,
        text=True,
        check=False,
        timeout=STORY_S,
    )
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert set(told) == {"question", "training", "cube", "refusal", "model", "seconds"}
    model = told["model"]
    assert (model["name"], model["version"]) == ("prefers_paying_in_full", 1)
    assert model["evaluation"]["clients"]["value"] > 0
    for language, words in (("en", "What sharing brought"), ("zh", "共享的收获")):
        assert words in Path(model["card"][language]).read_text(encoding="utf-8")
    cells = [row["cell"]["age"] for row in told["question"]["result"]["rows"]]
    assert len(cells) == 6
    assert told["question"]["label"]["privacy_unit"] == "client"
    training = told["training"]
    assert set(training["auc_alone"]) == {"advisory", "research", "risk"}
    assert training["auc_federated"] > 0.8
    assert training["auc_without_noise"] > 0.8
    assert training["epsilon"] == pytest.approx(2.0)
    assert told["cube"]["label"]["epsilon"] == pytest.approx(1.0)
    assert told["cube"]["auc"] > max(training["auc_alone"].values()), "what sharing brings"
    assert told["refusal"]["code"] == "purpose-not-open"
    assert set(told["seconds"]) > {"enroll", "start", "question", "training", "refusal", "total"}
    assert "OUTSIDE the sandbox" in ended.stderr
    assert mentioning(state) == set()


def test_it_stays_up_until_ctrl_c_and_then_leaves_no_process(
    tiny_folder: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    with demo(tiny_folder, state) as process:
        out = state.with_suffix(".out")
        wait_until(lambda: "Ctrl-C" in out.read_text() or process.poll() is not None)
        assert process.poll() is None, out.read_text()

        second = subprocess.run(
            command(tiny_folder, state), capture_output=True, text=True, check=False, timeout=60
        )
        assert second.returncode == 5
        assert str(process.pid) in second.stderr

        check_an_answer_is_free_until_consent_changes(state)

        assert len(mentioning(state)) > 5
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
        wait_until(lambda: mentioning(state) == set(), seconds=10)


def check_an_answer_is_free_until_consent_changes(state: Path) -> None:
    address = (state / "api" / "address").read_text()

    def caller(role: str) -> httpx.Client:
        token = (state / "api" / f"{role}.token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=address, headers=headers, timeout=30)

    with caller("analyst") as analyst, caller("steward") as steward:
        asked = [run for run in analyst.get("/api/v1/runs").json() if run["kind"] == "question"]
        first = analyst.get(f"/api/v1/runs/{asked[-1]['id']}").json()
        again = first["plan"] | {"reason": "the same once more"}
        del again["catalogue"]

        free = analyst.post("/api/v1/questions", json=again)
        assert free.status_code == 200
        assert free.json()["free"]
        assert free.json()["result"] == first["result"]

        steward.put("/api/v1/clients/c0001/level", json={"level": 0}).raise_for_status()
        anew = analyst.post("/api/v1/questions", json=again)
        assert anew.status_code == 202
        place = anew.headers["Location"]
        wait_until(lambda: analyst.get(place).json()["state"] in {"released", "refused"})
        run = analyst.get(place).json()
        assert run["state"] == "released", run["refusal"]
        assert run["label"]["consent_epoch"] == 401


def test_a_signal_in_the_middle_of_the_start_leaves_no_process(
    tiny_folder: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    with demo(tiny_folder, state, "--once") as process:
        wait_until(lambda: len(mentioning(state)) > 4 or process.poll() is not None)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 130
        wait_until(lambda: mentioning(state) == set(), seconds=10)
