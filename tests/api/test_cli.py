"""The program as a shell sees it: exit codes, and one line instead of a traceback."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.cli.exits import Exit, exit_of
from api.cli.main import EPILOG, app
from api.demo.errors import ApiUnreachable, FolderInvalid, StateForeign, StoryBroken
from consent.errors import CatalogueError, Mistake
from federation.deployment.errors import AlreadyRunning, NotReady, PortInUse, ProcessEnded
from privacy.errors import LedgerBroken

HERE = Path()
CODES = [
    (FolderInvalid(HERE, "is wrong"), Exit.BAD_INPUT),
    (CatalogueError("c.toml", [Mistake("k", "p")]), Exit.BAD_INPUT),
    (LedgerBroken(3, "does not fit"), Exit.BAD_INPUT),
    (StoryBroken("question.toml", "budget-exceeded", "too much"), Exit.REFUSED),
    (ProcessEnded("api", 1, HERE), Exit.PROCESS_FAILED),
    (NotReady("api", 60, HERE), Exit.PROCESS_FAILED),
    (ApiUnreachable("ConnectError"), Exit.PROCESS_FAILED),
    (AlreadyRunning(HERE, 1), Exit.IN_USE),
    (PortInUse(80), Exit.IN_USE),
    (StateForeign(HERE), Exit.IN_USE),
]


@pytest.mark.parametrize(("error", "code"), CODES, ids=lambda x: type(x).__name__)
def test_an_error_has_its_exit_code(error: Exception, code: Exit) -> None:
    assert exit_of(error) is code


def test_every_exit_code_is_documented() -> None:
    assert all(f"{code.value} " in EPILOG for code in Exit)


@pytest.mark.parametrize("command", ["demo", "serve"])
def test_the_help_shows_the_exit_codes(command: str) -> None:
    shown = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    assert "4 a process failed" in shown.output


def infosandbox(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "api.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_a_wrong_folder_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    ended = infosandbox("demo", "--from", str(tmp_path / "no"), "--state", str(tmp_path / "state"))
    assert ended.returncode == Exit.BAD_INPUT
    assert "Traceback" not in ended.stderr
    assert ended.stderr.startswith("error: ")
    assert ended.stdout == ""
    assert not (tmp_path / "state").exists()


def test_a_foreign_state_is_exit_code_5_and_left_alone(tiny_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis").touch()
    ended = infosandbox("demo", "--from", str(tiny_folder), "--state", str(tmp_path / "mine"))
    assert ended.returncode == Exit.IN_USE
    assert (tmp_path / "mine" / "thesis").exists()


def test_an_api_without_its_files_does_not_start(tmp_path: Path) -> None:
    ended = infosandbox(
        "serve", "--coordinator", str(tmp_path / "no.toml"), "--tokens", str(tmp_path / "no.json")
    )
    assert ended.returncode == Exit.PROCESS_FAILED
    assert "no.json" in ended.stderr
