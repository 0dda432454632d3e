"""What a cube costs through real Flower: seconds, bytes on the wire and memory, at three sizes.

Thirty made-up fields of five bins each, ten from each of three departments that know four fifths of
the clients each. Bytes are what the departments' nodes sent, by their own journals; the coordinator
sends as many back, for it only carries sealed matrices. Memory is the largest a worker ever had.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from api.demo.folder import read_folder
from api.demo.prepare import prepare
from federation.coordinator.desk import Desk, open_desk, plan_of, submit
from federation.coordinator.runs import RunState
from federation.coordinator.settings import load_coordinator_settings
from federation.deployment.sandbox import Sandbox

DEPARTMENTS = ("advisory", "research", "risk")
SIZES = {"10,000": (10_000, 2**14), "30,000": (30_000, 2**15), "3 x 100,000": (125_000, 2**17)}
KEPT = 0.7
"""Of a demo folder's clients, nodes get so many."""

Row = dict[str, str | float | None]


def rows() -> list[Row]:
    """Measure one cube at each size, the second that is asked of a warm federation."""
    found: list[Row] = []
    for name, (clients, planned) in SIZES.items():
        with TemporaryDirectory() as folder, _firm(Path(folder), round(clients / KEPT)) as firm:
            found += _measured(name, planned, *firm)
    return found


def _measured(name: str, planned: int, desk: Desk, sandbox: Sandbox, home: Path) -> list[Row]:
    request = {
        "kind": "cube",
        "purpose": "research",
        "fields": [f.name for f in desk.catalogue.fields],
        "clients": planned,
        "reason": "a benchmark",
    }
    for rho in (0.1, 0.2):
        began, steps = time.monotonic(), {}
        run = submit(plan_of(request | {"rho": rho}, desk), desk, asker="benchmark").run.id
        while (seen := desk.runs.get(run)).state in (RunState.ACCEPTED, RunState.RUNNING):
            steps.setdefault(seen.step, time.monotonic())
            time.sleep(0.01)
        if seen.state is not RunState.RELEASED:
            raise RuntimeError(seen.refusal)
    whole = time.monotonic() - began
    starts = {step.split(",")[0]: at for step, at in reversed(steps.items())}
    ends = [*list(starts.values())[::-1][1:], began + whole]
    sent = _sent(home, desk.runs.get(run).digest)
    found: list[Row] = [
        {"name": f"cube of 30 fields, {name}: {leg}", "value": megabytes, "unit": "MB sent"}
        for leg, megabytes in sent.items()
    ]
    for (step, start), end in zip(list(starts.items())[::-1], ends, strict=True):
        row = f"cube of 30 fields, {name}: {step}"
        found.append({"name": row, "value": end - start, "unit": "s"})
    found.append({"name": f"cube of 30 fields, {name}: whole", "value": whole, "unit": "s"})
    memory = max(_peak(pid) for pid in sandbox.processes().values())
    found.append({"name": f"cube, {name}: largest process", "value": memory, "unit": "MB"})
    return found


def _sent(home: Path, plan: str) -> dict[str, float]:
    """Megabytes that left all three nodes in each kind of leg."""
    totals: dict[str, float] = {}
    for department in DEPARTMENTS:
        with sqlite3.connect(home / department / "state" / "node.db") as db:
            query = "SELECT leg, sum(size) FROM left_the_node WHERE plan = ? GROUP BY leg"
            for leg, size in db.execute(query, (plan,)):
                totals[leg] = totals.get(leg, 0.0) + size / 1e6
    return totals


def _peak(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


@contextmanager
def _firm(folder: Path, clients: int) -> Iterator[tuple[Desk, Sandbox, Path]]:
    demo = _demo(folder / "demo", clients)
    state = folder / "state"
    state.mkdir()
    prepared = prepare(read_folder(demo), state, now=datetime.now(UTC), progress=_quiet)
    sandbox = Sandbox.start(
        state / "federation", prepared.enrolment, prepared.nodes, coordinator=prepared.coordinator
    )
    try:
        desk = open_desk(load_coordinator_settings(prepared.coordinator))
        yield desk, sandbox, state / "departments"
    finally:
        sandbox.stop()


def _clients(columns: str, clients: int) -> str:
    """Make as many rows as there are clients, each under its id."""
    return f"SELECT printf('C%07d', i) AS client_id, {columns} FROM range({clients}) AS t(i)\n"  # noqa: S608 - our own words


def _demo(home: Path, clients: int) -> Path:
    """Write a demo folder whose rows are made by its views."""
    fields = {f"{d}_{n}": d for d in DEPARTMENTS for n in range(10)}
    purposes = '[[purposes]]\nname = "research"\ntitle = "Research"\n'
    catalogue = f'name = "made up"\ndepartments = {list(DEPARTMENTS)}\n{purposes}' + "".join(
        f'[[fields]]\nname = "{name}"\ntitle = "{name}"\ndepartments = ["{department}"]\n'
        'kind = "number"\nlower = 0\nupper = 100\nedges = [20, 40, 60, 80]\nlevel = 1\n'
        'purposes = ["research"]\n'
        for name, department in fields.items()
    )
    asked = 'purpose = "research"\nepsilon = 1.0\nreason = "a benchmark"\n'
    question = asked + 'statistics = [{ kind = "count" }]\n'
    training = asked + 'target = "risk_0"\nfeatures = ["risk_1"]\nrounds = 1\nlocal_steps = 1\n'
    texts = {
        "catalogue.toml": catalogue,
        "policy.toml": "delta = 1e-6\nautomatic_epsilon = 50.0\nminimum_cohort = 2\n[firm]\n"
        "epsilon = 90.0\n[purposes.research]\nepsilon = 80.0\n",
        "question.toml": question,
        "refused.toml": question,
        "training.toml": training,
        "register.sql": _clients("printf('C%07d', i) AS household_id, 4 AS level", clients),
    }
    for name in DEPARTMENTS:
        columns = ", ".join(
            f"(hash(i, '{field}') % 100)::DOUBLE AS {field}"
            for field, department in fields.items()
            if department == name
        )
        known = f"WHERE hash(i, '{name}') % 5 < 4\n"
        texts[f"departments/{name}/view.sql"] = _clients(columns, clients) + known
        texts[f"departments/{name}/policy.toml"] = (
            'kinds = ["cube"]\nmax_rho = 10.0\ndelta = 1e-6\nlifetime_epsilon = 90.0\n'
            "[purposes]\nresearch = 80.0\n"
        )
        (home / "data" / name).mkdir(parents=True)
    for place, text in texts.items():
        (home / place).parent.mkdir(parents=True, exist_ok=True)
        (home / place).write_text(text)
    return home


def _quiet(_text: str, _part: float) -> None:
    pass
