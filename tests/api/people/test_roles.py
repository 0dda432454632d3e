from itertools import product

from api.people.roles import GRANTS, STAFF_ROLES, Role, may_grant


def grows(grants: dict[Role, frozenset[Role]]) -> bool:
    """Say whether somebody could get a role made that is not theirs to make, through another."""
    return any(
        not grants.get(granted, frozenset()) <= grants[giver]
        for giver in grants
        for granted in grants[giver]
    )


def test_nobody_grants_more_than_they_hold() -> None:
    assert not grows(dict(GRANTS))


def test_a_steward_who_could_make_officers_is_found() -> None:
    assert grows({Role.AUDITOR: frozenset({Role.STEWARD}), **dict(GRANTS)})


def test_only_officers_and_stewards_make_accounts() -> None:
    allowed = {(a, b) for a, b in product(Role, Role) if may_grant(a, b)}
    officer = {(Role.PRIVACY_OFFICER, role) for role in set(Role) - {Role.PRIVACY_OFFICER}}
    assert allowed == officer | {(Role.STEWARD, Role.CLIENT)}


def test_a_client_is_no_staff() -> None:
    assert set(Role) - set(STAFF_ROLES) == {Role.CLIENT}
