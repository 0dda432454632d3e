"""The seals: Permit, BoundedSum, NoisedShare and Release are made where they are minted only.

What Python cannot forbid, the syntax tree shows: a call of a seal, a seal handed to another call,
a class derived from one, and every way to copy a frozen value with changes or to skip __init__.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("api", "consent", "federation", "models", "privacy")
MINTS = {
    "Permit": "consent/decisions.py",
    "BoundedSum": "privacy/bounds.py",
    "NoisedShare": "privacy/mechanisms.py",
    "Release": "privacy/mechanisms.py",
}
ASKS_ONLY = {"isinstance", "issubclass"}
COPIES = {"dataclasses": {"replace"}, "copy": {"copy", "deepcopy", "replace"}}


def forgeries(path: str, source: str) -> list[str]:
    """Say where a file makes or copies a seal that it does not mint."""
    tree = ast.parse(source)
    foreign = {seal for seal, mint in MINTS.items() if mint != path}
    names = _names_of(tree, foreign)
    found = [
        *_made(tree, names),
        *_derived(tree, names),
        *_copied(tree),
        *_past_the_constructor(tree),
    ]
    return [f"{path}:{line}: {what}" for line, what in sorted(found)]


def _names_of(tree: ast.AST, seals: set[str]) -> set[str]:
    """Return every name under which a file may reach the seals, aliases and `x = Seal` included."""
    names = set(seals)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names |= {a.asname for a in node.names if a.asname and a.name in seals}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and _named(node.value) in names:
            names |= {t.id for t in node.targets if isinstance(t, ast.Name)}
    return names


def _named(node: ast.AST) -> str:
    """Return the last part of a dotted name."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _maker(function: ast.expr) -> str:
    """Return x of type(x) and of x.__class__; "self" makes a class of its own file only."""
    if isinstance(function, ast.Call) and _named(function.func) == "type" and function.args:
        return ast.unparse(function.args[0])
    if isinstance(function, ast.Attribute) and function.attr == "__class__":
        return ast.unparse(function.value)
    return ""


def _made(tree: ast.AST, names: set[str]) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or _named(node.func) in ASKS_ONLY:
            continue
        handed = [node.func, *node.args, *(k.value for k in node.keywords)]
        for seal in {_named(part) for part in handed} & names:
            yield node.lineno, f"{seal} is minted elsewhere"
        if _maker(node.func) not in ("", "self"):
            yield node.lineno, "type(x)(...) makes whatever x is"


def _derived(tree: ast.AST, names: set[str]) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and {_named(base) for base in node.bases} & names:
            yield node.lineno, f"{node.name} derives from a seal"


def _copied(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in COPIES:
            for alias in node.names:
                if alias.name in COPIES[node.module]:
                    yield node.lineno, f"{node.module}.{alias.name} could copy a seal"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = node.value.id
            if node.attr in COPIES.get(module, set()):
                yield node.lineno, f"{module}.{node.attr} could copy a seal"


def _past_the_constructor(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in ("__new__", "__replace__"):
            yield node.lineno, f"{node.attr} skips the mint"
        if isinstance(node, ast.Call) and _named(node.func) == "__setattr__":
            target = node.args[0] if node.args else node.func
            if not (isinstance(target, ast.Name) and target.id == "self"):
                yield node.lineno, "__setattr__ could change a seal"


def test_seals_are_made_where_they_are_minted_only() -> None:
    found = [
        forgery
        for room in ROOMS
        for file in sorted((ROOT / room).rglob("*.py"))
        for forgery in forgeries(file.relative_to(ROOT).as_posix(), file.read_text())
    ]
    assert not found


@pytest.mark.parametrize("seal", MINTS)
def test_a_seal_is_defined_and_made_in_its_mint(seal: str) -> None:
    source = (ROOT / MINTS[seal]).read_text()
    assert f"class {seal}:" in source
    assert any(f"{seal} is minted elsewhere" in f for f in forgeries("api/mint.py", source))


@pytest.mark.parametrize("seal", MINTS)
@pytest.mark.parametrize(
    "forgery",
    [
        "from mint import {seal}\nx = {seal}(values=1)",
        "from mint import {seal} as _Alias\nx = _Alias(values=1)",
        "import mint\nx = mint.{seal}(values=1)",
        "import mint\nmake = mint.{seal}\nx = make(values=1)",
        "from mint import {seal}\nx = partial({seal}, values=1)",
        "from mint import {seal}\nx = list(map({seal}, [1]))",
        "from mint import {seal}\nclass Mine({seal}):\n    pass",
        "from mint import {seal}\nx = object.__new__({seal})",
        "def f(x: '{seal}'): return type(x)(values=1)",
        "def f(x: '{seal}'): return x.__class__(values=1)",
        "from dataclasses import replace\ndef f(x: '{seal}'): return replace(x, values=1)",
        "import dataclasses\ndef f(x: '{seal}'): return dataclasses.replace(x, values=1)",
        "from copy import deepcopy\ndef f(x: '{seal}'): return deepcopy(x)",
        "import copy\ndef f(x: '{seal}'): return copy.copy(x)",
        "def f(x: '{seal}'): return x.__replace__(values=1)",
        "def f(x: '{seal}'): object.__setattr__(x, 'values', 1)",
    ],
)
def test_a_forged_seal_is_caught(seal: str, forgery: str) -> None:
    assert forgeries("api/planted.py", forgery.format(seal=seal))


def test_naming_a_seal_is_no_forgery() -> None:
    honest = (
        "from mint import Release\n"
        "class Columns:\n"
        "    def merged(self) -> 'Columns':\n"
        "        return type(self)()\n"
        "def show(release: Release) -> tuple[Release, ...]:\n"
        "    assert isinstance(release, Release)\n"
        "    return (release,)\n"
    )
    assert not forgeries("api/planted.py", honest)
