"""The program as a shell sees it: exit codes, and one line instead of a traceback."""

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.cli.exits import Exit, exit_of
from api.cli.main import EPILOG, app, main
from api.demo.errors import FolderInvalid, StateForeign, StoryBroken
from api.errors import ApiRefused, ApiUnreachable, InputInvalid
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
    (ApiRefused(503, "ledger-broken", "no"), Exit.PROCESS_FAILED),
    (ApiRefused(409, "budget-exceeded", "no"), Exit.REFUSED),
    (ApiRefused(403, "not-allowed", "no"), Exit.REFUSED),
    (ApiRefused(422, "plan-invalid", "no"), Exit.BAD_INPUT),
    (InputInvalid(HERE, "is no TOML"), Exit.BAD_INPUT),
    (AlreadyRunning(HERE, 1), Exit.IN_USE),
    (PortInUse(80), Exit.IN_USE),
    (StateForeign(HERE), Exit.IN_USE),
]


@pytest.mark.parametrize(("error", "code"), CODES, ids=lambda x: type(x).__name__)
def test_an_error_has_its_exit_code(error: Exception, code: Exit) -> None:
    assert exit_of(error) is code


def test_every_exit_code_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")
    assert all(f"{code.value} " in EPILOG for code in Exit)
    assert EPILOG.removeprefix("Exit codes: ") in page


@pytest.mark.parametrize("command", ["demo", "serve", "people close", "client level"])
def test_the_help_shows_the_exit_codes(command: str) -> None:
    shown = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    assert "4 a process failed" in shown.output


def infosandbox(patch: pytest.MonkeyPatch, *arguments: str) -> object:
    """Run the program in this process and return its exit code."""
    patch.setattr(sys, "argv", ["infosandbox", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def test_a_wrong_folder_is_one_line_and_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state"
    code = infosandbox(monkeypatch, "demo", "--from", str(tmp_path / "no"), "--state", str(state))
    told = capsys.readouterr()
    assert code == Exit.BAD_INPUT
    assert told.err.startswith("error: ")
    assert "--from" in told.err
    assert told.out == ""
    assert not state.exists()


def test_a_foreign_state_is_exit_code_5_and_left_alone(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis").touch()
    code = infosandbox(monkeypatch, "demo", "--from", str(tiny_folder), "--state", str(mine))
    assert code == Exit.IN_USE
    assert (mine / "thesis").exists()


def test_an_api_without_its_files_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = ["--coordinator", str(tmp_path / "no.toml"), "--tokens", str(tmp_path / "no.json")]
    assert infosandbox(monkeypatch, "serve", *places) == Exit.PROCESS_FAILED


def test_an_unknown_option_is_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    assert infosandbox(monkeypatch, "demo", "--no-noise") == Exit.BAD_INPUT
