"""Against a real provider on this machine: oidc-provider-mock on loopback."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi.testclient import TestClient
from oidc_provider_mock import User, run_server_in_thread

from api.app import create_app
from api.people.errors import FlowUnknown, ProviderRefused
from api.people.oidc import LASTS_S, Provider, identity_of
from api.people.oidc_settings import OidcSettings
from api.people.people import People
from api.people.roles import Role
from api.settings import Settings

CALLBACK = "http://localhost/api/v1/oidc/callback"
PEOPLE = (
    User(sub="s-ling", claims={"preferred_username": "Ling", "roles": ["risk", "lunch"]}),
    User(sub="s-both", claims={"preferred_username": "both", "roles": ["risk", "privacy"]}),
    User(sub="s-none", claims={"preferred_username": "none", "roles": "lunch"}),
    User(sub="s-taken", claims={"preferred_username": "analyst", "roles": "risk"}),
    User(sub="s-odd", claims={"preferred_username": "a b\r\nc", "roles": "risk"}),
)


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with run_server_in_thread(require_nonce=True, user_claims=PEOPLE) as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture
def oidc(issuer: str, tmp_path: Path) -> OidcSettings:
    (tmp_path / "oidc.secret").write_text("whatever\n")
    return OidcSettings(
        issuer=issuer,
        client_id="infosandbox",
        client_secret=tmp_path / "oidc.secret",
        redirect_url=CALLBACK,
        roles={"risk": Role.ANALYST, "privacy": Role.PRIVACY_OFFICER},
    )


@pytest.fixture
def browser(oidc: OidcSettings, settings: Settings, tmp_path: Path) -> Iterator[TestClient]:
    (tmp_path / "people.toml").write_text(
        f'[oidc]\nissuer = "{oidc.issuer}"\nclient_id = "infosandbox"\n'
        f'client_secret = "{oidc.client_secret}"\nredirect_url = "{CALLBACK}"\n'
        'roles = { risk = "analyst", privacy = "privacy_officer" }\n'
    )
    with_provider = settings.model_copy(update={"people": tmp_path / "people.toml"})
    with TestClient(create_app(with_provider), base_url="http://localhost") as client:
        yield client


def at_provider(address: str, subject: str) -> str:
    """Sign in at the provider as somebody; return where it sends the browser back to."""
    answer = httpx.post(address, data={"sub": subject}, trust_env=False)
    assert answer.status_code == 302, answer.text
    return answer.headers["location"]


def sign_in(browser: TestClient, subject: str, page: str = "/ask") -> httpx.Response:
    start = browser.get("/api/v1/oidc/start", params={"next": page}, follow_redirects=False)
    assert start.status_code == 303
    back = at_provider(start.headers["location"], subject)
    return browser.get(back, follow_redirects=False)


def test_a_person_signs_in_there_and_comes_back_signed_in(browser: TestClient) -> None:
    answer = sign_in(browser, "s-ling")
    assert (answer.status_code, answer.headers["location"]) == (303, "/ask")
    me = browser.get("/api/v1/me").json()
    assert (me["name"], me["role"]) == ("ling", "analyst")


def test_the_same_person_has_the_same_account(browser: TestClient) -> None:
    sign_in(browser, "s-ling")
    sign_in(browser, "s-ling")
    people: People = browser.app.state.people  # type: ignore[attr-defined]
    assert people.accounts.count() == 1


def test_a_closed_account_stays_closed(browser: TestClient) -> None:
    sign_in(browser, "s-ling")
    people: People = browser.app.state.people  # type: ignore[attr-defined]
    people.accounts.close("ling", by="test", now=1)
    assert sign_in(browser, "s-ling").json()["type"].endswith(":provider-refused")


def test_a_role_that_the_provider_took_away_is_gone(browser: TestClient) -> None:
    sign_in(browser, "s-ling")
    people: People = browser.app.state.people  # type: ignore[attr-defined]
    people.accounts.set_role("ling", Role.PRIVACY_OFFICER, by="test", now=1)
    sign_in(browser, "s-ling")
    assert browser.get("/api/v1/me").json()["role"] == "analyst"


@pytest.mark.parametrize(
    ("subject", "slug"),
    [
        ("s-both", "provider-refused"),
        ("s-none", "provider-refused"),
        ("s-nobody", "provider-refused"),
        ("s-odd", "provider-refused"),
        ("s-taken", "person-exists"),
    ],
)
def test_nobody_else_is_signed_in(browser: TestClient, subject: str, slug: str) -> None:
    answer = sign_in(browser, subject)
    assert answer.json()["type"].endswith(f":{slug}"), answer.text
    assert browser.get("/api/v1/me").status_code == 401


def test_the_way_out_carries_a_challenge_and_never_the_verifier(browser: TestClient) -> None:
    start = browser.get("/api/v1/oidc/start", follow_redirects=False)
    asked = parse_qs(urlsplit(start.headers["location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", asked["code_challenge"][0])
    assert len(asked["state"][0]) >= 43
    assert len(asked["nonce"][0]) >= 43
    assert "code_verifier" not in asked


def test_a_code_comes_back_once(browser: TestClient) -> None:
    start = browser.get("/api/v1/oidc/start", follow_redirects=False)
    back = at_provider(start.headers["location"], "s-ling")
    assert browser.get(back, follow_redirects=False).status_code == 303
    assert browser.get(back, follow_redirects=False).json()["type"].endswith(":flow-unknown")


def test_a_link_that_somebody_else_began_signs_nobody_in(browser: TestClient) -> None:
    start = browser.get("/api/v1/oidc/start", follow_redirects=False)
    back = at_provider(start.headers["location"], "s-ling")
    victim = TestClient(browser.app, base_url="http://localhost")
    assert victim.get(back, follow_redirects=False).json()["type"].endswith(":flow-unknown")
    assert victim.get("/api/v1/me").status_code == 401


def test_an_invented_code_is_refused(browser: TestClient) -> None:
    start = browser.get("/api/v1/oidc/start", follow_redirects=False)
    state = parse_qs(urlsplit(start.headers["location"]).query)["state"][0]
    answer = browser.get("/api/v1/oidc/callback", params={"state": state, "code": "invented"})
    assert answer.json()["type"].endswith(":provider-refused")


@pytest.mark.parametrize("page", ["https://evil.example", "//evil.example", "/\\evil.example"])
def test_nobody_is_sent_to_another_site(browser: TestClient, page: str) -> None:
    assert sign_in(browser, "s-ling", page).headers["location"] == "/"


def test_without_a_provider_there_is_no_way(anyone: TestClient) -> None:
    answer = anyone.get("/api/v1/oidc/start", follow_redirects=False)
    assert answer.json()["type"].endswith(":no-provider")


def test_a_provider_that_is_down_is_a_problem_of_its_own(
    browser: TestClient, oidc: OidcSettings
) -> None:
    people: People = browser.app.state.people  # type: ignore[attr-defined]
    down = oidc.model_copy(update={"issuer": "http://localhost:9"})
    assert people.provider is not None
    people.provider._settings = down
    answer = browser.get("/api/v1/oidc/start", follow_redirects=False)
    assert answer.status_code == 502


def test_a_nonce_of_another_sign_in_does_not_hold(oidc: OidcSettings) -> None:
    provider = Provider(oidc)
    first, second = provider.begin("/", 0.0), provider.begin("/", 0.0)
    state = parse_qs(urlsplit(first.address).query)["state"][0]
    swapped = re.sub(r"nonce=[^&]*", "nonce=" + "x" * 43, first.address)
    code = parse_qs(urlsplit(at_provider(swapped, "s-ling")).query)["code"][0]
    with pytest.raises(ProviderRefused, match="ID token"):
        provider.finish(state=state, binding=first.binding, code=code, now=1.0)
    state = parse_qs(urlsplit(second.address).query)["state"][0]
    code = parse_qs(urlsplit(at_provider(second.address, "s-ling")).query)["code"][0]
    with pytest.raises(FlowUnknown):
        provider.finish(state=state, binding=second.binding, code=code, now=float(LASTS_S))


def test_one_role_comes_out_or_none(oidc: OidcSettings) -> None:
    assert identity_of({"sub": "s", "roles": "risk"}, "i", oidc).role is Role.ANALYST
    for roles in (None, [], "", ["risk", "privacy"], 3, {"risk": True}, [["risk"]]):
        with pytest.raises(ProviderRefused):
            identity_of({"sub": "s", "roles": roles}, "i", oidc)


@pytest.mark.parametrize(
    "change",
    [{"issuer": "http://login.example"}, {"roles": {"x": "client"}}, {"redirect_url": "ftp://x"}],
)
def test_unsafe_settings_are_refused(oidc: OidcSettings, change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"https URL|client's account"):
        OidcSettings.model_validate(oidc.model_dump() | change)
