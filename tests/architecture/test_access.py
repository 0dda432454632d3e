"""One table says who may call which route: it has every route, and two pages say what it says.

A new route needs its line in api/people/access.py, then
``python -m api.people.access > docs/access.md``; tests/api/people/test_access.py tries its door.
"""

import re
from pathlib import Path

from api.app import create_app
from api.people.access import ACCESS, page, short
from api.settings import Settings

ROOT = Path(__file__).parents[2]
HEALTH = {"GET /healthz", "GET /readyz", "GET /metrics"}


def served() -> set[str]:
    app = create_app(Settings(coordinator=Path("none"), tokens=Path("none")))
    paths = app.openapi()["paths"]
    return {f"{method.upper()} {path}" for path, item in paths.items() for method in item}


def test_the_table_has_every_route_and_no_other() -> None:
    assert served() == set(ACCESS)


def test_the_page_is_the_table_as_it_is() -> None:
    assert (ROOT / "docs" / "access.md").read_text(encoding="utf-8") == page()


def test_the_api_page_says_who_as_the_table_does() -> None:
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `((?:GET|POST|PUT|DELETE) /[^`]*)` \| ([^|]*) \|", text, re.MULTILINE)
    assert dict(rows) == {route: short(who) for route, who in ACCESS.items() if route not in HEALTH}
