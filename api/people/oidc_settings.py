"""Where the firm's provider is, and which of its claims make which role."""

from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, FilePath, field_validator

from api.people.roles import STAFF_ROLES, Role

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class OidcSettings(BaseModel):
    """One OpenID Connect provider.

    issuer: its URL, with HTTPS but on this machine. client_id: ours there.
    client_secret: the file that holds ours. redirect_url: this API's ``/api/v1/oidc/callback`` as
    browsers reach it. name_claim: what names a person here. role_claim: what gives a role.
    roles: each value of that claim that gives one, and which; exactly one role must come out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: str
    client_id: str = Field(min_length=1)
    client_secret: FilePath
    redirect_url: str
    scopes: tuple[str, ...] = ("openid", "profile")
    name_claim: str = "preferred_username"
    role_claim: str = "roles"
    roles: dict[str, Role]

    @field_validator("issuer", "redirect_url")
    @classmethod
    def _is_private(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            raise ValueError("must be an https URL, or http on this machine")
        return url

    @field_validator("roles")
    @classmethod
    def _are_of_the_firm(cls, roles: dict[str, Role]) -> dict[str, Role]:
        if not set(roles.values()) <= set(STAFF_ROLES):
            raise ValueError("a client's account is made by a steward, for one client id")
        return roles
