"""One story for each role, in both languages, by keyboard and mouse as a person would."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from consent.events import SetLevel
from federation.coordinator.consent_desk import change
from federation.coordinator.desk import plan_of, submit
from federation.coordinator.runs import RunState
from tests.browser.conftest import Visit
from tests.browser.site import Site

pytestmark = pytest.mark.browser

Keep = Callable[[Page, str], None]
both = pytest.mark.parametrize("language", ["en", "zh"])
CLIENT = {"en": "c0001", "zh": "c0003"}
BONDS = {
    "kind": "training",
    "purpose": "bond_model",
    "target": "buys_bonds",
    "features": ["income", "region"],
    "rounds": 1,
    "local_steps": 3,
    "reason": "a model that people leave",
}


def sign_in(page: Page, site: Site, name: str) -> None:
    page.goto("/")
    page.locator("#name").fill(name)
    page.locator("#password").fill(site.passwords[name])
    page.keyboard.press("Enter")


@both
def test_an_advisor_asks_and_takes_the_answer_away(
    site: Site, visit: Visit, keep: Keep, language: str
) -> None:
    page = visit(language=language)
    sign_in(page, site, "advisor")
    expect(page).to_have_url(re.compile("/ask$"))
    page.goto("/ask?purpose=product_insight")
    before = page.locator("#price .tagline").inner_text()
    page.locator("#by1").select_option("region" if language == "en" else "buys_bonds")
    page.locator("input[name=within][value='100']").check()
    expect(page.locator("#price .tagline")).not_to_have_text(before)
    page.locator("#reason").fill("who lives where")
    keep(page, "price")
    with page.expect_request(re.compile("/api/v1/runs/[0-9a-f]{16}/events$")):
        page.locator("#price button").click()
    expect(page).to_have_url(re.compile("/answers/[0-9a-f]{16}$"))
    expect(page.locator(".verdict")).to_be_visible()
    assert page.locator(".figures tbody tr").count() >= 2
    keep(page, "answer")
    with page.expect_download() as download:
        page.locator("a[href$='.csv']").click()
    assert "95 %" in download.value.path().read_text(encoding="utf-8-sig")
    page.goto("/ask")
    expect(page.locator(".card .tag.good").first).to_be_visible()


@both
def test_an_analyst_trains_and_a_dear_question_waits(
    visit: Visit, keep: Keep, language: str
) -> None:
    page = visit("analyst", language=language)
    page.goto("/training?purpose=bond_model")
    for feature in ("income", "region"):
        page.locator(f"input[name=feature][value={feature}]").check()
    page.locator("#epsilon").fill("2" if language == "en" else "3")
    page.locator("#rounds").fill("2")
    page.locator("#local_steps").fill("3")
    page.locator("#reason").fill("the shared bond model")
    expect(page.locator("#price button")).to_be_visible()
    keep(page, "price")
    page.locator("#price button").click()
    expect(page.locator("main a[href^='/ledger/runs/']")).to_be_visible()
    keep(page, "model")


@both
def test_an_analyst_trains_again_without_those_who_left_and_without_javascript(
    site: Site, visit: Visit, keep: Keep, language: str
) -> None:
    desk, left = site.dispatcher.desk, {"en": "c0011", "zh": "c0012"}[language]
    asked = BONDS | {"model": f"bonds_{language}", "epsilon": 1.5}
    run = submit(plan_of(asked, desk), desk, asker="analyst").run.id
    while desk.runs.get(run).state in (RunState.ACCEPTED, RunState.RUNNING):
        time.sleep(0.05)
    now = datetime.now(UTC)
    change(SetLevel(client=left, level=0), desk, now=now)
    page = visit("analyst", language=language, java_script_enabled=False)
    page.goto("/training")
    keep(page, "room")
    page.locator(f"a.button[href='/training/again/bonds_{language}/1']").click()
    expect(page.locator("p.lead")).to_contain_text({"en": "withdrawn", "zh": "撤回"}[language])
    expect(page.locator("#price .tagline")).to_be_visible()
    keep(page, "proposal")
    page.locator("#price form button").click()
    expect(page).to_have_url(re.compile("/answers/[0-9a-f]{16}$"))
    assert run not in page.url


@both
def test_two_officers_decide_blind(visit: Visit, keep: Keep, language: str) -> None:
    asker = visit("researcher", language=language)
    split = "income" if language == "en" else "buys_bonds"
    asker.goto(f"/ask?purpose=bond_model&by={split}&within_other=1.2&reason=sharper")
    asker.locator("#price button").click()
    expect(asker).to_have_url(re.compile("/answers/"))
    run = asker.url.rsplit("/", 1)[1]
    first = visit("privacy_officer", language=language)
    first.goto("/approvals")
    keep(first, "queue")
    form = first.locator(f"#r-{run} form")
    form.locator("input[value=approve]").check()
    form.locator("textarea").fill(f"the yearly review needs it: {run}")
    form.locator("button").click()
    expect(first.locator(f"#r-{run} form")).to_have_count(0)
    second = visit("second_officer", language=language)
    second.goto("/approvals")
    assert f"needs it: {run}" not in second.content()
    form = second.locator(f"#r-{run} form")
    form.locator("input[value=approve]").check()
    form.locator("textarea").fill("agreed, for this once")
    form.locator("button").click()
    expect(second.locator("#trail ~ div")).to_contain_text(f"the yearly review needs it: {run}")
    asker.goto(f"/answers/{run}")
    expect(asker.locator(".verdict").first).to_be_visible()
    keep(asker, "released")


@both
def test_an_officer_weighs_error_against_loss(visit: Visit, keep: Keep, language: str) -> None:
    page = visit("privacy_officer", language=language)
    page.goto("/budget")
    expect(page.locator("table").first).to_be_visible()
    keep(page, "budget")
    page.goto("/studio")
    before = page.locator("#outcome .tagline").first.inner_text()
    page.locator("#error_step").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(page.locator("#outcome .tagline").first).not_to_have_text(before)
    page.locator("input[name='pool.firm']").fill("1")
    page.locator("form[action^='/studio#replay'] button").click()
    page.locator("#why").wait_for()
    keep(page, "studio")


@both
def test_a_steward_lowers_a_level_and_records_an_objection(
    visit: Visit, keep: Keep, language: str
) -> None:
    page = visit("steward", language=language)
    page.goto("/consent")
    page.locator("#client_id").fill(CLIENT[language])
    page.keyboard.press("Enter")
    keep(page, "ladder")
    page.locator("input[name=value][value='1'] ~ p button").click()
    expect(page.locator(".rung.current .rung-number")).to_have_text("1")
    page.locator("input[value=object] ~ button").first.click()
    expect(page.locator("input[value=allow]")).to_have_count(1)
    assert CLIENT[language] not in page.url
    assert page.locator("section[aria-labelledby=acts] tbody tr").count() >= 3
    keep(page, "helped")
    page.goto("/consent")
    expect(page.locator("#acts ~ div")).to_contain_text(CLIENT[language])
    keep(page, "trail")


@both
def test_a_client_withdraws_in_one_step_and_has_a_receipt(
    visit: Visit, keep: Keep, language: str
) -> None:
    page = visit("client", language=language)
    page.goto("/")
    expect(page).to_have_url(re.compile("/consent$"))
    keep(page, "before")
    level = "0" if language == "en" else "2"
    page.locator(f"input[name=value][value='{level}'] ~ p button").click()
    expect(page.locator(".rung.current .rung-number")).to_have_text(level)
    assert page.locator("details.slim").count() >= 2
    keep(page, "after")


@both
def test_an_auditor_follows_a_number_to_its_ground_in_two_clicks(
    visit: Visit, keep: Keep, language: str
) -> None:
    page = visit("auditor", language=language)
    page.goto("/")
    expect(page).to_have_url(re.compile("/ledger$"))
    keep(page, "ledger")
    page.locator("a[href^='/ledger/runs/']").first.click()
    page.locator("nav.trail a[href='#policy']").click()
    expect(page.locator("#policy")).to_be_in_viewport()
    for ground in ("label", "plan", "policy", "approvals", "epoch", "log"):
        assert page.locator(f"h2#{ground}").count() == 1
    keep(page, "evidence")
    with page.expect_download():
        page.goto("/ledger")
        page.locator("a[href='/api/v1/evidence']").click()


@both
def test_a_node_operator_watches_runs(visit: Visit, keep: Keep, language: str) -> None:
    page = visit("node_operator", language=language)
    page.goto("/training")
    assert page.locator("form#builder").count() == 0
    keep(page, "training")


def test_everything_but_live_updates_works_without_javascript(visit: Visit) -> None:
    page = visit("advisor", java_script_enabled=False)
    page.goto("/ask?purpose=product_insight")
    page.locator("#by1").select_option("income")
    page.locator("#reason").fill("no scripts here")
    page.get_by_role("button", name="Show the price").click()
    page.locator("#price button").click()
    expect(page).to_have_url(re.compile("/answers/"))
    page.locator("form.switch button[value=zh]").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    page.locator("form.switch button[value=dark]").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_a_form_outlives_its_session(site: Site, visit: Visit) -> None:
    page = visit("advisor")
    page.goto("/ask?purpose=product_insight&by=buys_bonds&within_other=60")
    page.locator("#reason").fill("kept over the end")
    page.context.clear_cookies(name="session")
    with page.expect_response(lambda r: r.status == 401):
        page.locator("#price button").click()
    page.locator("#name").fill("advisor")
    page.locator("#password").fill(site.passwords["advisor"])
    page.keyboard.press("Enter")
    page.locator("form[action='/ask'] button").click()
    expect(page).to_have_url(re.compile("/answers/"))
    expect(page.locator(".quote")).to_have_text("kept over the end")
