"""Who may call which route: one table; ``tests/api/people/test_access.py`` tries every door by it.

``python -m api.people.access`` writes docs/access.md anew.
"""

from collections.abc import Mapping
from typing import Final

from api.people.roles import STAFF_ROLES, Role

Who = frozenset[Role]

EVERYBODY: Final[None] = None
"""Even without an account."""
ANY: Final[Who] = frozenset(Role)
STAFF: Final[Who] = frozenset(STAFF_ROLES)
TRAINERS: Final[Who] = frozenset({Role.ANALYST, Role.RESEARCHER})
ASKERS: Final[Who] = TRAINERS | {Role.ADVISOR}
OFFICER: Final[Who] = frozenset({Role.PRIVACY_OFFICER})
AUDITOR: Final[Who] = frozenset({Role.AUDITOR})
OVERSEERS: Final[Who] = OFFICER | AUDITOR
STEWARD: Final[Who] = frozenset({Role.STEWARD})
OWN: Final[Who] = STEWARD | {Role.CLIENT}
"""Stewards, and a client for the own id: no client ever passes with another's."""
GRANTERS: Final[Who] = OFFICER | STEWARD
"""Stewards for accounts of clients only."""

_CLIENT: Final = "/api/v1/clients/{client_id}"
_VERSION: Final = "/api/v1/models/{name}/{version}"

ACCESS: Final[Mapping[str, Who | None]] = {
    "POST /api/v1/questions": ASKERS,
    "POST /api/v1/sql": ASKERS,
    "POST /api/v1/monitors": ASKERS,
    "GET /api/v1/monitors": STAFF,
    "GET /api/v1/monitors/{run_id}": STAFF,
    "DELETE /api/v1/monitors/{run_id}": ASKERS,
    "POST /api/v1/trainings": TRAINERS,
    "POST /api/v1/evaluations": TRAINERS,
    "POST /api/v1/sweeps": TRAINERS,
    "POST /api/v1/sweeps/price": STAFF,
    "GET /api/v1/sweeps": STAFF,
    "GET /api/v1/sweeps/{run_id}": STAFF,
    "POST /api/v1/sweeps/{run_id}/stop": ASKERS | OFFICER,
    "POST /api/v1/cubes": TRAINERS,
    "GET /api/v1/cubes/{run_id}/table": STAFF,
    "GET /api/v1/cubes/{run_id}/relations": STAFF,
    "GET /api/v1/cubes/{run_id}/model": STAFF,
    "POST /api/v1/price": STAFF,
    "POST /api/v1/explain": STAFF,
    "GET /api/v1/runs": STAFF,
    "GET /api/v1/runs/{run_id}": STAFF,
    "GET /api/v1/runs/{run_id}/events": STAFF,
    "GET /api/v1/runs/{run_id}/training": STAFF,
    "POST /api/v1/runs/{run_id}/stop": ASKERS | OFFICER,
    "POST /api/v1/solve": STAFF,
    "POST /api/v1/solve-training": STAFF,
    "GET /api/v1/what-if": STAFF,
    "GET /api/v1/odds": STAFF,
    "POST /api/v1/replay": OVERSEERS,
    "GET /api/v1/approvals": OVERSEERS,
    "GET /api/v1/approvals/{run_id}": OVERSEERS,
    "POST /api/v1/approvals/{run_id}": OFFICER,
    "GET /api/v1/models": STAFF,
    "GET /api/v1/models/{name}": STAFF,
    f"GET {_VERSION}": STAFF,
    f"GET {_VERSION}/weights": STAFF,
    f"GET {_VERSION}/card": STAFF,
    f"GET {_VERSION}/card.html": STAFF,
    f"GET {_VERSION}/onnx": STAFF,
    f"GET {_VERSION}/request": STAFF,
    f"POST {_VERSION}/stage": TRAINERS,
    "GET /api/v1/runs/{run_id}/label": STAFF,
    "GET /api/v1/runs/{run_id}/label.yaml": STAFF,
    "GET /api/v1/evidence": AUDITOR,
    "GET /api/v1/budget": STAFF,
    "GET /api/v1/catalogue": STAFF,
    "GET /api/v1/policy": STAFF,
    "PUT /api/v1/policy": OFFICER,
    "GET /api/v1/policy/proposals": OVERSEERS,
    "GET /api/v1/policy/proposals/{proposal_id}": OVERSEERS,
    "POST /api/v1/policy/proposals/{proposal_id}": OFFICER,
    f"GET {_CLIENT}/level": OWN,
    f"PUT {_CLIENT}/level": OWN,
    f"GET {_CLIENT}/standing": OWN,
    f"PUT {_CLIENT}/objections/{{purpose}}": OWN,
    f"DELETE {_CLIENT}/objections/{{purpose}}": OWN,
    f"PUT {_CLIENT}/family-objection": OWN,
    f"DELETE {_CLIENT}/family-objection": OWN,
    f"GET {_CLIENT}/stages/{{stage}}": OWN,
    f"GET {_CLIENT}/closed/{{purpose}}": OWN,
    f"PUT {_CLIENT}": STEWARD,
    f"GET {_CLIENT}/receipts": OWN,
    f"GET {_CLIENT}/uses": OWN,
    f"GET {_CLIENT}/steward-acts": OWN,
    "GET /api/v1/steward-acts": STEWARD,
    f"POST {_CLIENT}/level-proof": OWN,
    f"DELETE {_CLIENT}": STEWARD,
    "GET /api/v1/withdrawals": OVERSEERS,
    "GET /api/v1/stages": ANY,
    "POST /api/v1/level-proofs/check": ANY,
    "GET /api/v1/log/checkpoint": ANY,
    "GET /api/v1/log/entries": ANY,
    "GET /api/v1/log/inclusion": ANY,
    "GET /api/v1/log/consistency": ANY,
    "GET /api/v1/log/export": ANY,
    "GET /api/v1/log/witnesses": ANY,
    "POST /api/v1/sign-in": EVERYBODY,
    "POST /api/v1/sign-out": EVERYBODY,
    "POST /api/v1/setup": EVERYBODY,
    "GET /api/v1/oidc/start": EVERYBODY,
    "GET /api/v1/oidc/callback": EVERYBODY,
    "GET /api/v1/me": ANY,
    "GET /api/v1/people": OVERSEERS,
    "POST /api/v1/people": GRANTERS,
    "POST /api/v1/people/{name}/link": GRANTERS,
    "DELETE /api/v1/people/{name}": GRANTERS,
    "GET /metrics": STAFF,
    "GET /healthz": EVERYBODY,
    "GET /readyz": EVERYBODY,
}

_SHORT: Final[Mapping[Who | None, str]] = {
    EVERYBODY: "everybody",
    ANY: "any",
    STAFF: "staff",
    OWN: "steward, own",
    OVERSEERS: "officer, auditor",
    OFFICER: "officer",
    GRANTERS: "officer, steward",
}


def short(who: Who | None) -> str:
    """Say in a word or two who may, as docs/api.md does. Pure."""
    if who in _SHORT:
        return _SHORT[who]
    return ", ".join(role.value for role in Role if who is not None and role in who)


def page() -> str:
    """Return docs/access.md: a row per route, a column per role. Pure."""
    roles = [role.value.replace("_", " ") for role in Role]
    lines = [
        "# Who may what",
        "",
        "Written by `python -m api.people.access`. A test walks every route and role by it.",
        "A client passes with the own id only, a steward makes accounts of clients only.",
        "",
        f"| route | without account | {' | '.join(roles)} |",
        f"|---|{'---|' * (len(roles) + 1)}",
    ]
    for route, who in ACCESS.items():
        open_to_all = who is EVERYBODY
        marks = ["✓" if open_to_all else ""]
        marks += ["✓" if who is None or role in who else "" for role in Role]
        lines.append(f"| `{route}` | {' | '.join(marks)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - the page, to be redirected into its file
