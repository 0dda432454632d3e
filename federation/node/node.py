"""A department's node, opened: its settings, keys, stores, and what its worker remembers."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from secrets import token_bytes
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from structlog.typing import FilteringBoundLogger

from consent.catalogue import Catalogue, load_catalogue
from consent.epochs import Snapshot
from consent.errors import UnknownDepartment
from federation.alignment import TokenList
from federation.budgets import keep_to_policy
from federation.database import open_database
from federation.deployment.enrolment import ALIGNMENT_KEY_LABEL
from federation.derivation import derived_key
from federation.node.announcements import announcement_json
from federation.node.cube_memory import Listed, Placed
from federation.node.journal import Journal
from federation.node.kept_consent import KeptConsent
from federation.node.keys import load_keys, noise_secret
from federation.node.learned import Attempt, Learned
from federation.node.log import open_log
from federation.node.policy import Policy, load_policy
from federation.node.records import Source
from federation.node.refill import Refill
from federation.node.settings import NodeSettings
from federation.node.stop_switch import StopSwitch
from federation.node.witnessing import Witness, open_witness
from federation.roster import Roster, open_roster
from federation.sealing import open_sealed
from federation.secure_aggregation.keys import SESSION_BYTES, SessionKey, announce
from models.packing import Packed
from privacy.loss import Delta
from privacy.mechanisms import draw_noise
from privacy.noise_pool import NoisePool
from privacy.noise_shares import Noise
from privacy.store import Ledger

REMEMBERED = 16
"""Unfinished attempts a worker keeps in memory; older ones are forgotten and must start again."""

_NOISE_LABEL = b"infosandbox/noise/v1"
_DATA_LABEL = b"infosandbox/data-epoch/v1"

Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class SentTokens:
    """The clients whose tokens were sent for one attempt, and the order they were sent in."""

    client_ids: tuple[str, ...] = field(repr=False)
    tokens: TokenList = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KeptRows:
    """What one attempt trains on, so that a round need not read it again. Sensitive, hidden.

    opened: names the files, rows and cells it was made of. features: by input. labels: float32 [n].
    """

    attempt: Attempt
    opened: bytes = field(repr=False)
    features: Packed = field(repr=False)
    labels: npt.NDArray[np.float32] = field(repr=False)


@dataclass(slots=True, kw_only=True)
class Memory:
    """What a worker remembers between legs and loses with its process. Sensitive, hidden.

    snapshot: consent as of the last epoch. tokens: sent, for the legs that sum owned clients.
    cubes: from the tokens leg to the shares leg. training: until its last round, or the next one.
    """

    snapshot: Snapshot = field(repr=False)
    tokens: dict[Attempt, SentTokens] = field(default_factory=dict, repr=False)
    cubes: dict[Attempt, Listed | Placed] = field(default_factory=dict, repr=False)
    training: KeptRows | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One department's opened node. Keys, stores and memory are hidden from its repr.

    noise: where every share of noise comes from: the pool, or OpenDP at once. refill: fills it.
    """

    department: str
    catalogue: Catalogue = field(repr=False)
    policy: Policy = field(repr=False)
    roster: Roster = field(repr=False)
    source: Source = field(repr=False)
    sealing: X25519PrivateKey = field(repr=False)
    pseudonym_key: bytes = field(repr=False)
    alignment_key: bytes = field(repr=False)
    data_key: bytes = field(repr=False)
    session: SessionKey = field(repr=False)
    announcement: bytes = field(repr=False)
    ledger: Ledger = field(repr=False)
    journal: Journal = field(repr=False)
    learned: Learned = field(repr=False)
    consent: KeptConsent = field(repr=False)
    stop_switch: StopSwitch = field(repr=False)
    witness: Witness = field(repr=False)
    log: FilteringBoundLogger = field(repr=False)
    memory: Memory = field(repr=False)
    noise: Noise = field(repr=False)
    refill: Refill = field(repr=False)


def open_node(settings: NodeSettings, *, now: datetime | None = None) -> Node:
    """Open a department's node with a new session key.

    Raises:
        SettingsInvalid, CatalogueError, UnknownDepartment: a file is missing or wrong.
        WrongSignature, NotInRoster, ProtocolError: keys and roster do not belong together.
        LedgerBroken: the ledger was altered; nothing is answered until it is restored or repaired.
        BudgetBelowSpent: the policy gives less than what is spent. ClockWentBack: by the ledger.
        NoisePoolRefused: the noise pool was altered, or is another node's.
    """
    department = settings.department
    catalogue = load_catalogue(settings.catalogue)
    if department not in catalogue.departments:
        raise UnknownDepartment(department, catalogue.departments)
    policy = load_policy(settings.policy)
    keys = load_keys(settings.keys)
    roster = open_roster(keys.roster, keys.root)
    sealed = roster.keys_of(department).alignment_key_sealed
    session = SessionKey(
        department=department,
        session=token_bytes(SESSION_BYTES),
        private=X25519PrivateKey.generate(),
    )
    announcement = announce(session, identity=keys.identity, roster=roster)
    engine = open_database(settings.database)
    ledger = Ledger(engine, head=settings.state / "ledger.head")
    ledger.verify()
    keep_to_policy(
        ledger,
        policy.budgets(),
        Delta(value=policy.delta),
        reason=policy.reason,
        at=now or datetime.now(UTC),
    )
    own = keys.identity.private_bytes_raw()
    noise = NoisePool(settings.noise, noise_secret(keys.identity), online=draw_noise)
    log = open_log(settings.log)
    return Node(
        department=department,
        catalogue=catalogue,
        policy=policy,
        roster=roster,
        source=Source(
            department=department, data=settings.data, view=settings.view, catalogue=catalogue
        ),
        sealing=keys.sealing,
        pseudonym_key=keys.pseudonym,
        alignment_key=open_sealed(keys.sealing, sealed, label=ALIGNMENT_KEY_LABEL),
        data_key=derived_key(own, label=_DATA_LABEL, context=()),
        session=session,
        announcement=announcement_json(announcement),
        ledger=ledger,
        journal=Journal(engine),
        learned=Learned(engine),
        consent=KeptConsent(engine),
        stop_switch=StopSwitch(department=department, file=settings.stopped),
        witness=open_witness(engine, roster, department, keys.identity),
        log=log,
        memory=Memory(snapshot=Snapshot.empty(department)),
        noise=noise.draw,
        refill=Refill(noise, log),
    )


def remember(memory: dict[Key, Value], key: Key, value: Value) -> None:
    """Keep a value, forgetting the oldest beyond REMEMBERED."""
    memory[key] = value
    for oldest in list(memory)[:-REMEMBERED]:
        del memory[oldest]
