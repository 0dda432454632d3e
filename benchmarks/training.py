"""A training end to end: 3 departments × 100,000 clients × 50 fields, 6 rounds × 10 local steps.

Real processes, TLS and node keys on: SuperLink, ServerApp, three SuperNodes and their workers. The
clock runs from a plan's submission to its release: permits, consent, rows out of Parquet, clipped
steps, OpenDP noise, masks, journals, ledgers. The peer is a bare Flower app on the same
configuration: as many legs, and in the rounds' each node takes the same steps without privacy
(float32, autograd, SGD) on rows it has in memory before the clock starts. Both run on this machine,
one after the other, so three departments share its cores in both. ``ratio`` is total / total; the
bar is 2. The federation has trained before: a first, short training takes the consent register to
the nodes, which a federation that runs has done long ago; how long that one took stands beside.

Memory: how much higher a worker's resident memory peaks with 100,000 clients than it does in the
same training with 1,000, when its libraries are as much in use. That is what the data adds: rows as
they are read, what is made of them, ids, consent. It is compared with the data as float64, 8 bytes
for each client and field; the largest of three workers counts. The bar is 1.5.
"""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from benchmarks.legs import DEPARTMENTS, bare_legs
from federation.coordinator.desk import Desk, open_desk, plan_of, submit
from federation.coordinator.evidence_log import open_evidence, open_register
from federation.coordinator.runs import RunState
from federation.coordinator.settings import load_coordinator_settings
from federation.database import open_database
from federation.deployment.enrolment import Enrolment, enrol
from federation.deployment.sandbox import Sandbox

CLIENTS, FEW, FIELDS, ROUNDS, STEPS = 100_000, 1_000, 50, 6, 10
NETWORKS: Mapping[str, list[int]] = {"logistic": [], "network 64-32": [64, 32]}
BAR, MEMORY_BAR = 2.0, 1.5
PATIENCE_S = 300.0
_NODE_POLICY = """
kinds = ["training"]
max_rho = 50.0
delta = 1e-6
lifetime_epsilon = 100.0
[purposes]
review = 100.0
"""
_POLICY = """
delta = 1e-6
automatic_epsilon = 100.0
[firm]
epsilon = 100.0
[purposes.review]
epsilon = 100.0
"""
_CATALOGUE = """
name = "bench"
departments = ["advisory", "research", "risk"]
[[purposes]]
name = "review"
title = "review"
"""
_FIELD = """
[[fields]]
name = "{name}"
title = "{name}"
departments = ["advisory", "research", "risk"]
kind = "{kind}"
level = 1
purposes = ["review"]
"""

Row = Mapping[str, object]


def rows() -> list[Row]:
    """Seconds of a training beside one without privacy, and what its data adds to a worker."""
    (_, few), (first, many) = _trainings(FEW), _trainings(CLIENTS)
    name = f"training, 3 x {CLIENTS:,} x {FIELDS}, 1 x 1, logistic, the first of a federation"
    found: list[Row] = [{"name": name, "value": round(first, 2), "unit": "s"}]
    for name, hidden in NETWORKS.items():
        seconds, peak = many[name]
        plain = {"clients": CLIENTS, "inputs": 2 * FIELDS, "hidden": hidden, "steps": STEPS}
        bare = sum(bare_legs(legs=1 + ROUNDS, training=json.dumps(plain)))
        what = f"training, 3 x {CLIENTS:,} x {FIELDS}, {ROUNDS} x {STEPS}, {name}"
        data = CLIENTS * FIELDS * 8 / 2**20
        found += [
            _row(
                f"{what}: total / bare legs, no privacy (bar {BAR:g})",
                seconds,
                "s",
                bare,
            ),
            _row(
                f"{what}: its data adds / its data (bar {MEMORY_BAR:g})",
                peak - few[name][1],
                "MiB",
                data,
            ),
        ]
    return found


def _row(name: str, value: float, unit: str, peer: float) -> Row:
    return {
        "name": name,
        "value": round(value, 2),
        "unit": unit,
        "peer": round(peer, 2),
        "ratio": round(value / peer, 2),
    }


def _trainings(clients: int) -> tuple[float, dict[str, tuple[float, float]]]:
    """Train each network once on a federation; return seconds and a worker's peak in MiB.

    The first number is that of the short training before them.
    """
    with TemporaryDirectory() as folder, _federation(Path(folder), clients) as (desk, workers):
        first = _seconds(desk, [], rounds=1, steps=1)
        measured = {}
        for name, hidden in NETWORKS.items():
            measured[name] = _seconds(desk, hidden), _peak(workers)
        return first, measured


def _seconds(desk: Desk, hidden: list[int], *, rounds: int = ROUNDS, steps: int = STEPS) -> float:
    request = {
        "kind": "training",
        "purpose": "review",
        "cohort": list(DEPARTMENTS),
        "rho": 0.02,
        "reason": "a benchmark",
        "target": "answer",
        "features": [f"f{n:02d}" for n in range(FIELDS)],
        "hidden": hidden,
        "rounds": rounds,
        "local_steps": steps,
    }
    began = time.monotonic()
    run = submit(plan_of(request, desk), desk, asker="benchmark").run.id
    while (state := desk.runs.get(run).state) in (RunState.ACCEPTED, RunState.RUNNING):
        if time.monotonic() - began > PATIENCE_S:
            raise TimeoutError(desk.runs.get(run).step)
        time.sleep(0.01)
    if state is not RunState.RELEASED:
        raise RuntimeError(desk.runs.get(run).refusal)
    return time.monotonic() - began


def _peak(workers: list[int]) -> float:
    """The largest of the workers' peaks so far, in MiB."""
    lines = [
        line
        for worker in workers
        for line in Path(f"/proc/{worker}/status").read_text().splitlines()
        if line.startswith("VmHWM")
    ]
    return max(int(line.split()[1]) for line in lines) / 1024


@contextmanager
def _federation(home: Path, clients: int) -> Iterator[tuple[Desk, list[int]]]:
    """Start a federation whose departments have so many clients, all of level 4."""
    enrolment = enrol("Bench", DEPARTMENTS, home / "keys", now=datetime.now(UTC))
    fields = [
        _FIELD.format(name=f"f{n:02d}", kind="number") + "lower = 0.0\nupper = 1.0\n"
        for n in range(FIELDS)
    ]
    (home / "catalogue.toml").write_text(
        _CATALOGUE + "".join(fields) + _FIELD.format(name="answer", kind="flag")
    )
    ids = [f"CL{n:06d}" for n in range(clients)]
    nodes = {name: _node(home, name, enrolment, ids, seed) for seed, name in enumerate(DEPARTMENTS)}
    (home / "policy.toml").write_text(_POLICY)
    coordinator = home / "coordinator.toml"
    coordinator.write_text(
        f'database = "sqlite:///{home}/coordinator.db"\ncatalogue = "{home}/catalogue.toml"\n'
        f'policy = "{home}/policy.toml"\nkeys = "{enrolment.coordinator}"\ndeadline_s = 60.0\n'
        f'consent_keys = "{enrolment.consent}"\nmodels = "{home}/models"\n'
    )
    settings = load_coordinator_settings(coordinator)
    engine = open_database(settings.database)
    register = open_register(engine, open_evidence(settings, engine))
    register.load([(client, client, 4) for client in ids], datetime.now(UTC))
    engine.dispose()
    sandbox = Sandbox.start(home / "federation", enrolment, nodes, coordinator=coordinator)
    try:
        running = sandbox.processes()
        yield open_desk(settings), [running[f"{name}-worker"] for name in DEPARTMENTS]
    finally:
        sandbox.stop()


def _node(home: Path, name: str, enrolment: Enrolment, ids: list[str], seed: int) -> Path:
    folder = home / name
    (folder / "data").mkdir(parents=True)
    lot = torch.Generator().manual_seed(seed)
    table: dict[str, object] = {"client_id": ids}
    for number in range(FIELDS):
        table[f"f{number:02d}"] = torch.rand(len(ids), generator=lot).double().numpy()
    table["answer"] = (torch.rand(len(ids), generator=lot) < 0.5).numpy()
    pq.write_table(pa.table(table), folder / "data" / "clients.parquet")
    (folder / "view.sql").write_text("SELECT * FROM read_parquet('{data}/clients.parquet')")
    (folder / "policy.toml").write_text(_NODE_POLICY)
    keys = json.dumps(str(enrolment.department(name)))
    (folder / "node.toml").write_text(
        f'department = "{name}"\ncatalogue = "../catalogue.toml"\ndata = "data"\n'
        f'view = "view.sql"\npolicy = "policy.toml"\nkeys = {keys}\nstate = "state"\n'
    )
    return folder / "node.toml"
