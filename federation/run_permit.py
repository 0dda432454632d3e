"""The permit to run: the coordinator's signature under one leg of one plan (Ed25519, JWS compact).

A node does nothing for a plan without it. It binds the plan's digest, the budget reservation, the
consent epoch the node must at least hold, the cohort, the attempt and the leg to an expiry and a
nonce; the node's journal takes every nonce once. JWS is RFC 7515; the algorithm name is RFC 9864's.
"""

from typing import Literal

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from federation.errors import PermitExpired, PermitInvalid

_ALGORITHM = "Ed25519"
CLOCK_SKEW_S = 60

Leg = Literal["check", "tokens", "matrices", "sum", "round", "shares"]

FREE: frozenset[Leg] = frozenset({"check", "tokens", "matrices"})
"""The legs that release no sum and reserve nothing."""

RESUMPTIONS = 16
"""A leg that spends nothing may be asked so often in one attempt: a training that was interrupted
asks it again."""


class RunPermit(BaseModel):
    """What one leg may do. Times are seconds since the Unix epoch; everything here is public."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    plan: str = Field(pattern=r"^[0-9a-f]{64}$")
    leg: Leg
    attempt: int = Field(ge=0)
    round: int = Field(ge=0)
    cohort: list[str] = Field(min_length=2)
    reservation: str = Field(min_length=1)
    epoch: int = Field(ge=0)
    issued_at: int
    expires_at: int
    nonce: str = Field(pattern=r"^[0-9a-f]{32}$")


def sign_permit(permit: RunPermit, key: Ed25519PrivateKey) -> str:
    """Sign a permit with the coordinator's key; return the compact JWS."""
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    payload = rfc8785.dumps(permit.model_dump())
    return jws.serialize_compact(
        {"alg": _ALGORITHM}, payload, OKPKey.import_key(pem), algorithms=[_ALGORITHM]
    )


def verify_permit(token: str, key: Ed25519PublicKey, *, now: int) -> RunPermit:
    """Return the permit under a valid signature of the coordinator's pinned key.

    Args:
        token: the compact JWS as it arrived.
        key: the coordinator's public key from the roster.
        now: seconds since the Unix epoch at this node.

    Raises:
        PermitInvalid: the signature, the form or the times do not hold together.
        PermitExpired: it was valid once; the coordinator has to issue a new one.
    """
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    try:
        signed = jws.deserialize_compact(token, OKPKey.import_key(pem), algorithms=[_ALGORITHM])
        permit = RunPermit.model_validate_json(signed.payload)
    except (JoseError, ValidationError, ValueError):
        raise PermitInvalid("it is not signed by the coordinator in the roster") from None
    if permit.issued_at > now + CLOCK_SKEW_S:
        raise PermitInvalid("it was issued in this node's future: compare the two clocks")
    if permit.expires_at <= now:
        raise PermitExpired
    return permit
