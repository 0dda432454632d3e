"""The department's own page, served by `infosandbox node serve` in a process of its own."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from federation.coordinator.desk import plan_of, submit
from federation.coordinator.runs import RunState
from tests.browser.conftest import PATIENCE_MS
from tests.browser.site import Site, ended
from tests.browser.test_access import AXE, QUESTION, serious

pytestmark = pytest.mark.browser

Keep = Callable[[Page, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where a department's own page is, and the token that its file holds."""

    address: str
    token: str = field(repr=False)


@pytest.fixture(scope="module")
def door(site: Site) -> Iterator[Door]:
    """Serve a department's own page, after one of its answers has left."""
    desk = site.dispatcher.desk
    run = submit(plan_of(QUESTION, desk), desk, asker="analyst").run.id
    assert ended(run, desk).state is RunState.RELEASED
    node = site.prepared.nodes["wealth"]
    command = [sys.executable, "-m", "api.cli", "node", "serve", "--node", str(node)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield _answering(process)
        finally:
            process.kill()


def _answering(process: "subprocess.Popen[str]") -> Door:
    """Wait until the page answers: by then the token's file is there."""
    assert process.stdout is not None
    told = next(line for line in process.stdout if "own door" in line)
    address, file = told.strip().removeprefix("The node's own door: ").split(", token in ")
    for _ in range(200):
        with suppress(httpx.ConnectError):
            httpx.get(address, trust_env=False).raise_for_status()
            return Door(address=address, token=Path(file).read_text(encoding="utf-8").strip())
        time.sleep(0.1)
    raise AssertionError(address)


def opened(browser: Browser, door: Door, language: str, theme: str = "light") -> Page:
    context = browser.new_context(
        base_url=door.address, viewport={"width": 1280, "height": 900}, color_scheme="light"
    )
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(path=AXE)
    looks = {"language": language, "theme": theme}
    context.add_cookies([{"name": n, "value": v, "url": door.address} for n, v in looks.items()])
    page = context.new_page()
    page.goto("/")
    return page


def come_in(page: Page, door: Door) -> None:
    page.locator("#token").fill(door.token)
    page.keyboard.press("Enter")
    expect(page.locator("#journal ~ div tbody tr").first).to_be_visible()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_department_reads_its_contract_its_journal_and_stops_its_node(
    site: Site, browser: Browser, door: Door, keep: Keep, language: str
) -> None:
    page = opened(browser, door, language)
    page.locator("#token").fill("not the token")
    page.keyboard.press("Enter")
    expect(page.locator("[role=alert]")).to_be_visible()
    come_in(page, door)
    for part in ("switch", "epoch", "limits", "journal", "noise", "contract"):
        assert page.locator(f"h2#{part}").count() == 1
    assert page.locator("#contract ~ div tbody tr").count() >= 4
    assert page.locator("#limits ~ div tbody tr").count() >= 2
    assert page.locator("#epoch ~ p").first.inner_text()
    keep(page, "node")
    page.locator("button[value=stop]").click()
    expect(page.locator(".notice.stop")).to_be_visible()
    keep(page, "stopped")
    desk = site.dispatcher.desk
    asked = QUESTION | {"by": ["buys_bonds" if language == "en" else "income"]}
    refused = ended(submit(plan_of(asked, desk), desk, asker="analyst").run.id, desk)
    assert refused.refusal is not None
    assert "wealth" in refused.refusal["text"]
    page.locator("button[value=start]").click()
    expect(page.locator("button[value=stop]")).to_be_visible()
    page.context.close()


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_at_the_node(
    browser: Browser, door: Door, language: str, theme: str
) -> None:
    page = opened(browser, door, language, theme)
    found = serious(page, "sign in")
    come_in(page, door)
    found += serious(page, "node")
    page.set_viewport_size({"width": 375, "height": 800})
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
    page.context.close()
    assert found == []
