"""One account for each role of the demonstration, with a random password that nothing keeps."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from api.auth import STAFF
from api.people.account_log import logging_accounts
from api.people.accounts import Accounts
from api.people.roles import Role
from consent.levels import Level
from consent.store import Register
from federation.coordinator.evidence_log import open_evidence
from federation.coordinator.settings import CoordinatorSettings
from federation.database import open_database

MADE_BY = "demo"
_PASSWORD_BYTES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    """One account. ``password`` (secret) is printed once and stands nowhere else."""

    name: str
    role: Role
    password: str = field(repr=False)


def seed_people(
    settings: CoordinatorSettings, *, now: datetime, tell: Callable[[str, float], None]
) -> list[Seeded]:
    """Make an account for every role, a second officer, and one client of the register.

    Args:
        settings: of the coordinator whose database keeps the accounts.
        now: aware.
        tell: told how far it is; hashing a password takes a tenth of a second on purpose.
    """
    engine = open_database(settings.database)
    try:
        accounts = Accounts(engine, logging_accounts(open_evidence(settings, engine)))
        register = Register(engine)
        client = next((c.client_id for c in register.changes(0) if c.level > Level.NONE), None)
        wanted: list[tuple[str, Role, str | None]] = [(c.name, c.role, None) for c in STAFF]
        wanted += [] if client is None else [(Role.CLIENT.value, Role.CLIENT, client)]
        seeded = []
        for done, (name, role, client_id) in enumerate(wanted):
            tell(f"The {name.replace('_', ' ')}", done / len(wanted))
            one = Seeded(name=name, role=role, password=secrets.token_urlsafe(_PASSWORD_BYTES))
            at = int(now.timestamp())
            accounts.add(name=name, role=role, made_by=MADE_BY, now=at, client_id=client_id)
            accounts.set_password(name, one.password, now=at)
            seeded.append(one)
    finally:
        engine.dispose()
    return seeded
