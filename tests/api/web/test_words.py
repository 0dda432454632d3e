import ast
from pathlib import Path

import federation
from api.web.words import STEPS, stepped


def steps_in(source: str) -> set[str]:
    """Return the texts that a module passes as a run's step, with numbers where it computes."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        told = node.value if isinstance(node, ast.keyword) and node.arg == "step" else None
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in (
            "step",
            "_TURN",
            "_APPROVAL",
        ):
            told = node.value
        if isinstance(told, ast.Constant) and isinstance(told.value, str):
            found.add(told.value)
        if isinstance(told, ast.JoinedStr):
            found.add(
                "".join(str(v.value) if isinstance(v, ast.Constant) else "7" for v in told.values)
            )
    return found


def test_every_step_of_a_run_has_its_words() -> None:
    folder = Path(next(iter(federation.__path__)))
    files = [*folder.glob("*_journey.py"), folder / "rounds.py", folder / "coordinator" / "runs.py"]
    steps = {step for file in files for step in steps_in(file.read_text(encoding="utf-8"))}
    assert len(steps) >= len(STEPS)
    for step in steps - {""}:
        told = stepped(step, "zh")
        assert told != step
        assert told.isascii() is False
        assert stepped(step, "en") == step


def test_a_step_of_another_version_stays_as_it_is() -> None:
    assert stepped("counting 3 sheep of 100 %", "zh") == "counting 3 sheep of 100 %"
