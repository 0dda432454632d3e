"""The reference pages are complete: what there is stands there, and nothing else does."""

import re
from pathlib import Path

import pytest
import typer
from pydantic import BaseModel

import api.settings
import federation.coordinator.policy
import federation.coordinator.settings
import federation.node.policy
import federation.node.settings
from api.app import create_app
from api.cli.main import app as program
from api.problems import TABLE
from consent.catalogue import Catalogue, Field
from federation.coordinator.labels import Facts, label
from federation.question_plan import Count, QuestionPlan
from privacy.loss import Delta
from tests.architecture.test_docs import leaves

ROOT = Path(__file__).parents[2]
ROOMS = ("api", "consent", "federation", "models", "privacy")


def page(name: str) -> str:
    """Read one page."""
    return (ROOT / name).read_text(encoding="utf-8")


def section(text: str, heading: str) -> str:
    """Return what stands under a heading, up to the next of the same depth."""
    _before, found, after = text.partition(f"\n## {heading}\n")
    assert found, f"no section {heading}"
    return after.partition("\n## ")[0]


ROUTES = {
    f"{method.upper()} {path}"
    for path, methods in create_app(
        api.settings.Settings(coordinator=Path("none"), tokens=Path("none"))
    )
    .openapi()["paths"]
    .items()
    for method in methods
}


def test_every_route_is_on_the_api_page_and_no_other() -> None:
    named = set(re.findall(r"`((?:GET|POST|PUT|PATCH|DELETE) /[^`]*)`", page("docs/api.md")))
    assert named - {"GET /api/v1/openapi.json"} == ROUTES


def test_every_problem_is_on_the_api_page_under_its_status() -> None:
    rows = dict(re.findall(r"^\| (\d{3}) \| (.*) \|$", page("docs/api.md"), re.MULTILINE))
    told = {(int(status), slug) for status, line in rows.items() for slug in _quoted(line)}
    kinds = {(kind.status.value, kind.slug) for kind in TABLE.values()}
    assert told - {(422, "request-invalid"), (500, "internal")} == kinds


def _quoted(line: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", line))


SETTINGS: dict[str, type[BaseModel]] = {
    "A department: `node.toml`": federation.node.settings.NodeSettings,
    "A department's own policy: `policy.toml`": federation.node.policy.Policy,
    "The coordinator: `coordinator.toml`": federation.coordinator.settings.CoordinatorSettings,
    "The coordinator's policy: `policy.toml`": federation.coordinator.policy.Policy,
    "The API": api.settings.Settings,
}


@pytest.mark.parametrize("heading", SETTINGS)
def test_every_setting_is_on_the_settings_page_and_no_other(heading: str) -> None:
    rows = re.findall(r"^\| `(\w+)` \|", section(page("docs/settings.md"), heading), re.MULTILINE)
    assert set(rows) == set(SETTINGS[heading].model_fields)


@pytest.mark.parametrize("heading", SETTINGS)
def test_a_default_is_the_one_that_holds(heading: str) -> None:
    told = section(page("docs/settings.md"), heading)
    rows = dict(re.findall(r"(?m)^\| `(\w+)` \| .* \| (.*) \|$", told))
    defaults = {
        name: f"{field.default:g}"
        for name, field in SETTINGS[heading].model_fields.items()
        if isinstance(field.default, int | float)
    }
    assert {name: rows[name] for name in defaults} == defaults


def test_every_environment_variable_is_on_the_settings_page() -> None:
    used = {
        name
        for room in ROOMS
        for file in (ROOT / room).rglob("*.py")
        for name in re.findall(r'"(INFOSANDBOX_\w+)"', file.read_text(encoding="utf-8"))
    }
    assert used == _quoted(section(page("docs/settings.md"), "Environment")) & used
    assert used


def test_every_key_of_a_field_is_explained() -> None:
    catalogue = section(page("docs/write-your-own-demo.md"), "The catalogue")
    explained = _quoted(re.sub(r"(?ms)^```.*?^```$", "", catalogue))
    assert set(Field.model_fields) <= explained


COMMANDS = {
    " ".join(name): {o for p in command.params for o in p.opts if o.startswith("--")}
    for name, command in leaves(typer.main.get_group(program))
}


def test_every_command_and_option_is_on_the_settings_page() -> None:
    told = section(page("docs/settings.md"), "The command line")
    for name, options in COMMANDS.items():
        assert f"`infosandbox {name}`" in told
        assert options <= _quoted(told)


PLAN = QuestionPlan(
    catalogue="0" * 64,
    purpose="service_planning",
    cohort=("loans", "savings"),
    statistics=(Count(),),
    rho=0.1,
    reason="how many there are",
)


def test_every_key_of_a_label_is_explained() -> None:
    catalogue = Catalogue.model_construct(departments=PLAN.cohort, fields=())
    facts = Facts(
        run="0" * 16,
        delta=Delta(value=1e-6),
        epoch=1,
        released_at=0,
        library="a library",
        opinions=(),
        result={"released": {"count": [9.0]}, "threshold": 0.0},
    )
    keys = set(label(PLAN, catalogue, facts))
    rows = re.findall(r"(?m)^\| (`.*?) \|", section(page("docs/labels.md"), "Every key"))
    assert {key for row in rows for key in _quoted(row)} == keys
