"""A small firm on disk: three departments with files, keys and policies, and a coordinator."""

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from consent.catalogue import Catalogue, load_catalogue
from consent.epochs import EpochDelta, household_pseudonym, pseudonyms, sign_delta
from federation.coordinator.desk import Desk, open_desk
from federation.coordinator.protection import protected
from federation.coordinator.settings import CoordinatorSettings
from federation.deployment.enrolment import Enrolment, enrol
from federation.messages import Answer, Ask
from federation.node.answer import answer
from federation.node.node import Node, open_node
from federation.node.settings import load_settings
from federation.plans import AnyPlan, canonical, digest, read_plan
from federation.rounds import Brief, Leg, join_announcements
from federation.run_permit import RunPermit, sign_permit
from federation.sealing import seal

NOW = 1_800_000_000
OPENED = datetime(2026, 11, 22, tzinfo=UTC)
DEPARTMENTS = ("advisory", "research", "risk")
CATALOGUE = Path(__file__).parent / "node" / "catalogue.toml"
POLICY = """
kinds = ["question", "training", "cube", "evaluation"]
max_rho = 50.0
delta = 1e-6
lifetime_epsilon = 100.0

[purposes]
review = 100.0
"""
VIEW = "SELECT * FROM read_parquet('{data}/clients.parquet')"

Rows = dict[str, dict[str, Any]]
"""Client id → field → value; what all departments would see together."""


@dataclass(slots=True, kw_only=True)
class Firm:
    """Everything of a test federation but the wire, with a coordinator that can be made to lie."""

    folder: Path
    enrolment: Enrolment
    catalogue: Catalogue
    rows: Mapping[str, Rows]
    levels: dict[str, int]
    epoch: int = 1
    nodes: dict[str, Node] = field(default_factory=dict)

    def open(self, department: str) -> Node:
        """Open a department's node on its folder, as a new worker would."""
        settings = load_settings(self.folder / department / "node.toml")
        self.nodes[department] = open_node(settings, now=datetime.fromtimestamp(NOW, UTC))
        return self.nodes[department]

    def write(self, department: str, rows: Rows) -> None:
        """Put a department's rows into its only data file."""
        held = [f.name for f in self.catalogue.fields if department in f.departments]
        table: dict[str, list[Any]] = {"client_id": list(rows)}
        table |= {name: [row[name] for row in rows.values()] for name in held}
        pq.write_table(pa.table(table), self.folder / department / "data" / "clients.parquet")

    def plan(self, **changes: Any) -> AnyPlan:
        """Make a question unless ``kind`` says otherwise."""
        values: dict[str, Any] = {
            "kind": "question",
            "catalogue": self.catalogue.digest(),
            "purpose": "review",
            "cohort": DEPARTMENTS,
            "rho": 8.0,
            "reason": "a test",
            "statistics": ({"kind": "count"},),
            "by": ("age",),
        }
        if changes.get("kind") == "training":
            del values["statistics"], values["by"]
            values |= {"target": "defaulted", "features": ("age",), "rounds": 2, "local_steps": 3}
        one = {"clients_per_household": 1}  # every client is a household here
        return read_plan(protected(one | values | changes, self.catalogue))

    def permit(self, plan: AnyPlan, leg: str, /, **changes: Any) -> str:
        """Sign a permit with the coordinator's key, or with the key in ``key``."""
        key = changes.pop("key", None) or self.key("coordinator/permit.key")
        values: dict[str, Any] = {
            "plan": digest(plan).hex(),
            "leg": leg,
            "attempt": 0,
            "round": 0,
            "cohort": list(plan.cohort),
            "reservation": "r1",
            "epoch": self.epoch,
            "issued_at": NOW,
            "expires_at": NOW + 60,
            "nonce": token_hex(16),
        }
        return sign_permit(RunPermit(**values | changes), key)

    def delta(self, department: str, /, **changes: Any) -> bytes:
        """Seal the whole register to a department as the newest epoch."""
        signing = changes.pop("key", None) or self.key("consent/consent.key")
        recipient = changes.pop("recipient", department)
        key = (self.enrolment.folder / f"consent/pseudonyms/{department}.key").read_bytes()
        values: dict[str, Any] = {
            "department": department,
            "base": 0,
            "epoch": self.epoch,
            "issued_at": NOW,
            "expires_at": NOW + 600,
            "pseudonyms": b"".join(pseudonyms(key, self.levels)),
            "levels": bytes(self.levels.values()),
            "households": b"".join(household_pseudonym(key, client) for client in self.levels),
        }
        roster = self.nodes[department].roster
        sealing = X25519PublicKey.from_public_bytes(roster.keys_of(recipient).sealing)
        signed = sign_delta(EpochDelta(**values | changes), signing)
        return seal(sealing, signed, label=b"consent-epoch")

    def announcements(self, cohort: tuple[str, ...] = DEPARTMENTS) -> bytes:
        """Join the cohort's announcements."""
        return join_announcements(self.nodes[d].announcement for d in cohort)

    def ask(self, plan: AnyPlan, leg: str, department: str, /, **changes: Any) -> Ask:
        """Write a leg to a department, honest but for ``changes`` of the ask's fields."""
        values: dict[str, Any] = {
            "leg": leg,
            "plan": canonical(plan),
            "announcements": self.announcements(),
        } | changes
        if "permit" not in values:
            values["permit"] = self.permit(plan, leg)
        if "consent" not in values:
            values["consent"] = self.delta(department)
        return Ask(**values)

    def brief(self, plan: AnyPlan, *, attempt: int = 0) -> Brief:
        """Brief a whole journey with honest permits and epochs."""
        return Brief(
            plan=plan,
            attempt=attempt,
            catalogue=self.catalogue,
            announcements={d: self.nodes[d].announcement for d in plan.parties},
            permit=lambda leg, number: self.permit(plan, leg, round=number, attempt=attempt),
            consent=self.delta,
        )

    def exchange(self, leg: Leg) -> Mapping[str, Answer]:
        """Carry a leg to the nodes and back, without a wire."""
        return {d: answer(self.nodes[d], ask, NOW) for d, ask in leg.asks.items()}

    def join(self, *fields: str) -> Rows:
        """Join all departments' rows the plain way: clients whose every field is open and there."""
        levels = {f.name: int(f.level) for f in self.catalogue.fields}
        holders = {f.name: set(f.departments) for f in self.catalogue.fields}
        return {
            client: row
            for department in DEPARTMENTS
            if all(department in holders[name] for name in fields)
            for client, row in self.rows[department].items()
            if all(row[n] is not None and self.levels[client] >= levels[n] for n in fields)
        }

    def key(self, name: str) -> Ed25519PrivateKey:
        """Read a signing key of the enrolment."""
        key = load_pem_private_key((self.enrolment.folder / name).read_bytes(), password=None)
        assert isinstance(key, Ed25519PrivateKey)
        return key

    def traces(self, department: str) -> tuple[int, int, float]:
        """Say what a node wrote down: departures, ledger entries, ρ reserved or spent."""
        node = self.nodes[department]
        pool = node.ledger.state("department/review")
        used = pool.spent.value + pool.reserved.value
        return len(node.journal.departures()), len(node.ledger.entries()), used


def everyone(size: int) -> Rows:
    """Make clients whose values are a fixed function of their number, some of them absent."""
    schools = ("school", "university", "other")
    return {
        f"CL{number:05d}": {
            "age": None if number % 17 == 0 else 18 + (number * 7) % 80,
            "education": None if number % 13 == 0 else schools[number % 3],
            "income": None if number % 11 == 0 else float((number * 37) % 12000 - 1500),
            "defaulted": None if number % 19 == 0 else (number * 7) % 80 > 40,
        }
        for number in range(size)
    }


def known_to(department: str, number: int) -> bool:
    """Say which department knows which client: all three know a third of them."""
    place = DEPARTMENTS.index(department)
    return number % 3 == 0 or number % 3 == place or (number // 3) % 3 == place


MakeFirm = Callable[..., Firm]


@pytest.fixture
def make_firm(tmp_path: Path) -> MakeFirm:
    """Return a function that founds a firm with ``size`` clients and opens its nodes."""

    def found(
        size: int = 120,
        *,
        policy: str = POLICY,
        view: str = VIEW,
        without: str | None = None,
        levels: Callable[[int], int] = lambda number: number % 5,
    ) -> Firm:
        folder = tmp_path / token_hex(4)
        enrolment = enrol(
            "test firm", DEPARTMENTS, folder / "keys", now=datetime.fromtimestamp(NOW, UTC)
        )
        (folder / "catalogue.toml").write_bytes(CATALOGUE.read_bytes())
        clients = everyone(size)
        rows = {
            d: {c: r for n, (c, r) in enumerate(clients.items()) if known_to(d, n) and c != without}
            for d in DEPARTMENTS
        }
        firm = Firm(
            folder=folder,
            enrolment=enrolment,
            catalogue=load_catalogue(folder / "catalogue.toml"),
            rows=rows,
            levels={client: levels(number) for number, client in enumerate(clients)},
        )
        for department in DEPARTMENTS:
            home = folder / department
            (home / "data").mkdir(parents=True)
            (home / "view.sql").write_text(view)
            (home / "policy.toml").write_text(policy)
            (home / "node.toml").write_text(node_toml(department, enrolment))
            firm.write(department, rows[department])
            firm.open(department)
        return firm

    return found


def node_toml(department: str, enrolment: Enrolment) -> str:
    """Write a department's node.toml and check that it is TOML."""
    keys = json.dumps(str(enrolment.department(department)))
    text = f"""
department = "{department}"
catalogue = "../catalogue.toml"
data = "data"
view = "view.sql"
policy = "policy.toml"
keys = {keys}
state = "state"
"""
    assert tomllib.loads(text)
    return text


@pytest.fixture(scope="session")
def desk_at(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Desk]:
    """Return a function that opens a coordinator's desk in a folder, under one firm's keys."""
    keys = tmp_path_factory.mktemp("firm") / "keys"
    enrol("test firm", DEPARTMENTS, keys, now=OPENED)
    places = {"keys": keys / "coordinator", "consent_keys": keys / "consent"}

    def opened(folder: Path, policy: str, **settings: Any) -> Desk:
        (folder / "policy.toml").write_text(policy)
        values = places | {"catalogue": CATALOGUE, "policy": folder / "policy.toml"}
        values |= {"database": f"sqlite:///{folder / 'desk.db'}", "models": folder / "models"}
        return open_desk(CoordinatorSettings(**values | settings), now=OPENED)

    return opened


@pytest.fixture
def firm(make_firm: MakeFirm) -> Firm:
    """Found a firm of 120 clients."""
    return make_firm()


@pytest.fixture
def policy() -> str:
    """Return the policy every department starts with; its last table is ``purposes``."""
    return POLICY
