"""Two coordinators on one ledger, doing everything at once: no lease, no token, nothing lost.

Each decides inside the transaction that excludes the other, on the newest entries. So what the two
were told, put together, is what the ledger says; and every pool stays within its budget, or
`verify` would name the entry that overdrew it.
"""

import json
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from fractions import Fraction

import pytest
import sqlalchemy as sa

from privacy.entries import Changed, Opened, Reserved
from privacy.loss import Delta, Rho
from privacy.store import Ledger

AT = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
DELTA = Delta(1e-6)
ROUNDS = 30

COORDINATOR = """
import json
import sys
from datetime import UTC, datetime
from federation.database import open_database
from privacy.entries import Opinion
from privacy.errors import BudgetExceeded, LedgerConflict
from privacy.loss import Delta, Rho
from privacy.store import Ledger

AT = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
DELTA = Delta(1e-6)
url, name, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
ledger = Ledger(open_database(url))
told = []


def tell(act, request, work):
    try:
        work()
    except (BudgetExceeded, LedgerConflict) as refusal:
        told.append([type(refusal).__name__, request])
        return False
    told.append([act, request])
    return True


print("ready", flush=True)
sys.stdin.readline()
for n in range(rounds):
    both, own, study = f"both {n}", f"{name} {n}", f"firm/p/study {n}"
    ledger.open_pool(study, Rho(1.0), DELTA, AT)
    if tell("reserved", both, lambda: ledger.reserve("firm/p", Rho(1 / 64), both, AT)):
        if (name == "left") == bool(n % 2):
            tell("committed", both, lambda: ledger.commit(both, AT))
        else:
            tell("abandoned", both, lambda: ledger.abandon(both, AT))
    if tell("reserved", own, lambda: ledger.reserve(study, Rho(1 / 32), own, AT)) and n % 3:
        tell("committed", own, lambda: ledger.commit(own, AT))
    ledger.decide(both, name, Opinion.APPROVE, "together", AT)
    budget = Rho(3.0 + n + (name == "left") / 2)
    ledger.change("firm", budget, DELTA, AT, reason=own, who=name)
    state = ledger.state("firm/p", AT)
    assert state.spent.value + state.reserved.value <= 1.0
ledger.verify()
print(json.dumps(told))
"""


def both_at_once(url: str) -> list[list[list[str]]]:
    """Let two processes go at once; return what each was told."""
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", COORDINATOR, url, name, str(ROUNDS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("left", "right")
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    answers = [worker.communicate()[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0]
    return [json.loads(answer) for answer in answers]


@pytest.fixture
def ledger(engine: sa.Engine) -> Ledger:
    opened = Ledger(engine)
    opened.open_pool("firm", Rho(2.0), DELTA, AT)
    opened.open_pool("firm/p", Rho(1.0), DELTA, AT)
    return opened


def test_what_two_coordinators_were_told_together_is_what_the_ledger_says(
    url: str, ledger: Ledger
) -> None:
    told = [(act, request) for answer in both_at_once(url) for act, request in answer]
    events = [entry.event for entry in ledger.entries()]
    ledger.verify()
    reservations = ledger._read().reservations
    acts = Counter(act for act, _ in told)
    assert min(acts["BudgetExceeded"], acts["LedgerConflict"], acts["committed"]) > 0

    promised = Counter(event.request for event in events if isinstance(event, Reserved))
    assert set(promised) == {request for act, request in told if act == "reserved"}
    assert set(promised.values()) == {1}
    for act, request in told:
        if act in ("committed", "abandoned"):
            assert reservations[request].status == act
    spent = sum(
        Fraction(found.rho.value) for found in reservations.values() if found.status == "committed"
    )
    assert Fraction(ledger.state("firm/p", AT).spent.value) == spent <= 1

    assert sum(isinstance(event, Opened) for event in events) == 2 + ROUNDS
    assert sum(isinstance(event, Changed) for event in events) == 2 * ROUNDS
    for n in range(ROUNDS):
        officers = [decided.officer for decided in ledger.decisions(f"both {n}")]
        assert sorted(officers) == ["left", "right"]
