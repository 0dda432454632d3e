"""Who calls: a bearer token's caller, or whoever is signed in by a cookie; and in which role.

Tokens are for machines and the command line; people sign in (:mod:`api.people`). A token is shown
once; only its hash is kept. It is 32 random bytes, so its SHA-256 needs no salt and no slow hash:
nobody guesses it.
"""

import hmac
import json
import os
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator
from starlette.concurrency import run_in_threadpool

from api.errors import NotAllowed, NotSignedIn, TokensInvalid
from api.people.accounts import Accounts
from api.people.csrf import check_csrf
from api.people.errors import PersonUnknown
from api.people.roles import STAFF_ROLES, Caller, Role
from api.people.sessions import current, people_of
from federation.coordinator.steward_acts import StewardActs, What

TOKEN_BYTES = 32

STAFF = (
    *(Caller(name=role.value, role=role) for role in STAFF_ROLES),
    Caller(name="second_officer", role=Role.PRIVACY_OFFICER),
)
"""One caller of each role of the firm's own, and the second officer that an approval takes."""


class KnownToken(BaseModel):
    """One line of the token file: a caller and the SHA-256 of the caller's token, in hex."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")
    role: Role
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", repr=False)

    @field_validator("role")
    @classmethod
    def _is_of_the_firm(cls, role: Role) -> Role:
        if role not in STAFF_ROLES:
            raise ValueError("a client signs in with an account")
        return role


_FILE = TypeAdapter(tuple[KnownToken, ...])
_bearer = HTTPBearer(auto_error=False, description="a token made at enrolment")


def new_token() -> str:
    """Return a fresh token (secret): 256 random bits, safe in a header and in a URL."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def enroll_tokens(path: Path, callers: Sequence[Caller] = STAFF) -> dict[str, str]:
    """Make one token per caller and write the file of their hashes, readable by its owner only.

    Returns:
        The tokens (secret) by name. Nothing else keeps them: hand each to its caller.
    """
    tokens = {caller.name: new_token() for caller in callers}
    _write(path, [_known(caller, tokens[caller.name]) for caller in callers])
    return tokens


def add_token(path: Path, caller: Caller, accounts: Accounts) -> str:
    """Make a token (secret) for a caller beside those that a file knows, and return it.

    An API that runs learns of it when it starts again.

    Raises:
        TokensInvalid: the file is none, or the name has another role there or as an account.
    """
    token = new_token()
    known = [*(load_tokens(path) if path.exists() else ()), _known(caller, token)]
    _check_roles(path, known)
    check_names(path, known, accounts)
    _write(path, known)
    return token


def load_tokens(path: Path) -> tuple[KnownToken, ...]:
    """Read the file of token hashes; TokensInvalid names the file and what is wrong.

    A name has one role, whatever its number of tokens: who asks never approves.
    """
    try:
        known = _FILE.validate_json(path.read_bytes())
    except OSError as error:
        raise TokensInvalid(path, error.strerror or "cannot be read") from None
    except ValidationError:
        raise TokensInvalid(path, "is not a list of names, roles and hashes") from None
    _check_roles(path, known)
    return known


def _check_roles(path: Path, known: Sequence[KnownToken]) -> None:
    if len({k.name for k in known}) < len({(k.name, k.role) for k in known}):
        raise TokensInvalid(path, "gives one name two roles")


def _known(caller: Caller, token: str) -> KnownToken:
    return KnownToken(name=caller.name, role=caller.role, sha256=_hash(token))


def _write(path: Path, known: Sequence[KnownToken]) -> None:
    lines = [one.model_dump(mode="json") for one in known]
    write_private(path, json.dumps(lines, indent=2) + "\n")


def check_names(path: Path, known: Sequence[KnownToken], accounts: Accounts) -> None:
    """Refuse a token whose name has an account in another role: who asks never approves.

    Raises:
        TokensInvalid: names the file.
    """
    for token in known:
        with suppress(PersonUnknown):
            if accounts.get(token.name).role is not token.role:
                raise TokensInvalid(path, "gives a name another role than its account has")


def caller_of(token: str, known: Sequence[KnownToken]) -> Caller:
    """Return whose token (secret) this is, in time that does not depend on how much of it fits.

    Raises:
        NotSignedIn: it is nobody's.
    """
    given = _hash(token)
    found = [k for k in known if hmac.compare_digest(k.sha256, given)]
    if not found:
        raise NotSignedIn
    return Caller(name=found[0].name, role=found[0].role)


async def signed_in(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Caller:
    """Return the caller of a request, whatever the role: by a token, or else by a session.

    Raises:
        NotSignedIn: by neither.
        CsrfRefused: by a session, and it changes something without the session's token.
        TooManyRequests: this person asks too often.
    """
    if credentials is not None:
        known: tuple[KnownToken, ...] = request.app.state.tokens
        caller = caller_of(credentials.credentials, known)
    else:
        found = await run_in_threadpool(current, request)
        if found is None:
            raise NotSignedIn
        await check_csrf(request)
        caller = found
    people_of(request).requests.take(caller.name, time.monotonic())
    return caller


AnyCaller = Annotated[Caller, Depends(signed_in)]


def only(*roles: Role) -> Callable[[Caller], Caller]:
    """Return a dependency that lets some roles in and raises NotAllowed for any other."""

    def check(caller: AnyCaller) -> Caller:
        if caller.role not in roles:
            raise NotAllowed(caller.role, " or ".join(roles))
        return caller

    return check


def of_client(client_id: str, caller: AnyCaller, request: Request) -> Caller:
    """Let stewards in, and the client whose doors these are; NotAllowed for any other.

    That a steward looked is written down, for the client to see.
    """
    own = caller.role is Role.CLIENT and caller.client_id == client_id
    if caller.role is not Role.STEWARD and not own:
        raise NotAllowed(caller.role, "steward, or the client's own account")
    if not own and request.method == "GET":
        acts = StewardActs(request.app.state.desk.engine)
        acts.note(caller.name, client_id, What.LOOKED, at=datetime.now(UTC))
    return caller


Staff = Annotated[Caller, Depends(only(*STAFF_ROLES))]
Asker = Annotated[Caller, Depends(only(Role.ANALYST, Role.RESEARCHER, Role.ADVISOR))]
Trainer = Annotated[Caller, Depends(only(Role.ANALYST, Role.RESEARCHER))]
Stopper = Annotated[
    Caller, Depends(only(Role.ANALYST, Role.RESEARCHER, Role.ADVISOR, Role.PRIVACY_OFFICER))
]
Officer = Annotated[Caller, Depends(only(Role.PRIVACY_OFFICER))]
Overseer = Annotated[Caller, Depends(only(Role.PRIVACY_OFFICER, Role.AUDITOR))]
Auditor = Annotated[Caller, Depends(only(Role.AUDITOR))]
Steward = Annotated[Caller, Depends(only(Role.STEWARD))]
OfClient = Annotated[Caller, Depends(of_client)]


def write_private(path: Path, text: str) -> None:
    """Write a new file that only its owner may read, or replace one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()
