"""The pool of a node: used by every leg, filled only when nobody asks, and never in the way."""

import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from federation import layout
from federation.node.answer import answer
from federation.node.log import open_log
from federation.node.node import open_node
from federation.node.refill import Refill
from federation.node.settings import load_settings
from federation.question_journey import ask_question
from federation.rounds import drive
from federation.training_journey import train_model
from privacy.errors import NoisePoolRefused
from privacy.mechanisms import draw_noise
from privacy.noise_blocks import BLOCK
from privacy.noise_pool import NoisePool

NOW = 1_800_000_000
PATIENCE = 60.0


def test_a_question_and_a_training_take_their_noise_from_the_pool(firm: Any) -> None:
    pool = firm.nodes["risk"].refill.pool
    plans = (firm.plan(), firm.plan(kind="training"))
    journeys = (ask_question, train_model)
    for plan, journey in zip(plans, journeys, strict=True):
        drive(journey(firm.brief(plan)), firm.exchange)
        asked = pool.fill().online
        while pool.refill():
            pass
        drive(journey(firm.brief(plan, attempt=1)), firm.exchange)
        assert pool.fill().online == asked
    assert pool.fill().used == asked
    assert pool.fill().failures == 0


def test_the_noise_that_is_added_is_the_noise_that_was_drawn(firm: Any) -> None:
    firm.levels = dict.fromkeys(firm.levels, 0)
    drawn: list[Any] = []

    def noise(sigma: int, size: int) -> Any:
        drawn.append(draw_noise(sigma, size))
        return drawn[-1]

    firm.nodes = {name: replace(node, noise=noise) for name, node in firm.nodes.items()}
    plan = firm.plan()
    (count,) = drive(ask_question(firm.brief(plan)), firm.exchange)
    scale = layout.question_blocks(plan, firm.catalogue)[0].scale
    assert len(drawn) == 3
    assert np.array_equal(count.values * scale, sum(drawn))


def settings_of(firm: Any, department: str) -> Any:
    return load_settings(firm.folder / department / "node.toml")


def test_no_department_opens_anothers_pool(firm: Any) -> None:
    pool = firm.nodes["risk"].refill.pool
    pool.draw(8, 1)
    assert pool.refill()
    settings_of(firm, "risk").noise.rename(settings_of(firm, "research").noise)
    with pytest.raises(NoisePoolRefused):
        open_node(settings_of(firm, "research"), now=datetime.fromtimestamp(NOW, UTC))


def test_a_worker_that_comes_back_finds_its_pool(firm: Any) -> None:
    pool = firm.nodes["risk"].refill.pool
    pool.draw(8, 1)
    assert pool.refill()
    assert firm.open("risk").refill.pool.fill().left == {8: BLOCK}


def test_opening_and_asking_starts_no_thread_and_writes_no_noise(firm: Any) -> None:
    threads = threading.active_count()
    firm.open("risk")
    drive(ask_question(firm.brief(firm.plan())), firm.exchange)
    assert threading.active_count() == threads
    assert not settings_of(firm, "risk").noise.exists()


class Filling:
    """Stands for a pool: counts what is asked of it, and lacks so many blocks."""

    def __init__(self, lacking: int = 0, refuses: Exception | None = None) -> None:
        self.lacking = lacking
        self.refuses = refuses
        self.asked = threading.Semaphore(0)

    def refill(self) -> bool:
        self.asked.release()
        if self.refuses:
            raise self.refuses
        self.lacking -= 1
        return self.lacking >= 0

    def fill(self) -> Any:
        return NoisePool(Path("nowhere"), bytes(32), online=draw_noise).fill()


def refill_of(pool: Any, folder: Path, idle_seconds: float) -> Refill:
    return Refill(pool, open_log(folder / "node.log"), idle_seconds=idle_seconds)


def test_the_pool_is_filled_after_a_leg_until_nothing_lacks(tmp_path: Path) -> None:
    pool = Filling(lacking=3)
    refill = refill_of(pool, tmp_path, 0.01)
    refill.start()
    for _ in range(2):
        with refill.held_off():
            pool.lacking = 3
        assert all(pool.asked.acquire(timeout=PATIENCE) for _ in range(4))
    with refill.held_off():
        pass
    assert pool.asked.acquire(timeout=PATIENCE)
    assert (tmp_path / "node.log").read_text().count("noise pool filled") == 2


@pytest.mark.parametrize(("idle_seconds", "legs"), [(0.0, 1), (1e6, 0)])
def test_nothing_begins_during_a_leg_nor_until_the_node_is_idle(
    tmp_path: Path, idle_seconds: float, legs: int
) -> None:
    refill = refill_of(Filling(), tmp_path, idle_seconds)
    with refill.held_off():
        pass
    waiting = threading.Thread(target=refill._wait_until_idle, daemon=True)
    refill._legs += legs
    waiting.start()
    waiting.join(timeout=0.2)
    assert waiting.is_alive()


def test_a_pool_nobody_asked_for_is_left_alone(tmp_path: Path) -> None:
    pool = Filling(lacking=1)
    refill_of(pool, tmp_path, 0.0).start()
    assert not pool.asked.acquire(timeout=0.2)


@pytest.mark.parametrize("refusal", [NoisePoolRefused("was altered"), OSError(28, "full")])
def test_a_pool_that_refuses_stops_the_filling_and_says_so(
    tmp_path: Path, refusal: Exception
) -> None:
    pool = Filling(refuses=refusal)
    refill = refill_of(pool, tmp_path, 0.0)
    thread = refill.start()
    with refill.held_off():
        pass
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert type(refusal).__name__ in (tmp_path / "node.log").read_text()


def test_a_leg_is_answered_whatever_became_of_the_pool(firm: Any) -> None:
    node = firm.nodes["risk"]
    node.refill.pool.draw(8, 1)
    assert node.refill.pool.refill()
    folder = settings_of(firm, "risk").noise
    (folder / "index").write_bytes(bytes(40))
    for block in folder.glob("*.noise"):
        block.write_bytes(b"")
    said = answer(node, firm.ask(firm.plan(owned=False), "sum", "risk"), NOW)
    assert said.code == "ok"
