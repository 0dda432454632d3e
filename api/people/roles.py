"""Who calls, and in which role; and which roles may make a person of which."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What a caller may do; ``api/people/access.py`` lists every route. A name has one role.

    analyst: a risk analyst, asks and trains. researcher: the same, for research.
    advisor: asks. privacy_officer: decides about plans above the automatic limit and about the
    policy, and makes accounts. steward: the consent steward, reads and changes clients' levels.
    auditor: takes the evidence away; decides nothing. node_operator: watches runs and the log.
    client: sees and changes the own authorization, and nobody else's.
    """

    ANALYST = "analyst"
    RESEARCHER = "researcher"
    ADVISOR = "advisor"
    PRIVACY_OFFICER = "privacy_officer"
    STEWARD = "steward"
    AUDITOR = "auditor"
    NODE_OPERATOR = "node_operator"
    CLIENT = "client"


STAFF_ROLES: Final = tuple(role for role in Role if role is not Role.CLIENT)
"""Every role of the firm's own people."""

GRANTS: Final[Mapping[Role, frozenset[Role]]] = {
    Role.PRIVACY_OFFICER: frozenset(Role) - {Role.PRIVACY_OFFICER},
    Role.STEWARD: frozenset({Role.CLIENT}),
}
"""Whom a role may give an account. Whoever gets one grants nothing that the giver could not.

No officer makes an officer, or renews one's link: two officers must be two people. The machine's
owner does (``infosandbox people add``), and the firm's provider.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who a request is from. ``name`` stands in runs and in the ledger, so it is no secret.

    client_id: sensitive; of a client's own account, whose doors open to it alone.
    """

    name: str
    role: Role
    client_id: str | None = field(default=None, repr=False)


def may_grant(giver: Role, granted: Role) -> bool:
    """Say whether a role may make an account of another. Pure."""
    return granted in GRANTS.get(giver, frozenset())
