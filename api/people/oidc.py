"""Signing in at the firm's own provider: OpenID Connect, code flow with PKCE (RFC 7636).

A sign-in that was begun is remembered for ten minutes in this process: its state, which holds once,
its nonce and its verifier. The state is bound to the browser by a cookie, so nobody is signed in by
a link that somebody else began.
"""

import hmac
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

import httpx
from authlib.common.errors import AuthlibBaseError
from authlib.oauth2.client import OAuth2Client
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import BaseModel, ConfigDict, ValidationError

from api.people.errors import FlowUnknown, ProviderRefused, ProviderUnavailable
from api.people.oidc_settings import OidcSettings
from api.people.roles import Role

LASTS_S: Final = 600
_MOST_FLOWS: Final = 5_000
_TIMEOUT_S: Final = 10.0
_LEEWAY_S: Final = 60
_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")
"""Signatures only: "none" and shared secrets are not among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who the provider says it is, and as what."""

    issuer: str
    subject: str
    name: str
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A sign-in on its way: where to send the browser, and the cookie that binds it (secret)."""

    address: str
    binding: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Flow:
    binding: str = field(repr=False)
    verifier: str = field(repr=False)
    nonce: str = field(repr=False)
    next_page: str
    expires_at: float


class _Metadata(BaseModel):
    """What we need of the provider's discovery document."""

    model_config = ConfigDict(frozen=True)

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


class Provider:
    """One provider, and the sign-ins that were begun there."""

    def __init__(self, settings: OidcSettings) -> None:
        """Keep the settings; nothing is asked before somebody signs in."""
        self._settings = settings
        self._flows: dict[str, _Flow] = {}
        self._lock = threading.Lock()

    def begin(self, next_page: str, now: float) -> Begun:
        """Begin a sign-in that ends at a page of ours.

        Raises:
            ProviderUnavailable: the provider does not say where to go.
        """
        state, binding, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(4))
        found = self._discover()
        flow = _Flow(
            binding=binding,
            verifier=verifier,
            nonce=nonce,
            next_page=next_page,
            expires_at=now + LASTS_S,
        )
        with self._lock:
            self._flows = {k: f for k, f in self._flows.items() if f.expires_at > now}
            if len(self._flows) >= _MOST_FLOWS:
                raise ProviderUnavailable("too many sign-ins are under way")
            self._flows[state] = flow
        with self._http() as http:
            address, _state = self._client(http).create_authorization_url(
                found.authorization_endpoint, state=state, nonce=nonce, code_verifier=verifier
            )
        return Begun(address=address, binding=binding)

    def finish(self, *, state: str, binding: str, code: str, now: float) -> tuple[Identity, str]:
        """Trade a code for an identity; return it and the page to go on to.

        Args:
            state: as it came back; it holds once.
            binding: the browser's cookie (secret).
            code: as it came back (secret).
            now: the clock that ``begin`` was given.

        Raises:
            FlowUnknown: nobody began this here, in this browser, lately.
            ProviderUnavailable: the provider does not answer as it should.
            ProviderRefused: it does not vouch for anybody whom the settings let in.
        """
        with self._lock:
            flow = self._flows.pop(state, None)
        same = flow is not None and hmac.compare_digest(
            flow.binding.encode(), binding.encode("utf-8", "replace")
        )
        if flow is None or not same or flow.expires_at <= now:
            raise FlowUnknown
        found = self._discover()
        try:
            with self._http() as http:
                token = self._client(http).fetch_token(
                    found.token_endpoint,
                    code=code,
                    code_verifier=flow.verifier,
                    auth=self._credentials(),
                )
                keys = KeySet.import_key_set(http.get(found.jwks_uri).raise_for_status().json())
        except AuthlibBaseError:
            raise ProviderRefused("does not accept the code") from None
        except (httpx.HTTPError, JoseError, ValueError, KeyError, TypeError) as error:
            raise ProviderUnavailable(type(error).__name__) from None
        claims = self._claims(token, keys, found.issuer, flow.nonce)
        return identity_of(claims, found.issuer, self._settings), flow.next_page

    def _claims(
        self, token: Mapping[str, Any], keys: KeySet, issuer: str, nonce: str
    ) -> Mapping[str, Any]:
        """Check an ID token by OpenID Connect Core 1.0, section 3.1.3.7."""
        audience = self._settings.client_id
        wanted = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY_S,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            decoded = jwt.decode(str(token.get("id_token", "")), keys, algorithms=_ALGORITHMS)
            wanted.validate(decoded.claims)
        except (JoseError, ValueError) as error:
            raise ProviderRefused(
                f"sends an ID token that does not hold ({type(error).__name__})"
            ) from None
        if decoded.claims.get("azp", audience) != audience:
            raise ProviderRefused("sends an ID token for somebody else")
        return decoded.claims

    def _discover(self) -> _Metadata:
        issuer = self._settings.issuer.rstrip("/")
        try:
            with self._http() as http:
                answer = http.get(f"{issuer}/.well-known/openid-configuration")
            found = _Metadata.model_validate(answer.raise_for_status().json())
        except (httpx.HTTPError, ValidationError, ValueError) as error:
            raise ProviderUnavailable(type(error).__name__) from None
        if found.issuer.rstrip("/") != issuer:
            raise ProviderUnavailable("it names another issuer")
        return found

    def _client(self, http: httpx.Client) -> Any:  # noqa: ANN401 - authlib has no types
        settings = self._settings
        return OAuth2Client(
            http,
            client_id=settings.client_id,
            scope=" ".join(settings.scopes),
            redirect_uri=settings.redirect_url,
            code_challenge_method="S256",
        )

    def _credentials(self) -> httpx.BasicAuth:
        """Encode ours as RFC 6749, section 2.3.1, wants it."""
        secret = self._settings.client_secret.read_text(encoding="utf-8").strip()
        return httpx.BasicAuth(quote(self._settings.client_id, ""), quote(secret, ""))

    @staticmethod
    def _http() -> httpx.Client:
        # trust_env: a proxy of the machine is none of the provider's business.
        return httpx.Client(timeout=_TIMEOUT_S, trust_env=False)


def identity_of(claims: Mapping[str, Any], issuer: str, settings: OidcSettings) -> Identity:
    """Read a name and exactly one role from checked claims. Pure.

    Raises:
        ProviderRefused: a claim is missing, or gives no role of ours, or two.
    """
    given = claims.get(settings.role_claim)
    values = given if isinstance(given, list) else [given]
    roles = {settings.roles[v] for v in values if isinstance(v, str) and v in settings.roles}
    if len(roles) != 1:
        raise ProviderRefused("gives no role of ours" if not roles else "gives more than one role")
    name = str(claims.get(settings.name_claim, "")).lower()
    return Identity(issuer=issuer, subject=str(claims["sub"]), name=name, role=roles.pop())
