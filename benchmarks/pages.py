"""How fast pages are: the console and the API under 100 requests a second, on SQLite.

The application runs in a process of its own, with nodes and a released answer in it; this process
sends requests over loopback at fixed times, whether the last one is back or not, for TURN_S seconds
a page. The figure is the 95th percentile from the time a request was due. ``peer`` is the same for
a static file, which does nothing but travel. The ledger has more than LONG entries.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import quantiles

import httpx
import sqlalchemy as sa

from privacy.entries import Committed, Decided, Entry, Event, Opinion, Reserved, sealed, to_text
from privacy.heads import head_of, head_text
from privacy.ledger import follow_read
from privacy.ledger_history import read
from privacy.ledger_state import EMPTY
from privacy.ledger_tables import ENTRIES, HEAD, exclusive
from privacy.ledger_tables import rows as stored
from privacy.loss import Rho

A_SECOND = 100
TURN_S = 5
WARM_UP = 20
LONG = 100_000
SETTLED_S = 10.0


def rows() -> list[dict[str, str | float]]:
    """Milliseconds at the 95th percentile for each page (value), beside a static file (peer)."""
    command = [sys.executable, "-m", "benchmarks.pages", "--serve"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None  # noqa: S101 - it is piped
        assert child.stdin is not None  # noqa: S101 - it is piped
        line = next(line for line in child.stdout if line.startswith("{"))
        try:
            return asyncio.run(_measured(json.loads(line)))
        finally:
            child.stdin.close()


async def _measured(served: dict[str, str]) -> list[dict[str, str | float]]:
    run = served["run"]
    found: list[dict[str, str | float]] = []
    pages = {
        "builder with its price": ("advisor", "/ask?purpose=product_insight&by=region"),
        "answer card": ("advisor", f"/answers/{run}"),
        "answers": ("advisor", "/answers"),
        "budget cockpit": ("privacy_officer", "/budget"),
        "approvals": ("privacy_officer", "/approvals"),
        "ledger": ("auditor", "/ledger"),
        "opinions in the ledger": ("auditor", "/ledger?kind=decided"),
        "evidence of an answer": ("auditor", f"/ledger/runs/{run}"),
        "cached answer over the API": ("advisor", f"/api/v1/runs/{run}"),
    }
    peer = await _p95(served, None, "/static/console.css")
    for name, (who, path) in pages.items():
        value = await _p95(served, served[who], path)
        found.append(
            {
                "name": f"{name}: 95 % of {A_SECOND} requests/s are back within, beside a file",
                "value": round(value, 1),
                "unit": "ms",
                "peer": round(peer, 1),
                "ratio": round(value / peer, 1),
            }
        )
    return found


async def _p95(served: dict[str, str], session: str | None, path: str) -> float:
    cookies = {"session": session} if session else {}
    limits = httpx.Limits(max_connections=50, keepalive_expiry=2.0)
    async with httpx.AsyncClient(
        base_url=served["address"], cookies=cookies, limits=limits, timeout=60.0
    ) as client:
        for _ in range(WARM_UP):
            (await client.get(path)).raise_for_status()
        start = time.perf_counter() + 0.1

        async def one(due: float) -> float:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            (await client.get(path)).raise_for_status()
            return (time.perf_counter() - due) * 1e3

        times = await asyncio.gather(*(one(start + n / A_SECOND) for n in range(A_SECOND * TURN_S)))
    return quantiles(times, n=20)[-1]


def serve() -> None:
    """Run the application with one released answer until standard input ends."""
    from federation.coordinator.desk import plan_of, submit  # noqa: PLC0415 - the child's alone
    from federation.coordinator.runs import RunState  # noqa: PLC0415 - the child's alone
    from tests.api.test_plans import QUESTION  # noqa: PLC0415 - the child's alone
    from tests.api.tiny_firm import write_tiny_folder  # noqa: PLC0415 - the child's alone
    from tests.browser.site import running  # noqa: PLC0415 - the child's alone

    with tempfile.TemporaryDirectory() as place:
        folder = write_tiny_folder(Path(place) / "folder")
        with running(folder, Path(place) / "state") as site:
            desk = site.dispatcher.desk
            for epsilon in (0.5, 0.6, 0.7, 0.8, 0.9, 9.0, 1.0):
                asked = QUESTION | {"kind": "question", "epsilon": epsilon}
                run = submit(plan_of(asked, desk), desk, asker="analyst").run.id
            while desk.runs.get(run).state is not RunState.RELEASED:
                time.sleep(0.1)
            _lengthen(desk.engine, desk.ledger.entries()[-1])
            for caught_up in (site.dispatcher.desk.ledger, site.app.state.desk.ledger):
                caught_up.state("firm")  # who follows a ledger has done so long before
                caught_up.history()
            time.sleep(SETTLED_S)
            people = ("advisor", "privacy_officer", "auditor")
            told = {name: site.cookie(name) for name in people}
            print(json.dumps(told | {"address": site.address, "run": run}), flush=True)
            sys.stdin.read()


def _lengthen(engine: sa.Engine, last: Entry) -> None:
    """Put LONG more entries into a ledger: small spends, and opinions on each other of them."""
    at, rho = last.event.at, Rho(1e-6)
    head, index = last.digest, last.index + 1
    lines: list[dict[str, str | int]] = []
    for n in range(LONG // 2):
        name = f"{n:016x}"
        second: Event = Committed(request=name, at=at)
        if n % 2:
            second = Decided(
                request=name, officer="ann", opinion=Opinion.APPROVE, reason="a review", at=at
            )
        for event in (Reserved(pool="firm/product_insight", rho=rho, request=name, at=at), second):
            entry = sealed(index, head, event)
            lines.append({"index": index, "entry": to_text(entry), "digest": entry.digest})
            head, index = entry.digest, index + 1
    with exclusive(engine) as db:
        db.execute(ENTRIES.insert(), lines)
        state = follow_read(EMPTY, read(stored(db)))
        db.execute(HEAD.update().values(head=head_text(head_of(state))))


if __name__ == "__main__":
    if "--serve" in sys.argv:
        serve()
    else:
        for row in rows():
            print(row)
