"""Noise at rest: opened once whatever crashes, and never if anyone touched it."""

import shutil
import struct
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from privacy.errors import NoisePoolRefused
from privacy.lattice import IntVector
from privacy.noise_blocks import BLOCK, SETTLED_NS, NoiseBlocks

KEY = bytes(range(32))
SIGMA = 9
DRAWS = np.arange(BLOCK, dtype=np.int64) - 7
INDEX_HEADER = 32


def blocks_in(
    folder: Path, *, key: bytes = KEY, clock: Callable[[], int] = time.time_ns
) -> NoiseBlocks:
    return NoiseBlocks(folder=folder, key=key, clock=clock)


@pytest.fixture
def blocks(tmp_path: Path) -> NoiseBlocks:
    """Store two blocks of one sigma and one of another."""
    blocks = blocks_in(tmp_path / "noise")
    for number in range(2):
        blocks.store(SIGMA, DRAWS + number * BLOCK)
    blocks.store(SIGMA + 1, DRAWS - BLOCK)
    return blocks


def files(blocks: NoiseBlocks, sigma: int = SIGMA) -> list[Path]:
    return sorted(blocks.folder.glob(f"{sigma}-*.noise"))


def claimed(blocks: NoiseBlocks, count: int = 9) -> tuple[IntVector, int]:
    found = blocks.claim(SIGMA, count)
    return found.noise, found.refused


def test_blocks_come_back_once_oldest_first_and_leave_the_disk(blocks: NoiseBlocks) -> None:
    assert claimed(blocks, 1)[0].tolist() == DRAWS.tolist()
    assert claimed(blocks)[0].tolist() == (DRAWS + BLOCK).tolist()
    noise, refused = claimed(blocks)
    assert (noise.size, refused) == (0, 0)
    assert dict(blocks.stored()) == {SIGMA + 1: 1}


def test_negative_and_large_draws_survive(tmp_path: Path) -> None:
    blocks = blocks_in(tmp_path)
    extreme = np.resize(np.array([-(2**62), 2**62, 0, -1], np.int64), BLOCK)
    blocks.store(SIGMA, extreme)
    assert claimed(blocks)[0].tolist() == extreme.tolist()


def test_an_empty_pool_claims_nothing_and_makes_no_folder(tmp_path: Path) -> None:
    blocks = blocks_in(tmp_path / "none")
    blocks.check()
    assert claimed(blocks)[0].size == 0
    assert not blocks.folder.exists()


def test_nothing_on_disk_is_readable_by_others_or_shows_a_draw(blocks: NoiseBlocks) -> None:
    assert blocks.folder.stat().st_mode & 0o777 == 0o700
    for path in blocks.folder.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        assert DRAWS[:2].tobytes() not in path.read_bytes()
    assert "key" not in repr(blocks)


def altered(place: int) -> Callable[[Path], None]:
    def alter(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[place] ^= 1
        path.write_bytes(data)

    return alter


def cut(size: int) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(path.read_bytes()[:size])


def longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def swapped(path: Path) -> None:
    """Put a wider or narrower sigma's block in this one's place."""
    (path.parent / f"{SIGMA + 1}-3.noise").rename(path)


def of_another_pool(path: Path) -> None:
    """Put in a block of the same number and key from a pool with another name."""
    other = blocks_in(path.parents[1] / "other")
    other.store(SIGMA, DRAWS)
    files(other)[0].rename(path)


FAULTS: dict[str, Callable[[Path], None]] = {
    "time of writing": altered(0),
    "nonce": altered(8),
    "first draw": altered(20),
    "a draw in the middle": altered(4000),
    "tag": altered(-1),
    "nothing left": cut(0),
    "no nonce": cut(10),
    "no draws": cut(20),
    "no tag": cut(-16),
    "cut": cut(-1),
    "longer": longer,
    "another sigma": swapped,
    "another pool": of_another_pool,
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_block_that_was_touched_is_refused_and_used_up(
    blocks: NoiseBlocks, fault: Callable[[Path], None]
) -> None:
    fault(files(blocks)[0])
    noise, refused = claimed(blocks)
    assert noise.tolist() == (DRAWS + BLOCK).tolist()
    assert refused == 1
    assert not files(blocks)


def test_another_key_is_refused_before_anything_is_opened(blocks: NoiseBlocks) -> None:
    stranger = blocks_in(blocks.folder, key=bytes(32))
    for ask in (stranger.check, lambda: claimed(stranger), lambda: stranger.store(SIGMA, DRAWS)):
        with pytest.raises(NoisePoolRefused, match="another key"):
            ask()
    assert claimed(blocks)[0].size == 2 * BLOCK


@pytest.mark.parametrize("place", [0, 15, 16, 31])
def test_an_index_with_another_name_or_proof_is_refused(blocks: NoiseBlocks, place: int) -> None:
    altered(place)(blocks.folder / "index")
    with pytest.raises(NoisePoolRefused, match="altered"):
        blocks.check()


@pytest.mark.parametrize("size", [None, 0, 31])
def test_a_lost_index_makes_every_block_unreadable(blocks: NoiseBlocks, size: int | None) -> None:
    index = blocks.folder / "index"
    if size is None:
        index.unlink()
    else:
        cut(size)(index)
    noise, refused = claimed(blocks)
    assert (noise.size, refused) == (0, 2)
    blocks.store(SIGMA, DRAWS)
    assert claimed(blocks)[0].tolist() == DRAWS.tolist()


def test_a_claim_that_a_crash_tore_off_is_cut_and_the_next_one_holds(blocks: NoiseBlocks) -> None:
    index = blocks.folder / "index"
    index.write_bytes(index.read_bytes() + b"\0\0\0")
    assert claimed(blocks, 1)[0].tolist() == DRAWS.tolist()
    assert index.read_bytes()[INDEX_HEADER:] == struct.pack(">QQ", SIGMA, 1)
    assert claimed(blocks)[0].tolist() == (DRAWS + BLOCK).tolist()


def test_a_used_block_that_is_put_back_is_removed_and_not_opened(blocks: NoiseBlocks) -> None:
    path = files(blocks)[0]
    kept = path.read_bytes()
    claimed(blocks, 1)
    path.write_bytes(kept)
    assert claimed(blocks)[0].tolist() == (DRAWS + BLOCK).tolist()
    assert not path.exists()


def test_numbers_never_come_back_after_the_last_block_is_used(blocks: NoiseBlocks) -> None:
    claimed(blocks)
    blocks.store(SIGMA, DRAWS)
    assert [path.name for path in files(blocks)] == [f"{SIGMA}-4.noise"]


def an_hour_ago() -> int:
    return time.time_ns() - 60 * SETTLED_NS


def test_a_folder_that_was_restored_later_gives_nothing(tmp_path: Path) -> None:
    blocks = blocks_in(tmp_path / "noise", clock=an_hour_ago)
    blocks.store(SIGMA, DRAWS)
    shutil.copytree(blocks.folder, tmp_path / "restored")
    noise, refused = claimed(blocks_in(tmp_path / "restored"))
    assert (noise.size, refused) == (0, 1)


def test_within_its_first_minute_a_copy_cannot_be_told_apart(blocks: NoiseBlocks) -> None:
    copy = blocks.folder.with_name("copy")
    shutil.copytree(blocks.folder, copy)
    assert claimed(blocks)[0].tolist() == claimed(blocks_in(copy))[0].tolist()


def test_a_disk_that_takes_no_mark_opens_nothing(blocks: NoiseBlocks) -> None:
    index = blocks.folder / "index"
    index.unlink()
    index.mkdir()
    with pytest.raises(OSError, match="directory"):
        claimed(blocks)
    assert len(files(blocks)) == 2
