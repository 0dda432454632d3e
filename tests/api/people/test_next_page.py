import pytest

from api.people.next_page import safe_next


@pytest.mark.parametrize("page", ["/", "/ask", "/runs/0a?form=label&x=1", "/a%20b", "/c/%E4%BA%BA"])
def test_a_page_of_ours_is_kept(page: str) -> None:
    assert safe_next(page) == page


@pytest.mark.parametrize(
    "page",
    [
        None,
        "",
        "ask",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example",
        "http:/evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/\n//evil.example",
        "/ask\r\nSet-Cookie: a=b",
        " /ask",
        "/ask#x",
        "/\u2028",
        "/人",
        "/" + "x" * 500,
    ],
)
def test_anything_else_leads_home(page: str | None) -> None:
    assert safe_next(page) == "/"
