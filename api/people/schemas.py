"""The wire of signing in and of accounts. No password or link is in a repr."""

from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import ConfigDict, Field, SecretStr, model_validator

from api.people.accounts import NAME, Person
from api.people.roles import Caller, Role
from api.wire import Wire

PersonName = Annotated[str, Field(pattern=NAME)]
ClientId = Annotated[str, Field(min_length=1, max_length=200)]


class SignInRequest(Wire):
    """A local account's name and password."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"name": "ling", "password": "four words you remember"}}
    )

    name: PersonName
    password: SecretStr = Field(max_length=1000)


class SetupRequest(Wire):
    """A new password, by a setup link. ``name`` is the first officer's own choice."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"link": "as-it-was-printed", "password": "four words you remember"}
        }
    )

    link: SecretStr = Field(max_length=200)
    password: SecretStr = Field(max_length=1000)
    name: PersonName | None = None


class NewPerson(Wire):
    """An account to make. A client's has the client's normalized id, and no other has."""

    model_config = ConfigDict(json_schema_extra={"example": {"name": "wei", "role": "advisor"}})

    name: PersonName
    role: Role
    client_id: ClientId | None = Field(default=None, repr=False)

    @model_validator(mode="after")
    def _a_client_has_an_id(self) -> Self:
        if (self.role is Role.CLIENT) is (self.client_id is None):
            raise ValueError("client_id belongs to a client's account, and to no other")
        return self


class Me(Wire):
    """Who is signed in. ``csrf_token`` goes with whatever this session changes; "" by a token."""

    name: str
    role: Role
    client_id: str | None = Field(repr=False)
    csrf_token: str = Field(repr=False)

    @classmethod
    def of(cls, caller: Caller, csrf_token: str) -> Self:
        """Show a caller to itself."""
        return cls(
            name=caller.name,
            role=caller.role,
            client_id=caller.client_id,
            csrf_token=csrf_token,
        )


class PersonView(Wire):
    """One account, without the client it may belong to. ``ready``: it can sign in."""

    name: str
    role: Role
    ready: bool
    made_by: str
    made_at: datetime
    closed_at: datetime | None

    @classmethod
    def of(cls, person: Person) -> Self:
        """Show one account."""
        closed = person.closed_at
        return cls(
            name=person.name,
            role=person.role,
            ready=person.ready,
            made_by=person.made_by,
            made_at=datetime.fromtimestamp(person.made_at, UTC),
            closed_at=None if closed is None else datetime.fromtimestamp(closed, UTC),
        )


class Invited(Wire):
    """An account and its setup link, which is shown this once: hand it to the person."""

    person: PersonView
    setup_path: str = Field(repr=False, description="on this host; holds for a day, for one use")
