"""House rules no linter knows: each a function of one file, and each bites on a planted example."""

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("api", "consent", "federation", "models", "privacy")
PYTHON = (*ROOMS, "benchmarks", "demo", "tests")
EVERYTHING = (*PYTHON, "docs", ".ci", "*")
TEXT = {".py", ".md", ".toml", ".txt", ".sql", ".svg", ".json", ".jsonl", ".yml", ".yaml", ""}

LONGEST_FILE = 300
HOMELESS = {"utils", "util", "helpers", "helper", "common", "constants", "misc"}
VAGUE = ("Manager", "Factory", "Helper", "Service", "Handler")

Finding = Iterator[str]


def short(_path: PurePosixPath, text: str) -> Finding:
    """One idea a file."""
    if (lines := text.count("\n")) > LONGEST_FILE:
        yield f"{lines} lines: two ideas share a room"


def homed(path: PurePosixPath, _text: str) -> Finding:
    """A homeless function is a missing noun."""
    if homeless := HOMELESS & {part.removesuffix(".py") for part in path.parts}:
        yield f"{min(homeless)} names no idea"


def plain_names(_path: PurePosixPath, text: str) -> Finding:
    """A class is named after what it is."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef) and node.name.endswith(VAGUE):
            yield f"class {node.name} does not say what it is"


def empty_packages(path: PurePosixPath, text: str) -> Finding:
    """Names are imported from the module that owns them."""
    if path.name == "__init__.py":
        body = ast.parse(text).body
        if path.parts[0] == "tests":
            yield "a package under tests/ shadows the room it tests"
        elif len(body) != 1 or ast.get_docstring(ast.parse(text)) is None:
            yield "holds something else than a docstring"


def absolute_imports(_path: PurePosixPath, text: str) -> Finding:
    """A name has one address."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.level > 0:
            yield f"line {node.lineno} imports relatively"


def safe_calls(_path: PurePosixPath, text: str) -> Finding:
    """No noise but OpenDP's, nothing unsafe to load, no open TLS."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        for name in _reached(node):
            if re.match(r"(numpy|np)\.random\b|pickle\b|yaml\.(load|unsafe_load)\b", name):
                yield f"line {node.lineno} reaches {name}"  # type: ignore[attr-defined]
        if isinstance(node, ast.keyword) and node.arg in ("verify", "insecure"):
            trusting = node.arg == "insecure"
            if isinstance(node.value, ast.Constant) and node.value.value is trusting:
                yield f"line {node.value.lineno} talks to whoever answers"


def _reached(node: ast.AST) -> Iterator[str]:
    """Say which dotted names a node imports or looks up."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute):
        yield ast.unparse(node)


def portable(_path: PurePosixPath, text: str) -> Finding:
    """Nothing names the machine it was written on, or the registry it installed from."""
    for number, line in enumerate(text.splitlines(), start=1):
        if re.search(r"(?<![\w./-])/(work|home|root|Users|mnt|srv)/\w", line):
            yield f"line {number} holds a path of one machine"
        if re.search(r"py[p]i\.|pythonhoste[d]|[-_]index-ur[l]|download\.pytorc[h]", line):
            yield f"line {number} names a package registry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule, the folders it holds in ("*": the files at the root), and a breach of it."""

    check: Callable[[PurePosixPath, str], Finding]
    folders: tuple[str, ...]
    suffixes: frozenset[str] = frozenset({".py"})
    breaches: tuple[tuple[str, str], ...]


RULES = {
    "short": Rule(check=short, folders=PYTHON, breaches=(("api/long.py", "x = 1\n" * 301),)),
    "homed": Rule(
        check=homed,
        folders=PYTHON,
        breaches=(("privacy/utils.py", ""), ("api/common/doors.py", "")),
    ),
    "plain names": Rule(
        check=plain_names,
        folders=PYTHON,
        breaches=tuple(("api/doors.py", f"class Door{word}:\n    pass\n") for word in VAGUE),
    ),
    "empty packages": Rule(
        check=empty_packages,
        folders=PYTHON,
        breaches=(
            ("api/__init__.py", '"""Doors."""\nfrom api.app import create_app\n'),
            ("api/__init__.py", ""),
            ("tests/api/__init__.py", '"""Tests."""\n'),
        ),
    ),
    "absolute imports": Rule(
        check=absolute_imports,
        folders=PYTHON,
        breaches=(("privacy/loss.py", "from . import units\n"),),
    ),
    "safe calls": Rule(
        check=safe_calls,
        folders=PYTHON,
        breaches=(
            ("models/train.py", "import numpy as np\nx = np.random.normal()\n"),
            ("models/train.py", "from numpy.random import default_rng\n"),
            ("models/train.py", "from numpy import random\n"),
            ("models/train.py", "import pickle\n"),
            ("consent/catalogue.py", "import yaml\nyaml.load(text)\n"),
            ("api/client.py", "httpx.get(url, verify=False)\n"),
            ("federation/link.py", "connect(address, insecure=True)\n"),
        ),
    ),
    "portable": Rule(
        check=portable,
        folders=EVERYTHING,
        suffixes=frozenset(TEXT),
        breaches=(
            ("README.md", "cd /" + "home/someone/infosandbox\n"),
            ("demo/paths.toml", 'data = "/' + 'work/data"\n'),
            ("constraints.txt", "--extra-index-" + "url https://registry.invalid/simple\n"),
            ("docs/install.md", "https://py" + "pi.org/simple\n"),
        ),
    ),
}


def files(rule: Rule) -> Iterator[Path]:
    """Find the files a rule holds for."""
    for folder in rule.folders:
        found = ROOT.glob("*") if folder == "*" else (ROOT / folder).rglob("*")
        for path in sorted(found):
            if path.is_file() and path.name != ".git" and path.suffix in rule.suffixes:
                yield path


@pytest.mark.parametrize("name", RULES)
def test_the_house_keeps_its_rule(name: str) -> None:
    rule = RULES[name]
    found = [
        f"{path.relative_to(ROOT)}: {finding}"
        for path in files(rule)
        for finding in rule.check(
            PurePosixPath(path.relative_to(ROOT).as_posix()), path.read_text(encoding="utf-8")
        )
    ]
    assert not found


@pytest.mark.parametrize(
    ("name", "path", "text"),
    [(name, path, text) for name, rule in RULES.items() for path, text in rule.breaches],
)
def test_a_planted_breach_is_caught(name: str, path: str, text: str) -> None:
    assert list(RULES[name].check(PurePosixPath(path), text))


@pytest.mark.parametrize("name", RULES)
def test_an_honest_file_is_spared(name: str) -> None:
    honest = '"""A room."""\n'
    assert not list(RULES[name].check(PurePosixPath("privacy/__init__.py"), honest))


WHERE = "from importlib.util import find_spec; import sys; print(find_spec(sys.argv[1]).origin)"


@pytest.mark.parametrize("room", ROOMS)
def test_the_five_names_are_ours(room: str, tmp_path: Path) -> None:
    assert Path(_origin(room, ["-I"], tmp_path)).is_relative_to(ROOT)


def test_a_foreign_room_would_be_seen(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "__init__.py").touch()
    assert not Path(_origin("models", [], tmp_path)).is_relative_to(ROOT)


def _origin(room: str, options: list[str], folder: Path) -> str:
    """Ask a fresh interpreter outside the repository where a room comes from."""
    command = [sys.executable, *options, "-c", WHERE, room]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()
