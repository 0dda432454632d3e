"""Real Chromium against the real application; screenshots of the stories are kept."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    expect,
    sync_playwright,
)

from tests.api.tiny_firm import write_tiny_folder
from tests.browser.site import Site, running

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SCREENSHOTS = Path(__file__).parent / "screenshots"
PATIENCE_MS = 20_000

Visit = Callable[..., Page]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Run the tiny firm's console for a file of stories."""
    folder = write_tiny_folder(tmp_path_factory.mktemp("firm") / "folder")
    with running(folder, tmp_path_factory.mktemp("state") / "state") as site:
        yield site


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium for one file alone: while Playwright runs, no other test can run a loop."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def visit(site: Site, browser: Browser) -> Iterator[Visit]:
    """Return a function that opens the console as somebody; no page may complain of anything."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def opened(
        name: str | None = None,
        *,
        language: str = "en",
        theme: str = "light",
        width: int = 1280,
        **options: Any,
    ) -> Page:
        context = browser.new_context(
            base_url=site.address, viewport={"width": width, "height": 900}, **options
        )
        context.set_default_timeout(PATIENCE_MS)
        cookies = {"language": language, "theme": theme}
        if name is not None:
            cookies["session"] = site.cookie(name)
        context.add_cookies(
            [{"name": n, "value": v, "url": site.address} for n, v in cookies.items()]
        )
        page = context.new_page()
        page.on("console", lambda m: complaints.append(m.text) if _complains(m) else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        contexts.append(context)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def _complains(message: ConsoleMessage) -> bool:
    """Say whether the browser objects to the page itself: a refused form is no fault of it."""
    return message.type == "error" and "status of 4" not in message.text


@pytest.fixture
def keep(request: pytest.FixtureRequest) -> Callable[[Page, str], None]:
    """Return a function that keeps a screenshot under the test's name.

    It is for people to look at and proves nothing: where Chromium draws no frame, which it does now
    and then without a screen, there is none.
    """

    def kept(page: Page, name: str) -> None:
        SCREENSHOTS.mkdir(exist_ok=True)
        test = request.node.name.replace("[", "-").replace("]", "")
        with suppress(Error):
            page.screenshot(path=SCREENSHOTS / f"{test}-{name}.png", full_page=True)

    return kept
