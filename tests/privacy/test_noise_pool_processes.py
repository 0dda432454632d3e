"""kill -9 at every file operation, a race and a fork: no draw of a pool ever comes out twice."""

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).with_name("pool_under_fire.py")


def under_fire(mode: str, home: Path) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, PROGRAM, mode, home], check=True, capture_output=True, text=True
    )
    report: dict[str, int] = json.loads(done.stdout)
    return report


def test_a_kill_before_any_file_operation_brings_no_draw_out_twice(tmp_path: Path) -> None:
    report = under_fire("crash", tmp_path)
    assert report["killed"] > 40
    assert report["drawn"] > 40 * 5000
    assert (report["twice"], report["failures"]) == (0, 0)


def test_a_pool_that_forgets_its_claims_at_a_crash_is_noticed(tmp_path: Path) -> None:
    assert under_fire("put-back", tmp_path)["twice"] > 0


def test_four_processes_on_one_pool_share_no_draw(tmp_path: Path) -> None:
    report = under_fire("race", tmp_path)
    assert report["drawn"] >= 5 * 3 * 5000
    assert (report["twice"], report["failures"]) == (0, 0)


def test_a_fork_does_not_hand_its_parents_draws_out_again(tmp_path: Path) -> None:
    report = under_fire("fork", tmp_path)
    assert report["drawn"] >= 5 * 5000
    assert (report["twice"], report["failures"]) == (0, 0)
