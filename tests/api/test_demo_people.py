from datetime import UTC, datetime

import pytest

from api.demo.people import seed_people
from api.demo.show import people_table
from api.people.accounts import Accounts
from api.people.errors import WrongPassword
from api.people.roles import Role
from consent.store import Register
from federation.coordinator.settings import CoordinatorSettings
from federation.database import open_database


def test_every_role_can_sign_in_with_what_is_shown_once(
    coordinator: CoordinatorSettings, register: Register
) -> None:
    assert register.head() == 2
    seeded = seed_people(coordinator, now=datetime.now(UTC), tell=lambda *_: None)
    assert {one.role for one in seeded} == set(Role)
    assert len({one.password for one in seeded}) == len(seeded)
    accounts = Accounts(open_database(coordinator.database))
    for one in (seeded[0], seeded[-1]):
        assert accounts.check(one.name, one.password).role is one.role
    with pytest.raises(WrongPassword):
        accounts.check(seeded[0].name, seeded[1].password)
    assert accounts.check(seeded[-1].name, seeded[-1].password).client_id == "c0001"
    assert people_table(seeded).row_count == len(seeded)
    assert seeded[0].password not in repr(seeded)
