"""axe on every page, in both languages, light and dark; and no page wider than its window."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from api.web.screens import SCREENS
from federation.coordinator.desk import plan_of, submit
from tests.browser.conftest import Visit
from tests.browser.site import Site, ended

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
PROBLEMS = ("/answers/0000000000000000", "/approvals", "/answers/nonsense", "/no/such/page")
QUESTION = {
    "kind": "question",
    "purpose": "product_insight",
    "statistics": [{"kind": "count"}, {"kind": "mean", "field": "income"}],
    "by": ["region"],
    "epsilon": 2.0,
    "reason": "for the look of it",
}
MODEL = {
    "kind": "training",
    "purpose": "bond_model",
    "target": "buys_bonds",
    "features": ["income"],
    "rounds": 1,
    "local_steps": 2,
    "epsilon": 1.0,
    "reason": "for the look of it",
}


@pytest.fixture(scope="module")
def run(site: Site) -> str:
    """Have a question released and another one wait, so that no page is empty."""
    desk = site.dispatcher.desk
    submit(plan_of(QUESTION | {"epsilon": 11.0}, desk), desk, asker="analyst")
    submit(plan_of(MODEL, desk), desk, asker="analyst")
    asked = submit(plan_of(QUESTION, desk), desk, asker="analyst").run.id
    return ended(asked, desk).id


def pages(visit: Visit, site: Site, run: str, **look: Any) -> list[tuple[Page, list[str]]]:
    """Return somebody's pages for every screen there is."""
    answers = ["/ask?purpose=product_insight&by=region", "/answers", f"/answers/{run}"]
    training = "/training?purpose=bond_model&target=buys_bonds&feature=income"
    again = "/training/again/buys_bonds/1"
    return [
        (visit(**look), ["/sign-in", f"/setup?link={site.setup_link()}", "/setup?link=none"]),
        (visit("analyst", **look), [*answers, training, again, f"/ledger/runs/{run}", *PROBLEMS]),
        (visit("privacy_officer", **look), list(OFFICER)),
        (visit("client", **look), ["/consent"]),
        (visit("steward", **look), ["/consent"]),
    ]


def serious(page: Page, path: str) -> list[str]:
    """Return what axe finds on a page that is open, and that keeps somebody out."""
    return [
        f"{path}: {found['id']}: {found['nodes'][0]['html'][:120]}"
        for found in page.evaluate(RUN)["violations"]
        if found["impact"] in BAD
    ]


def test_every_screen_is_looked_at(visit: Visit, site: Site, run: str) -> None:
    seen = {path.partition("?")[0] for _, paths in pages(visit, site, run) for path in paths}
    assert {screen.path for screen in SCREENS} <= seen


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(
    visit: Visit, site: Site, run: str, language: str, theme: str
) -> None:
    found = []
    for page, paths in pages(visit, site, run, language=language, theme=theme):
        page.context.add_init_script(path=AXE)
        for path in paths:
            page.goto(path)
            found += serious(page, path)
    assert found == []


def test_axe_would_find_something(visit: Visit) -> None:
    page = visit()
    page.context.add_init_script(path=AXE)
    page.goto("/sign-in")
    page.evaluate("document.querySelector('label[for=name]').remove()")
    assert BAD & {v["impact"] for v in page.evaluate(RUN)["violations"]}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_page_is_wider_than_a_telephone(
    visit: Visit, site: Site, run: str, language: str
) -> None:
    wide = []
    for page, paths in pages(visit, site, run, language=language, width=375):
        for path in paths:
            page.goto(path)
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                wide.append(path)
    assert wide == []


def test_the_first_page_travels_in_less_than_a_hundred_kilobytes(visit: Visit) -> None:
    page, sizes = visit(), {}
    page.on("response", lambda answer: sizes.update({answer.url: len(answer.body())}))
    page.goto("/", wait_until="networkidle")
    assert len(sizes) >= 4
    assert sum(sizes.values()) < 100_000
