"""Pages over a long ledger: each reads what it shows, and leads to what is older."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from federation.coordinator.desk import Desk
from privacy.entries import Opinion
from privacy.loss import Rho
from tests.api.conftest import SignIn

PAGES = ("/budget", "/approvals", "/ledger", "/ledger?kind=committed", "/ledger?kind=decided")
LONG = 120


@pytest.fixture
def desk(sign_in: SignIn) -> Desk:
    """Return the desk of an API whose ledger has many more entries than a page shows."""
    auditor = sign_in("auditor")
    desk: Desk = auditor.app.state.desk  # type: ignore[attr-defined]
    now = datetime.now(UTC)
    for n in range(LONG // 3):
        desk.ledger.reserve("firm", Rho(1e-6), f"r{n}", now)
        desk.ledger.commit(f"r{n}", now)
        desk.ledger.decide(f"d{n}", "ann", Opinion.APPROVE, "a review", now)
    return desk


def whole_reads(desk: Desk, look: Callable[[], object]) -> list[str]:
    """Return every statement that reads the ledger from its first entry on."""
    found = []

    def told(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "FROM privacy_ledger " in statement and statement.startswith("SELECT privacy_ledger."):
            found.extend([statement] if parameters == (0,) else [])

    sa.event.listen(desk.engine, "before_cursor_execute", told)
    look()
    sa.event.remove(desk.engine, "before_cursor_execute", told)
    return found


@pytest.mark.parametrize("path", PAGES)
def test_a_page_does_not_read_the_whole_ledger(sign_in: SignIn, desk: Desk, path: str) -> None:
    auditor = sign_in("auditor")
    assert auditor.get(path).status_code == 200
    assert whole_reads(desk, lambda: auditor.get(path)) == []


def test_a_reader_of_the_whole_ledger_is_found(desk: Desk) -> None:
    assert len(whole_reads(desk, desk.ledger.entries)) == 1


@pytest.mark.parametrize("kind", ["", "reserved", "committed"])
def test_older_pages_lead_to_the_first_entry(sign_in: SignIn, desk: Desk, kind: str) -> None:
    auditor, path, seen = sign_in("auditor"), f"/ledger?kind={kind}", []
    while path:
        shown = auditor.get(path).text
        seen += [int(n) for n in re.findall(r'<tr><td class="n">(\d+)</td>', shown)]
        older = re.search(r'href="(/ledger\?before=[^"#]+)', shown)
        path = older[1].replace("&amp;", "&") if older else ""
    assert seen == sorted(set(seen), reverse=True)
    entries = desk.ledger.entries()
    kinds = {e.index: type(e.event).__name__.lower() for e in entries}
    wanted = [i for i, name in kinds.items() if name == kind or (not kind and name != "decided")]
    assert seen == sorted(wanted, reverse=True)
