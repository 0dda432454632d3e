"""How people sign in: lengths of sessions, rates, and a provider if there is one.

``people.toml``, every key of it optional::

    [sessions]
    idle_s    = 1800
    longest_s = 43200

    [rates]
    sign_in_burst    = 10     # attempts of one person at once; then one in sign_in_every_s
    sign_in_every_s  = 60

    [oidc]                    # the firm's own provider, if there is one
    issuer        = "https://login.firm.example"
    client_id     = "infosandbox"
    client_secret = "keys/oidc.secret"
    redirect_url  = "https://sandbox.firm.example/api/v1/oidc/callback"
    roles         = { risk = "analyst", advisory = "advisor" }
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from api.people.oidc_settings import OidcSettings
from federation.settings_file import read_settings


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SessionSettings(_Settings):
    """Seconds. idle_s: without a request. longest_s: whatever happens in between."""

    idle_s: int = Field(default=1800, ge=60, le=24 * 3600)
    longest_s: int = Field(default=12 * 3600, ge=60, le=7 * 24 * 3600)


class RateSettings(_Settings):
    """How often: so many at once, then one in so many seconds.

    sign_in: failed attempts of one person; an address may fail three times as often.
    request: everything that one person, or one unknown address, asks.
    """

    sign_in_burst: int = Field(default=10, ge=1, le=10_000)
    sign_in_every_s: float = Field(default=60.0, gt=0, le=3600)
    request_burst: int = Field(default=1000, ge=1, le=1_000_000)
    request_every_s: float = Field(default=0.005, gt=0, le=60)


class PeopleSettings(_Settings):
    """Everything about signing in."""

    sessions: SessionSettings = SessionSettings()
    rates: RateSettings = RateSettings()
    oidc: OidcSettings | None = None


def load_people_settings(path: Path | None) -> PeopleSettings:
    """Read ``people.toml``, or take what holds without one; SettingsInvalid names file and key."""
    return PeopleSettings() if path is None else read_settings(path, PeopleSettings)
