"""The whole path as a state machine: register, delta, node and decision against a plain model.

The model keeps, for every switch of every client (the level, each objection, the family objection),
the list of what was asked and when. At the last instant that anything was asked of a switch, what
closes wins, else the last that was asked. It knows no sequence numbers, deltas or arrays.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from consent.catalogue import Catalogue, Field
from consent.decisions import check_fields, decide
from consent.deltas import delta_of
from consent.epochs import Snapshot, apply, open_delta, pseudonyms, sign_delta
from consent.events import (
    ObjectForFamily,
    ObjectTo,
    Request,
    SetLevel,
    WithdrawFamilyObjection,
    WithdrawObjection,
)
from consent.levels import Level
from consent.packed import pack
from consent.purposes import Purpose
from consent.register import fold
from consent.store import Register

T0 = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
KEY = b"k" * 32
SIGNING = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
HOUSEHOLDS = {"ann": "h1", "bob": "h1", "kim": "h2"}
CLIENTS = tuple(HOUSEHOLDS)
PURPOSES = tuple(Purpose(name=name, title=name) for name in ("insight", "model"))


def flag(name: str, level: int, *, family: bool | None = None) -> Field:
    return Field(
        name=name,
        title=name,
        departments=("risk",),
        kind="flag",
        level=Level(level),
        purposes=tuple(purpose.name for purpose in PURPOSES),
        family=family,
    )


CATALOGUE = Catalogue(
    name="test",
    departments=("risk",),
    purposes=PURPOSES,
    fields=(
        *(flag(f"level_{level}", level) for level in (1, 2, 3, 4)),
        flag("own_debts", 4, family=False),
    ),
)
NAMES = tuple(field.name for field in CATALOGUE.fields)

Asked = list[tuple[int, Any]]
Level0 = (0, None)


def in_force(asked: Asked, *, closing: Any, default: Any) -> Any:
    """Return what a switch is at: of the last instant's requests, the closing or the last one."""
    last = [what for when, what in asked if when == asked[-1][0]] if asked else [default]
    return closing if closing in last else last[-1]


class Model:
    """What every client asked for, switch by switch."""

    def __init__(self) -> None:
        self.levels: dict[str, Asked] = {}
        self.objections: dict[tuple[str, str], Asked] = {}
        self.families: dict[str, Asked] = {client: [] for client in CLIENTS}
        self.erased: set[str] = set()
        self.kept_closed: set[str] = set()

    def level(self, client: str, now: int) -> int:
        level, end = in_force(self.levels[client], closing=Level0, default=Level0)
        return 0 if end is not None and now >= end else int(level)

    def is_open(self, client: str, field: Field, purpose: str, now: int) -> bool:
        if client not in self.levels or self.level(client, now) < field.level:
            return False
        if in_force(self.objections.get((client, purpose), []), closing=True, default=False):
            return False
        family = [c for c in CLIENTS if HOUSEHOLDS[c] == HOUSEHOLDS[client]]
        closed = any(in_force(self.families[c], closing=True, default=False) for c in family)
        kept = HOUSEHOLDS[client] in self.kept_closed
        return not (field.of_family and (closed or kept))

    def erase(self, client: str) -> None:
        """Forget a client; what the client closed for the family stays closed for the others."""
        household = HOUSEHOLDS[client]
        closed = in_force(self.families[client], closing=True, default=False)
        del self.levels[client]
        self.families[client] = []
        self.objections = {key: a for key, a in self.objections.items() if key[0] != client}
        self.erased.add(client)
        if closed:
            self.kept_closed.add(household)
        if all(HOUSEHOLDS[other] != household for other in self.levels):
            self.kept_closed.discard(household)


class ConsentFromEndToEnd(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)
        self.register = Register(self.engine)
        self.model = Model()
        self.now = 0
        self.sent: list[tuple[str, Request, int]] = []
        self.events = 0
        self.nobodys: set[int] = set()
        self.snapshot = Snapshot.empty("risk")
        self.roll = pack(pseudonyms(KEY, (*CLIENTS, "stranger")))

    @property
    def at(self) -> datetime:
        return T0 + timedelta(microseconds=self.now)

    def send(self, request: Request) -> None:
        self.events += 1
        name = f"r{self.events}"
        assert self.register.record([request], self.at, ids=[name]) == [self.events]
        self.sent.append((name, request, self.events))

    @initialize(levels=st.dictionaries(st.sampled_from(CLIENTS), st.integers(0, 4), min_size=1))
    def enter_some(self, levels: dict[str, int]) -> None:
        self.enter(levels)

    @rule(levels=st.dictionaries(st.sampled_from(CLIENTS), st.integers(0, 4)))
    def enter(self, levels: dict[str, int]) -> None:
        for client, level in levels.items():
            if client not in self.model.levels:
                given = 0 if client in self.model.erased else level
                self.model.levels[client] = [(self.now, (given, None))]
                self.events += 1
        rows = [(client, HOUSEHOLDS[client], level) for client, level in levels.items()]
        assert self.register.load(rows, self.at) == self.events

    @rule(step=st.sampled_from([1, 1_000_000]))
    def time_passes(self, step: int) -> None:
        self.now += step

    @rule(data=st.data(), level=st.integers(0, 4), lasts=st.none() | st.integers(1, 2))
    def set_level(self, data: st.DataObject, level: int, lasts: int | None) -> None:
        client = data.draw(st.sampled_from(sorted(self.model.levels)))
        end = int(self.at.timestamp()) + lasts if lasts and level else None
        self.model.levels[client].append((self.now, (level, end)))
        self.send(SetLevel(client=client, level=level, expires_at=end))

    @rule(data=st.data(), purpose=st.sampled_from(PURPOSES), objects=st.booleans())
    def objection(self, data: st.DataObject, purpose: Purpose, *, objects: bool) -> None:
        client = data.draw(st.sampled_from(sorted(self.model.levels)))
        asked = self.model.objections.setdefault((client, purpose.name), [])
        asked.append((self.now, objects))
        request = ObjectTo if objects else WithdrawObjection
        self.send(request(client=client, purpose=purpose))

    @rule(data=st.data(), objects=st.booleans())
    def family_objection(self, data: st.DataObject, *, objects: bool) -> None:
        client = data.draw(st.sampled_from(sorted(self.model.levels)))
        self.model.families[client].append((self.now, objects))
        self.model.kept_closed.discard(HOUSEHOLDS[client])
        self.send((ObjectForFamily if objects else WithdrawFamilyObjection)(client=client))

    @precondition(lambda self: len(self.model.levels) > 1)
    @rule(data=st.data())
    def erase(self, data: st.DataObject) -> None:
        client = data.draw(st.sampled_from(sorted(self.model.levels)))
        self.nobodys |= {event.seq for event in self.register.history(client)}
        self.events += 1
        self.nobodys.add(self.events)
        assert self.register.erase(client, self.at, destroy=lambda _: None) == self.events
        self.model.erase(client)
        self.sent = [sent for sent in self.sent if sent[1].client != client]

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        name, request, epoch = data.draw(st.sampled_from(self.sent))
        before = self.register.changes(0)
        assert self.register.record([request], self.at, ids=[name]) == [epoch]
        assert self.register.changes(0) == before

    @rule()
    def sweep(self) -> None:
        for asked in self.model.levels.values():
            level, end = in_force(asked, closing=Level0, default=Level0)
            if level and end is not None and end <= int(self.at.timestamp()):
                asked.append((self.now, Level0))
                self.events += 1
        assert self.register.expire(self.at) == self.events

    @rule()
    def restart(self) -> None:
        self.register = Register(self.engine)

    @rule()
    def a_node_decides_as_the_model_does(self) -> None:
        now = int(self.at.timestamp())
        head = self.register.head()
        base = 0 if self.snapshot.epoch < self.register.erased() else self.snapshot.epoch
        delta = delta_of(
            self.register.changes(base),
            purposes=self.register.purposes(),
            key=KEY,
            department="risk",
            base=base,
            epoch=head,
            issued_at=now,
            expires_at=now + 600,
        )
        sent = open_delta(sign_delta(delta, SIGNING), SIGNING.public_key(), department="risk")
        self.snapshot = apply(self.snapshot, sent)
        for purpose in [purpose.name for purpose in PURPOSES]:
            fields = check_fields(CATALOGUE, NAMES, purpose)
            for then in range(now, now + 4):
                permit = decide(self.snapshot, fields, purpose, now=then, at_least=head)
                model = [
                    [self.model.is_open(client, field, purpose, then) for field in fields]
                    for client in (*CLIENTS, "stranger")
                ]
                assert permit.open_fields(self.roll).tolist() == model
                assert permit.open_clients(self.roll).tolist() == [row[0] for row in model]

    @invariant()
    def the_standings_are_the_fold_of_the_events(self) -> None:
        known = sorted(self.model.levels)
        events = [event for client in known for event in self.register.history(client)]
        tied = sorted(event.seq for event in events)
        assert tied == sorted(set(range(1, self.events + 1)) - self.nobodys)
        assert self.register.head() == self.events
        assert fold(events) == {client: self.register.standing(client) for client in known}

    def teardown(self) -> None:
        self.engine.dispose()


TestConsentFromEndToEnd = ConsentFromEndToEnd.TestCase
TestConsentFromEndToEnd.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
