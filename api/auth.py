"""Bearer tokens: who calls, and in which role. A token is shown once; only its hash is kept.

A token is 32 random bytes, so its SHA-256 needs no salt and no slow hash: nobody guesses it.
"""

import hmac
import json
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from api.errors import NotAllowed, NotSignedIn, TokensInvalid

TOKEN_BYTES = 32


class Role(StrEnum):
    """What a caller may do. Both roles may read runs, the budget and the catalogue.

    analyst: asks questions and trains models. steward: reads and changes clients' levels.
    """

    ANALYST = "analyst"
    STEWARD = "steward"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who a request is from. ``name`` stands in runs as the asker, so it is no secret."""

    name: str
    role: Role


class KnownToken(BaseModel):
    """One line of the token file: a caller and the SHA-256 of the caller's token, in hex."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")
    role: Role
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", repr=False)


_FILE = TypeAdapter(tuple[KnownToken, ...])
_bearer = HTTPBearer(auto_error=False, description="a token made at enrolment")


def new_token() -> str:
    """Return a fresh token (secret): 256 random bits, safe in a header and in a URL."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def enroll_tokens(path: Path, roles: Sequence[Role]) -> dict[Role, str]:
    """Make one token per role and write the file of their hashes, readable by its owner only.

    Returns:
        The tokens (secret) by role. Nothing else keeps them: hand each to its caller.
    """
    tokens = {role: new_token() for role in roles}
    lines = [
        {"name": role.value, "role": role.value, "sha256": _hash(token)}
        for role, token in tokens.items()
    ]
    write_private(path, json.dumps(lines, indent=2) + "\n")
    return tokens


def load_tokens(path: Path) -> tuple[KnownToken, ...]:
    """Read the file of token hashes; TokensInvalid names the file and what is wrong."""
    try:
        return _FILE.validate_json(path.read_bytes())
    except OSError as error:
        raise TokensInvalid(path, error.strerror or "cannot be read") from None
    except ValidationError:
        raise TokensInvalid(path, "is not a list of names, roles and hashes") from None


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


def signed_in(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Caller:
    """Return the caller of a request, whatever the role; NotSignedIn without a known token."""
    if credentials is None:
        raise NotSignedIn
    known: tuple[KnownToken, ...] = request.app.state.tokens
    return caller_of(credentials.credentials, known)


AnyCaller = Annotated[Caller, Depends(signed_in)]


def only(role: Role) -> Callable[[Caller], Caller]:
    """Return a dependency that lets one role in and raises NotAllowed for any other."""

    def check(caller: AnyCaller) -> Caller:
        if caller.role is not role:
            raise NotAllowed(caller.role, role)
        return caller

    return check


def write_private(path: Path, text: str) -> None:
    """Write a new file that only its owner may read, or replace one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()
