"""The pool: what it stocks, that no draw comes out twice, and that it never stops a plan."""

import secrets
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from privacy.errors import NoisePoolRefused
from privacy.lattice import IntVector
from privacy.noise_blocks import BLOCK
from privacy.noise_pool import LARGEST, LARGEST_CLASS, Fill, NoisePool

KEY = bytes(range(32))


@dataclass(slots=True)
class Numbered:
    """A sampler whose draws are all different, so that a draw used twice is seen."""

    following: int = field(default_factory=lambda: secrets.randbelow(2**40) << 22)
    calls: list[tuple[int, int]] = field(default_factory=list)

    def __call__(self, sigma: int, size: int) -> IntVector:
        self.calls.append((sigma, size))
        self.following += size
        return np.arange(self.following - size, self.following, dtype=np.int64)


def all_once(draws: Iterable[IntVector]) -> bool:
    everything = np.concatenate([np.zeros(0, np.int64), *draws])
    return np.unique(everything).size == everything.size


@pytest.fixture
def online() -> Numbered:
    return Numbered()


@pytest.fixture
def pool(tmp_path: Path, online: Numbered) -> NoisePool:
    return NoisePool(tmp_path / "noise", KEY, online=online)


def filled(pool: NoisePool) -> int:
    blocks = 0
    while pool.refill():
        blocks += 1
    return blocks


def test_an_empty_pool_draws_at_once_and_stocks_what_was_asked(
    pool: NoisePool, online: Numbered
) -> None:
    assert not pool.refill()
    first = pool.draw(8, 5000)
    assert online.calls == [(8, 5000)]
    assert filled(pool) == 2
    assert pool.fill() == Fill(left={8: 8192}, drawn=8192, used=0, online=5000, failures=0)
    second = pool.draw(8, 5000)
    assert online.calls == [(8, 5000), (8, BLOCK), (8, BLOCK)]
    assert pool.fill() == Fill(left={8: 3192}, drawn=8192, used=5000, online=5000, failures=0)
    assert all_once([first, second])


def test_what_the_pool_lacks_is_drawn_at_once_behind_what_it_has(
    pool: NoisePool, online: Numbered
) -> None:
    pool.draw(8, 1)
    assert filled(pool) == 1
    drawn = pool.draw(8, 6000)
    assert drawn.tolist() == list(range(drawn[0], drawn[0] + 6000))
    assert online.calls[-1] == (8, 6000 - BLOCK)


def test_each_sigma_has_its_own_noise(pool: NoisePool, online: Numbered) -> None:
    pool.draw(8, 10)
    pool.draw(9, 10)
    filled(pool)
    stocked = {sigma: online.calls.count((sigma, BLOCK)) for sigma in (8, 9)}
    assert stocked == {8: 1, 9: 1}
    assert all_once([pool.draw(8, BLOCK), pool.draw(9, BLOCK)])
    assert online.calls[4:] == []


def test_the_sigma_that_lacks_most_is_drawn_first(pool: NoisePool, online: Numbered) -> None:
    pool.draw(8, 10)
    pool.draw(9, 3 * BLOCK)
    pool.draw(10, BLOCK)
    filled(pool)
    assert [sigma for sigma, _ in online.calls[3:]] == [9, 9, 9, 10, 8]


def test_a_pool_outlives_its_process_but_not_what_that_had_opened(
    pool: NoisePool, tmp_path: Path, online: Numbered
) -> None:
    pool.draw(8, 6 * BLOCK)
    filled(pool)
    first = pool.draw(8, 1)
    later = NoisePool(tmp_path / "noise", KEY, online=online)
    assert later.fill().left == {8: 2 * BLOCK}
    assert all_once([first, later.draw(8, 2 * BLOCK), pool.draw(8, 4 * BLOCK - 1)])
    assert later.fill().online == pool.fill().online - 6 * BLOCK == 0


def stocked(folder: Path, sigma: int, draws: int) -> None:
    """Put in files that look like blocks; the pool counts by name and opens them when asked."""
    folder.mkdir(mode=0o700, exist_ok=True)
    for number in range(1, draws // BLOCK + 1):
        (folder / f"{sigma}-{number}.noise").touch()


def test_one_sigma_is_stocked_up_to_its_public_limit(pool: NoisePool, tmp_path: Path) -> None:
    stocked(tmp_path / "noise", 8, LARGEST_CLASS - BLOCK + 1)
    pool._asked[8] = 5 * LARGEST_CLASS
    assert filled(pool) == 1


def test_a_full_pool_makes_room_by_what_nobody_asks_for(pool: NoisePool, tmp_path: Path) -> None:
    stocked(tmp_path / "noise", 9, LARGEST)
    pool.draw(8, 2 * BLOCK)
    assert filled(pool) == 2
    assert pool.fill().left == {8: 2 * BLOCK, 9: LARGEST - 2 * BLOCK}


def test_a_pool_full_of_what_is_asked_for_stops(pool: NoisePool, tmp_path: Path) -> None:
    stocked(tmp_path / "noise", 9, LARGEST)
    pool._asked |= {8: 5, 9: 5}
    assert not pool.refill()
    assert pool.fill().left == {9: LARGEST}


def test_a_damaged_pool_costs_its_noise_and_no_plan(pool: NoisePool, tmp_path: Path) -> None:
    pool.draw(8, 2 * BLOCK)
    filled(pool)
    next((tmp_path / "noise").glob("8-1.noise")).write_bytes(b"")
    assert pool.draw(8, 2 * BLOCK).size == 2 * BLOCK
    assert pool.fill() == Fill(left={}, drawn=2 * BLOCK, used=BLOCK, online=3 * BLOCK, failures=1)


def test_an_index_altered_under_a_running_node_costs_no_plan(
    pool: NoisePool, tmp_path: Path
) -> None:
    pool.draw(8, 1)
    filled(pool)
    (tmp_path / "noise" / "index").write_bytes(bytes(32))
    assert pool.draw(8, 10).size == 10
    pool.draw(8, BLOCK)
    assert (pool.fill().failures, pool.fill().online) == (2, 11 + BLOCK)
    with pytest.raises(NoisePoolRefused):
        pool.refill()


@pytest.mark.parametrize("name", ["8-999999999999999999.noise", "index"])
def test_an_absurd_number_ends_refilling(pool: NoisePool, tmp_path: Path, name: str) -> None:
    pool.draw(8, 3 * BLOCK)
    assert pool.refill()
    with (tmp_path / "noise" / name).open("ab") as file:
        file.write(bytes([255]) * 16)
    with pytest.raises(NoisePoolRefused, match="number that no node has drawn"):
        pool.refill()


def test_another_key_cannot_open_the_pool(pool: NoisePool, tmp_path: Path) -> None:
    pool.draw(8, 1)
    filled(pool)
    with pytest.raises(NoisePoolRefused):
        NoisePool(tmp_path / "noise", bytes(32), online=Numbered())


def test_threads_share_a_pool_without_sharing_a_draw(pool: NoisePool) -> None:
    pool.draw(8, 20 * BLOCK)

    def ask(turn: int) -> IntVector:
        if turn % 3 == 0:
            pool.refill()
        return pool.draw(8, 700 + turn)

    with ThreadPoolExecutor(4) as threads:
        draws = list(threads.map(ask, range(60)))
    assert [d.size for d in draws] == [700 + turn for turn in range(60)]
    assert all_once(draws)
    assert pool.fill().used > 0


class PoolMachine(RuleBasedStateMachine):
    """Two processes on one folder, in any order, each of which may die at any time."""

    home: Path
    put_back = False

    def __init__(self) -> None:
        super().__init__()
        self.folder = self.home / secrets.token_hex(8)
        self.online = Numbered()
        self.pools = [self.opened(), self.opened()]
        self.draws: list[IntVector] = []

    def opened(self) -> NoisePool:
        return NoisePool(self.folder, KEY, online=self.online)

    @rule(who=st.integers(0, 1), sigma=st.integers(8, 9), size=st.integers(1, 3 * BLOCK))
    def draw(self, who: int, sigma: int, size: int) -> None:
        kept = {path: path.read_bytes() for path in self.folder.glob("*") if self.put_back}
        drawn = self.pools[who].draw(sigma, size)
        assert drawn.size == size
        self.draws.append(drawn)
        for path, data in kept.items():
            path.write_bytes(data)

    @rule(who=st.integers(0, 1))
    def fill(self, who: int) -> None:
        filled(self.pools[who])

    @rule(who=st.integers(0, 1))
    def die(self, who: int) -> None:
        self.pools[who] = self.opened()

    @rule(torn=st.binary(min_size=1, max_size=15))
    def die_in_a_mark(self, torn: bytes) -> None:
        index = self.folder / "index"
        if index.exists() and index.stat().st_size % 16 == 0:  # the next to open it cuts a torn end
            with index.open("ab") as file:
                file.write(torn)

    @invariant()
    def no_draw_comes_out_twice(self) -> None:
        assert all_once(self.draws)


def run(home: Path, *, put_back: bool, examples: int) -> None:
    machine = type("Machine", (PoolMachine,), {"home": home, "put_back": put_back})
    rules = settings(max_examples=examples, stateful_step_count=40, phases=(Phase.generate,))
    run_state_machine_as_test(machine, settings=rules)


def test_no_order_and_no_death_brings_a_draw_out_twice(tmp_path: Path) -> None:
    run(tmp_path, put_back=False, examples=50)


def test_a_folder_that_is_put_back_at_once_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        run(tmp_path, put_back=True, examples=1000)
