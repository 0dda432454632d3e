import pytest
from fastapi.testclient import TestClient

from tests.api.conftest import SignIn
from tests.api.test_plans import QUESTION


def every(person: TestClient, path: str, of: str | None = None) -> list[list[object]]:
    """Follow a list to its end, a line a page; return its pages."""
    pages, further = [], f"{path}?limit=1"
    while further:
        answer = person.get(further)
        assert answer.status_code == 200, further
        pages.append(answer.json()[of] if of else answer.json())
        further = answer.links.get("next", {}).get("url", "")
    return pages


def test_receipts_come_in_pages_and_none_is_lost(steward: TestClient) -> None:
    for level in (1, 2, 3):
        steward.put("/api/v1/clients/c0001/level", json={"level": level})
    whole = steward.get("/api/v1/clients/c0001/receipts").json()["receipts"]
    pages = every(steward, "/api/v1/clients/c0001/receipts", "receipts")
    assert [len(page) for page in pages] == [1] * len(whole) == [1] * 4
    heads = [str(receipt).split(".")[0] for receipt in whole]
    assert [str(page[0]).split(".")[0] for page in pages] == heads


def test_monitors_come_in_pages(analyst: TestClient) -> None:
    for day in (1, 2, 3):
        watched = {"question": QUESTION | {"epsilon": 0.1 * day}, "every_s": 86400, "ticks": 2}
        assert analyst.post("/api/v1/monitors", json=watched).status_code == 201
    whole = analyst.get("/api/v1/monitors").json()
    assert [page[0] for page in every(analyst, "/api/v1/monitors")] == whole
    assert len(whole) == 3


@pytest.mark.parametrize("path", ["/api/v1/models", "/api/v1/withdrawals", "/api/v1/runs"])
def test_a_list_takes_no_page_without_end(sign_in: SignIn, path: str) -> None:
    auditor = sign_in("auditor")
    assert auditor.get(path, params={"limit": 201}).status_code == 422
    assert auditor.get(path, params={"limit": 0}).status_code == 422
    assert auditor.get(path, params={"before": "no run"}).status_code == 422
    assert auditor.get(path).json() == []
