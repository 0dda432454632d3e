"""A department's node as its own people's tools see it: they read what the worker keeps.

Nothing here can answer a leg: there is no session key. A plan is carried out by the worker alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from consent.catalogue import Catalogue, load_catalogue
from consent.epochs import Snapshot
from consent.errors import UnknownDepartment
from federation.database import open_database
from federation.errors import SettingsInvalid
from federation.node.journal import Journal
from federation.node.kept_consent import KeptConsent
from federation.node.keys import load_keys, noise_secret
from federation.node.learned import Learned
from federation.node.policy import Policy, load_policy
from federation.node.records import Source
from federation.node.settings import NodeSettings
from federation.node.stop_switch import StopSwitch
from federation.roster import open_roster
from privacy.mechanisms import draw_noise
from privacy.noise_pool import NoisePool
from privacy.store import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnNode:
    """One department's node, opened by the department. Keys and stores are hidden from its repr."""

    settings: NodeSettings
    catalogue: Catalogue = field(repr=False)
    policy: Policy = field(repr=False)
    source: Source = field(repr=False)
    pseudonym_key: bytes = field(repr=False)
    ledger: Ledger = field(repr=False)
    journal: Journal = field(repr=False)
    stop_switch: StopSwitch = field(repr=False)
    learned: Learned = field(repr=False)
    _noise: NoisePool = field(repr=False)
    _consent: KeptConsent = field(repr=False)
    _service: Ed25519PublicKey = field(repr=False)

    @property
    def department(self) -> str:
        """Whose node it is."""
        return self.settings.department

    def noise_left(self) -> Mapping[int, int]:
        """Return how many draws the noise pool holds, by sigma in lattice points."""
        return self._noise.fill().left

    def snapshot(self) -> Snapshot:
        """Return the consent snapshot the worker had last; sensitive.

        Raises:
            EpochInvalid, EpochStale: what the worker kept was altered.
        """
        return self._consent.snapshot(self.department, self._service)


def open_own(settings: NodeSettings) -> OwnNode:
    """Open a node that its worker has opened before. Writes nothing.

    Raises:
        SettingsInvalid: a file is wrong, or the worker has never been started.
        CatalogueError, UnknownDepartment: by the catalogue.
        WrongSignature, NotInRoster, ProtocolError: keys and roster do not belong together.
        LedgerBroken: the ledger was altered. NoisePoolRefused: the noise pool was.
    """
    catalogue = load_catalogue(settings.catalogue)
    if settings.department not in catalogue.departments:
        raise UnknownDepartment(settings.department, catalogue.departments)
    policy = load_policy(settings.policy)
    keys = load_keys(settings.keys)
    roster = open_roster(keys.roster, keys.root)
    if not (settings.state / "node.db").exists():
        reason = "state: this node was never started; start its worker once"
        raise SettingsInvalid(str(settings.state), reason)
    engine = open_database(settings.database)
    ledger = Ledger(engine, head=settings.state / "ledger.head")
    ledger.verify()
    return OwnNode(
        settings=settings,
        catalogue=catalogue,
        policy=policy,
        source=Source(
            department=settings.department,
            data=settings.data,
            view=settings.view,
            catalogue=catalogue,
        ),
        pseudonym_key=keys.pseudonym,
        ledger=ledger,
        journal=Journal(engine),
        stop_switch=StopSwitch(department=settings.department, file=settings.stopped),
        learned=Learned(engine),
        _noise=NoisePool(settings.noise, noise_secret(keys.identity), online=draw_noise),
        _consent=KeptConsent(engine),
        _service=Ed25519PublicKey.from_public_bytes(roster.consent),
    )
