"""Everything about signing in, opened: ``app.state.people``."""

from dataclasses import dataclass, field

from sqlalchemy import Engine

from api.people.accounts import Accounts
from api.people.rates import Rate
from api.people.session_store import Sessions
from api.people.settings import PeopleSettings
from api.people.setup_link import SetupLinks

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


def open_people(engine: Engine, settings: PeopleSettings) -> People:
    """Open the tables of a coordinator's database, creating them in a new one."""
    rates = settings.rates
    burst, every_s = rates.sign_in_burst, rates.sign_in_every_s
    return People(
        settings=settings,
        accounts=Accounts(engine),
        sessions=Sessions(engine, settings.sessions),
        links=SetupLinks(engine),
        by_name=Rate(burst=burst, every_s=every_s),
        by_address=Rate(burst=ADDRESS_FACTOR * burst, every_s=every_s / ADDRESS_FACTOR),
        requests=Rate(burst=rates.request_burst, every_s=rates.request_every_s),
    )
