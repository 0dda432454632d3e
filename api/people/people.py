"""Everything about signing in, opened: ``app.state.people``."""

import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from sqlalchemy import Engine

from api.people.account_log import Within
from api.people.accounts import NAME, Accounts, Person
from api.people.errors import PersonExists, ProviderRefused
from api.people.oidc import Identity, Provider
from api.people.rates import Rate
from api.people.session_store import Sessions
from api.people.settings import PeopleSettings
from api.people.setup_link import SetupLinks

MADE_BY = "provider"
"""Who made an account whose person came from the firm's provider."""

ADDRESS_FACTOR = 3
"""How much oftener an address may fail to sign in than a person: offices share one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """The opened stores and the rates of one API process. Open it with :func:`open_people`."""

    settings: PeopleSettings
    accounts: Accounts = field(repr=False)
    sessions: Sessions = field(repr=False)
    links: SetupLinks = field(repr=False)
    by_name: Rate = field(repr=False)
    by_address: Rate = field(repr=False)
    requests: Rate = field(repr=False)
    provider: Provider | None = field(repr=False)


def open_people(engine: Engine, settings: PeopleSettings, within: Within) -> People:
    """Open the tables of a coordinator's database, creating them in a new one.

    ``within`` is called at every change of an account, in its transaction.
    """
    rates = settings.rates
    burst, every_s = rates.sign_in_burst, rates.sign_in_every_s
    return People(
        settings=settings,
        accounts=Accounts(engine, within),
        sessions=Sessions(engine, settings.sessions),
        links=SetupLinks(engine, within),
        by_name=Rate(burst=burst, every_s=every_s),
        by_address=Rate(burst=ADDRESS_FACTOR * burst, every_s=every_s / ADDRESS_FACTOR),
        requests=Rate(burst=rates.request_burst, every_s=rates.request_every_s),
        provider=None if settings.oidc is None else Provider(settings.oidc),
    )


def account_of(
    identity: Identity, accounts: Accounts, *, taken: AbstractSet[str], now: int
) -> Person:
    """Return the account of a provider's person, made at the first sign-in, in the role it has now.

    Args:
        identity: the provider vouches for it.
        accounts: of this coordinator.
        taken: names that belong to tokens.
        now: seconds since the Unix epoch.

    Raises:
        ProviderRefused: the account is closed, or the name is none that an account may have.
        PersonExists: the name belongs to somebody else here.
    """
    found = accounts.by_identity(identity.issuer, identity.subject)
    if found is None:
        if re.fullmatch(NAME, identity.name) is None:
            raise ProviderRefused("gives a name that no account may have")
        if identity.name in taken:
            raise PersonExists
        return accounts.add(
            name=identity.name,
            role=identity.role,
            made_by=MADE_BY,
            now=now,
            identity=(identity.issuer, identity.subject),
        )
    if found.closed_at is not None:
        raise ProviderRefused("vouches for an account that is closed here")
    if found.role is not identity.role:
        accounts.set_role(found.name, identity.role, by=MADE_BY, now=now)
    return accounts.get(found.name)
