"""The documentation is a program: examples run, and what a page names exists."""

import ast
import re
import runpy
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer

from api.cli.main import app as program
from api.demo.folder import DemoFolder, read_folder
from api.demo.tables import department_rows, register_rows
from api.monitor_schemas import MonitorRequest
from consent.catalogue import load_catalogue
from consent.decisions import check_fields
from consent.errors import PurposeNotOpen
from federation import plan_check
from federation.coordinator.protection import protected
from federation.coordinator.spelling import spelled
from federation.node import policy
from federation.plans import read_plan

ROOT = Path(__file__).parents[2]
ROOMS = ("api", "consent", "federation", "models", "privacy")
PAGES = sorted(
    path
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "demo" / "README.md"]
    if path.is_file()
)
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [
    (page, info.split(), body)
    for page in PAGES
    for info, body in FENCE.findall(page.read_text(encoding="utf-8"))
]


def page(name: str) -> str:
    """Read one page."""
    return (ROOT / name).read_text(encoding="utf-8")


EXAMPLES = [(file, body) for file, info, body in BLOCKS if info == ["python"]]


@pytest.mark.parametrize(
    ("file", "example"), EXAMPLES, ids=[f"{f.name}-{i}" for i, (f, _) in enumerate(EXAMPLES)]
)
def test_an_example_runs(file: Path, example: str, tmp_path: Path) -> None:
    script = tmp_path / f"{file.stem}.py"
    script.write_text(example, encoding="utf-8")
    runpy.run_path(str(script))


def test_there_are_examples_to_run() -> None:
    assert EXAMPLES


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_page_points_at_what_exists(file: Path) -> None:
    assert not list(dead_ends(file, file.read_text(encoding="utf-8")))


def test_a_dead_end_is_seen() -> None:
    planted = "[gone](docs/gone.md) and [lost](docs/api.md#nowhere) and `federation/gone.py`"
    assert len(list(dead_ends(ROOT / "README.md", planted))) == 3


def dead_ends(file: Path, text: str) -> Iterator[str]:
    """Say which links and which paths in back quotes lead nowhere."""
    prose = FENCE.sub("", text)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        place, _, anchor = target.partition("#")
        linked = (file.parent / place) if place else file
        if not target.startswith(("http:", "https:", "mailto:")) and (
            not linked.exists() or (anchor and anchor not in anchors(linked))
        ):
            yield target
    folders = "|".join((*ROOMS, "tests", "docs", "demo", "benchmarks", r"\.ci"))
    for path in re.findall(rf"`((?:{folders})/[\w./-]*)`", prose):
        if not (ROOT / path).exists():
            yield path


def anchors(file: Path) -> set[str]:
    """Return the anchors that a page's headings make."""
    headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.fixture
def folder(tmp_path: Path) -> DemoFolder:
    """Write the folder of docs/write-your-own-demo.md to disk and read it."""
    for file, info, body in BLOCKS:
        if file.name == "write-your-own-demo.md" and len(info) == 2:
            place = tmp_path / info[1]
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(body, encoding="utf-8")
    return read_folder(tmp_path)


def test_the_folder_of_the_page_can_be_read(folder: DemoFolder) -> None:
    for name, department in folder.departments.items():
        department_rows(name, department, folder.catalogue)
    assert len(register_rows(folder.register, folder.data)) == 4


def test_the_folder_of_the_page_asks_what_every_department_answers(folder: DemoFolder) -> None:
    catalogue = folder.catalogue
    given = {"catalogue": catalogue.digest(), "cohort": catalogue.departments, "rho": 0.1}
    for request in (folder.question, folder.training):
        asked = {k: v for k, v in request.request().items() if k != "epsilon"}
        plan = read_plan(protected(asked | given, catalogue))
        plan_check.check(plan, catalogue)
        for name, department in folder.departments.items():
            policy.check(plan, policy.load_policy(department.policy), department=name)


def test_the_folder_of_the_page_has_a_request_that_is_refused(folder: DemoFolder) -> None:
    catalogue, question, refused = folder.catalogue, folder.question, folder.refused
    check_fields(catalogue, [*question.by, "income"], question.purpose)
    with pytest.raises(PurposeNotOpen):
        check_fields(catalogue, ["debt"], refused.purpose)


def test_no_identifier_says_a_word_the_glossary_rules_out() -> None:
    ruled_out = {
        word
        for row in re.findall(r"^\| .* \| .* \| (.+) \|$", page("docs/glossary.md"), re.MULTILINE)
        for word in re.split(r"[, ]+", row.strip())
        if word and word not in ("not", "---")
    }
    assert ruled_out >= {"user", "customer"}
    said = {
        f"{file.relative_to(ROOT)}: {name}"
        for room in ROOMS
        for file in (ROOT / room).rglob("*.py")
        for name in _defined(file.read_text(encoding="utf-8"))
        if ruled_out & {word.lower() for word in re.findall(r"[A-Z]?[a-z]+", name)}
    }
    assert not said


def _defined(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg


Leaf = tuple[tuple[str, ...], click.Command]


def leaves(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """Yield every command under its whole name: ("log", "verify")."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, name))
        else:
            yield (*path, name), command


GROUP = typer.main.get_group(program)
COMMANDS = {
    " ".join(name): {option for parameter in command.params for option in parameter.opts}
    for name, command in leaves(GROUP)
}


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_command_that_a_page_shows_exists(file: Path) -> None:
    assert not unknown_commands(file.read_text(encoding="utf-8"))


def test_an_unknown_command_is_seen() -> None:
    assert unknown_commands("`infosandbox dance` or `infosandbox demo --twice`") == [
        "dance",
        "demo --twice",
    ]
    assert unknown_commands("`infosandbox log burn` or `infosandbox log verify --all`") == [
        "log burn",
        "log verify --all",
    ]


def unknown_commands(text: str) -> list[str]:
    """Say which commands and options that a page shows the program does not have."""
    found = []
    for name, rest in re.findall(r"(?m)(?:^|`)infosandbox ([a-z-]+)([^`\n]*)", text):
        if isinstance(GROUP.commands.get(name), click.Group):
            name = " ".join([name, *rest.split()[:1]])  # noqa: PLW2901 - a group's command
        if name not in COMMANDS:
            found.append(name)
        else:
            options = re.findall(r"--[a-z-]+", rest)
            found += [f"{name} {option}" for option in options if option not in COMMANDS[name]]
    return found


MAKEFILE = set(re.findall(r"^([a-z-]+):", page("Makefile"), re.MULTILINE))


def test_every_make_target_that_a_page_names_exists() -> None:
    named = {
        target
        for file in PAGES
        for target in re.findall(r"(?m)(?:^|`)make ([a-z-]+)", file.read_text(encoding="utf-8"))
    }
    assert named <= MAKEFILE
    assert {"demo", "test"} <= named


def test_the_version_of_the_changelog_is_the_project_s() -> None:
    version = tomllib.loads(page("pyproject.toml"))["project"]["version"]
    assert f"## [{version}]" in page("CHANGELOG.md")


@pytest.mark.parametrize("name", ["portfolio_watch", "preference_shift"])
def test_a_monitor_of_the_demo_can_be_watched(name: str) -> None:
    file = tomllib.loads(page(f"demo/{name}.toml"))
    asked = MonitorRequest.model_validate(file).question.request()
    catalogue = load_catalogue(ROOT / "demo" / "catalogue.toml")
    common = {"catalogue": catalogue.digest(), "cohort": catalogue.departments}
    plan = read_plan(spelled(asked, catalogue) | {"kind": "question"} | common)
    plan_check.check(plan, catalogue)
    check_fields(catalogue, plan.fields, plan.purpose)
