from fastapi.testclient import TestClient

from tests.api.conftest import SignIn

CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "


def test_a_page_allows_no_inline_code(analyst: TestClient) -> None:
    answer = analyst.get("/ask")
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert policy.startswith(CSP)
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    for inline in (" style=", "<style", "javascript:", " onclick", "<script>"):
        assert inline not in answer.text


def test_nobody_sees_a_page_without_signing_in(anyone: TestClient) -> None:
    answer = anyone.get("/ask?purpose=bond_model", follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=%2Fask%3Fpurpose%3Dbond_model"


def test_the_start_page_leads_to_the_screen_of_a_role(sign_in: SignIn) -> None:
    for name, path in {"advisor": "/ask", "privacy_officer": "/budget"}.items():
        answer = sign_in(name).get("/", follow_redirects=False)
        assert answer.headers["location"] == path


def test_a_screen_of_another_role_is_refused_with_a_page(sign_in: SignIn) -> None:
    answer = sign_in("steward").get("/ask")
    assert answer.status_code == 403
    assert "<h1>This is not open to you</h1>" in answer.text


def test_the_browser_s_language_is_taken_and_a_choice_wins(analyst: TestClient) -> None:
    chinese = analyst.get("/ask", headers={"Accept-Language": "fr;q=0.9, zh-CN, en;q=x"})
    assert 'lang="zh-Hans"' in chinese.text
    assert "您想了解什么" in chinese.text
    chosen = analyst.get("/ask", headers={"Accept-Language": "zh", "Cookie": "language=en"})
    assert "What would you like to know?" in chosen.text


def test_an_unknown_language_is_english(analyst: TestClient) -> None:
    answer = analyst.get("/ask", headers={"Accept-Language": "tlh", "Cookie": "language=xx"})
    assert "What would you like to know?" in answer.text


def test_a_choice_leads_back_to_this_site_only(anyone: TestClient) -> None:
    for back in ("//evil.example", "https://evil.example", "/\\evil.example", "/ask\nX-A: b"):
        told = {"language": "zh", "back": back}
        answer = anyone.post("/preferences", data=told, follow_redirects=False)
        assert answer.headers["location"] == "/"
    answer = anyone.post(
        "/preferences", data={"theme": "dark", "back": "/ask?by=age"}, follow_redirects=False
    )
    assert answer.headers["location"] == "/ask?by=age"
    assert "theme=dark" in answer.headers["set-cookie"]
    assert "x-a" not in answer.headers


def test_what_is_typed_is_shown_as_text(analyst: TestClient) -> None:
    answer = analyst.get("/ask", params={"reason": '"><script>alert(1)</script>'})
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;alert" in answer.text


def test_the_first_page_is_light(anyone: TestClient) -> None:
    first = anyone.get("/sign-in", headers={"Accept-Encoding": "identity"})
    files = ("console.css", "console.js", "htmx-2.0.11.min.js", "mark.svg", "rake.svg")
    size = len(first.content) + sum(len(anyone.get(f"/static/{name}").content) for name in files)
    assert size < 100_000


def test_an_address_that_is_none_has_a_page_for_people_and_a_problem_for_programs(
    analyst: TestClient,
) -> None:
    people = {"Accept": "text/html,application/xhtml+xml", "Accept-Language": "zh"}
    answer = analyst.get("/no/such/page", headers=people)
    assert answer.status_code == 404
    assert "没有这个页面" in answer.text
    assert answer.headers["content-security-policy"].startswith(CSP)
    asked: list[tuple[str, dict[str, str]]] = [("/no/such/page", {}), ("/api/v1/nothing", people)]
    for path, headers in asked:
        answer = analyst.get(path, headers=headers)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
