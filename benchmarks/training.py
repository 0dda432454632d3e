"""What a training costs: 3 departments × 100,000 clients × 50 fields, 6 rounds × 10 local steps.

One department's node answers the check and all rounds through its own door in a process of its own:
permits, consent, rows out of Parquet, design matrix, clipped steps, OpenDP noise, masks, journal
and ledger. Departments work side by side on machines of their own, so a training takes one node's
time and 7 legs. The peer is bare Flower legs (`legs`) and the same 60 steps in plain torch without
privacy (float32, autograd, SGD), all measured in this run; compute is processor time of one thread.
``ratio`` is total / total; the bar is 2.

Memory: how far the node's process grew at its peak above what it held with its libraries loaded,
over the size of its data as float64; the bar is 1.5.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from torch import nn

from benchmarks.legs import DEPARTMENTS, bare_leg
from consent.epochs import EpochDelta, pseudonyms, sign_delta
from federation.coordinator.epochs import load_signing_key
from federation.deployment.enrolment import Enrolment, enrol
from federation.messages import CONSENT_LABEL, Ask
from federation.node.answer import answer
from federation.node.node import Node, open_node
from federation.node.settings import load_settings
from federation.plans import canonical, digest
from federation.rounds import join_announcements
from federation.run_permit import Leg, RunPermit, sign_permit
from federation.sealing import seal
from federation.training_layout import architecture_of
from federation.training_plan import TrainingPlan
from models.architectures import Architecture
from models.networks import build
from models.parameters import initial_vector
from models.threads import torch_threads

CLIENTS, FIELDS, ROUNDS, STEPS = 100_000, 50, 6, 10
NETWORKS: Mapping[str, tuple[int, ...]] = {"logistic": (), "network 64-32": (64, 32)}
BAR, MEMORY_BAR = 2.0, 1.5
POLICY = """
kinds = ["training"]
max_rho = 50.0
delta = 1e-6
lifetime_epsilon = 100.0
[purposes]
review = 100.0
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
    """Seconds of a training beside bare legs and compute without privacy, and a node's memory."""
    leg = bare_leg()
    found: list[Row] = []
    for name, hidden in NETWORKS.items():
        measured = _in_a_process(hidden)
        plain, node = _without_privacy(hidden), measured["seconds"]
        legs = (1 + ROUNDS) * leg
        total, peer = legs + node, legs + plain
        what = f"training, 3 x {CLIENTS:,} x {FIELDS}, {ROUNDS} x {STEPS}, {name}"
        found += [
            _row(f"{what}: total / bare legs and no privacy (bar {BAR:g})", total, "s", peer),
            _row(f"{what}: a node / the steps without privacy", node, "s CPU", plain),
            _row(
                f"{what}: a node grows / its data (bar {MEMORY_BAR:g})",
                measured["grown"],
                "MiB",
                CLIENTS * FIELDS * 8 / 2**20,
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


def _in_a_process(hidden: tuple[int, ...]) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.training", json.dumps(hidden)]
    found: dict[str, float] = json.loads(subprocess.check_output(command))
    return found


def _without_privacy(hidden: tuple[int, ...]) -> float:
    """Processor seconds of 60 plain full-batch steps on as many rows and inputs."""
    lot = torch.Generator().manual_seed(1)
    features = torch.rand(CLIENTS, 2 * FIELDS, generator=lot)
    labels = (torch.rand(CLIENTS, generator=lot) < 0.5).float()
    model = build(Architecture(inputs=2 * FIELDS, hidden=hidden), lot).float()
    optimizer, loss = (
        torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
        nn.BCEWithLogitsLoss(),
    )
    with torch_threads(1):
        start = time.process_time()
        for _ in range(ROUNDS * STEPS):
            optimizer.zero_grad()
            loss(model(features).squeeze(1), labels).backward()
            optimizer.step()
        return time.process_time() - start


def _node_of(home: Path, hidden: tuple[int, ...]) -> dict[str, float]:
    """Let one node answer a whole training; say what it took."""
    enrolment = enrol("Bench", DEPARTMENTS, home / "keys", now=datetime.now(UTC))
    fields = [
        _FIELD.format(name=f"f{n:02d}", kind="number") + "lower = 0.0\nupper = 1.0\n"
        for n in range(FIELDS)
    ]
    (home / "catalogue.toml").write_text(
        _CATALOGUE + "".join(fields) + _FIELD.format(name="answer", kind="flag")
    )
    nodes = {name: _opened(home, name, enrolment) for name in DEPARTMENTS}
    ids = [f"CL{n:06d}" for n in range(CLIENTS)]
    _write_rows(home / "risk" / "data" / "clients.parquet", ids)
    plan = _plan(nodes["risk"], hidden)
    consent = _consent(enrolment, nodes["risk"], ids)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    weights = initial_vector(architecture_of(plan, nodes["risk"].catalogue))
    _answered(enrolment, nodes, plan, "check", 0, consent, b"")
    for number in range(ROUNDS):
        _answered(enrolment, nodes, plan, "round", number, b"", weights.astype("<f8").tobytes())
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {"seconds": time.process_time() - start, "grown": grown / 1024}


def _opened(home: Path, name: str, enrolment: Enrolment) -> Node:
    folder = home / name
    (folder / "data").mkdir(parents=True)
    (folder / "view.sql").write_text("SELECT * FROM read_parquet('{data}/clients.parquet')")
    (folder / "policy.toml").write_text(POLICY)
    keys = json.dumps(str(enrolment.department(name)))
    (folder / "node.toml").write_text(
        f'department = "{name}"\ncatalogue = "../catalogue.toml"\ndata = "data"\n'
        f'view = "view.sql"\npolicy = "policy.toml"\nkeys = {keys}\nstate = "state"\n'
    )
    return open_node(load_settings(folder / "node.toml"))


def _write_rows(path: Path, ids: list[str]) -> None:
    lot = torch.Generator().manual_seed(2)
    table: dict[str, object] = {"client_id": ids}
    for number in range(FIELDS):
        table[f"f{number:02d}"] = torch.rand(len(ids), generator=lot).double().numpy()
    table["answer"] = (torch.rand(len(ids), generator=lot) < 0.5).numpy()
    pq.write_table(pa.table(table), path)


def _plan(node: Node, hidden: tuple[int, ...]) -> TrainingPlan:
    return TrainingPlan(
        catalogue=node.catalogue.digest(),
        purpose="review",
        cohort=DEPARTMENTS,
        rho=0.02,
        reason="a benchmark",
        target="answer",
        features=tuple(f"f{n:02d}" for n in range(FIELDS)),
        hidden=hidden,
        rounds=ROUNDS,
        local_steps=STEPS,
    )


def _consent(enrolment: Enrolment, node: Node, ids: list[str]) -> bytes:
    key = (enrolment.consent / "pseudonyms" / "risk.key").read_bytes()
    now = int(time.time())
    delta = EpochDelta(
        department="risk",
        base=0,
        epoch=1,
        issued_at=now,
        expires_at=now + 3600,
        pseudonyms=b"".join(pseudonyms(key, ids)),
        levels=bytes([4]) * len(ids),
    )
    signed = sign_delta(delta, load_signing_key(enrolment.consent / "consent.key"))
    sealing = X25519PublicKey.from_public_bytes(node.roster.keys_of("risk").sealing)
    return seal(sealing, signed, label=CONSENT_LABEL)


def _answered(  # noqa: PLR0917 - one leg's facts
    enrolment: Enrolment,
    nodes: Mapping[str, Node],
    plan: TrainingPlan,
    leg: Leg,
    number: int,
    consent: bytes,
    payload: bytes,
) -> None:
    now = int(time.time())
    permit = RunPermit(
        plan=digest(plan).hex(),
        leg=leg,
        attempt=0,
        round=number,
        cohort=list(plan.cohort),
        reservation="bench",
        epoch=1,
        issued_at=now,
        expires_at=now + 3600,
        nonce=token_hex(16),
    )
    ask = Ask(
        leg=leg,
        permit=sign_permit(permit, load_signing_key(enrolment.coordinator / "permit.key")),
        plan=canonical(plan),
        announcements=join_announcements(nodes[d].announcement for d in plan.cohort),
        consent=consent,
        payload=payload,
    )
    said = answer(nodes["risk"], ask, now)
    if said.code != "ok":
        raise SystemExit(f"{said.code}: {said.text}")


if __name__ == "__main__":
    with TemporaryDirectory() as folder, torch_threads(1):
        print(json.dumps(_node_of(Path(folder), tuple(json.loads(sys.argv[1])))))
