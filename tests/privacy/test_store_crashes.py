"""kill -9 at every step of every act: what was in flight is spent, what was told is kept."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).with_name("ledger_under_fire.py")
ACTS = {"reserve", "commit", "abandon", "change", "decide", "repair"}


def under_fire(url: str, head: Path, kind: str) -> dict[str, Any]:
    """Try a ledger on an empty database; return the counts and what was wrong."""
    done = subprocess.run(
        [sys.executable, PROGRAM, url, head, kind], check=True, capture_output=True, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_killed_at_any_step_a_ledger_loses_nothing_and_charges_once(
    url: str, tmp_path: Path
) -> None:
    found = under_fire(url, tmp_path / "ledger.head", "honest")
    assert found["wrong"] == ""
    assert found["counts"].keys() == ACTS
    for counts in found["counts"].values():
        assert counts["killed"] > 7
        assert counts["killed after it told"] > 1


@pytest.mark.parametrize("saboteur", ["in two steps", "tells first"])
def test_a_saboteur_is_caught_by_the_same_deaths(tmp_path: Path, saboteur: str) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    assert under_fire(url, tmp_path / "ledger.head", saboteur)["wrong"]
