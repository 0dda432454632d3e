"""axe on every page, in both languages, light and dark; and no page wider than its window."""

import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from api.web.screens import SCREENS
from federation.coordinator.desk import plan_of, submit
from federation.coordinator.runs import RunState
from tests.browser.conftest import Visit
from tests.browser.site import Site

pytestmark = pytest.mark.browser

AXE = Path(__file__).parent / "axe-4.14.1.min.js"
RUN = "axe.run({resultTypes: ['violations']})"
BAD = {"serious", "critical"}
OFFICER = (
    "/budget",
    "/approvals",
    "/withdrawals",
    "/studio?by=region&replay=1&pool.firm=2",
    "/ledger",
)
QUESTION = {
    "kind": "question",
    "purpose": "product_insight",
    "statistics": [{"kind": "count"}, {"kind": "mean", "field": "income"}],
    "by": ["region"],
    "epsilon": 2.0,
    "reason": "for the look of it",
}


@pytest.fixture(scope="module")
def run(site: Site) -> str:
    """Have a question released and another one wait, so that no page is empty."""
    desk = site.dispatcher.desk
    submit(plan_of(QUESTION | {"epsilon": 11.0}, desk), desk, asker="analyst")
    asked = submit(plan_of(QUESTION, desk), desk, asker="analyst").run.id
    while desk.runs.get(asked).state in (RunState.ACCEPTED, RunState.RUNNING):
        time.sleep(0.05)
    return asked


def pages(visit: Visit, run: str, **look: Any) -> list[tuple[Page, list[str]]]:
    """Return somebody's pages for every screen there is."""
    answers = ["/ask?purpose=product_insight&by=region", "/answers", f"/answers/{run}"]
    training = "/training?purpose=bond_model&target=buys_bonds&feature=income"
    return [
        (visit(**look), ["/sign-in"]),
        (visit("analyst", **look), [*answers, training, f"/ledger/runs/{run}"]),
        (visit("privacy_officer", **look), list(OFFICER)),
        (visit("client", **look), ["/consent"]),
        (visit("steward", **look), ["/consent"]),
    ]


def test_every_screen_is_looked_at(visit: Visit, run: str) -> None:
    seen = {path.partition("?")[0] for _, paths in pages(visit, run) for path in paths}
    assert {screen.path for screen in SCREENS} <= seen


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(visit: Visit, run: str, language: str, theme: str) -> None:
    found = []
    for page, paths in pages(visit, run, language=language, theme=theme):
        page.context.add_init_script(path=AXE)
        for path in paths:
            page.goto(path)
            violations = page.evaluate(RUN)["violations"]
            found += [
                f"{path}: {v['id']}: {v['nodes'][0]['html'][:120]}"
                for v in violations
                if v["impact"] in BAD
            ]
    assert found == []


def test_axe_would_find_something(visit: Visit) -> None:
    page = visit()
    page.context.add_init_script(path=AXE)
    page.goto("/sign-in")
    page.evaluate("document.querySelector('label[for=name]').remove()")
    assert BAD & {v["impact"] for v in page.evaluate(RUN)["violations"]}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_page_is_wider_than_a_telephone(visit: Visit, run: str, language: str) -> None:
    wide = []
    for page, paths in pages(visit, run, language=language, width=375):
        for path in paths:
            page.goto(path)
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                wide.append(path)
    assert wide == []
