"""Level proofs: made by a steward or the client; whoever is shown one has it checked."""

from datetime import UTC, datetime

from fastapi import APIRouter

from api.auth import AnyCaller, OfClient
from api.consent_schemas import ProofHolds, ProofRequest, ProofShown, ProofToCheck
from api.routes.desk import OpenDesk
from federation.coordinator.level_desk import LevelProof, check_level, prove_level

router = APIRouter(tags=["consent"])


@router.post("/api/v1/clients/{client_id:path}/level-proof")
def make_proof(client_id: str, body: ProofRequest, desk: OpenDesk, _caller: OfClient) -> ProofShown:
    """Prove to one department that a client has authorized at least a level, and not which."""
    made = prove_level(
        client_id,
        body.at_least,
        desk,
        department=body.department,
        holder=bytes.fromhex(body.holder),
        now=datetime.now(UTC),
    )
    return ProofShown(
        department=made.department,
        epoch=made.epoch,
        at_least=made.at_least,
        expires_at=made.expires_at,
        anchor=made.anchor.hex(),
        proof=made.proof.hex(),
    )


@router.post("/api/v1/level-proofs/check")
def check_proof(body: ProofToCheck, desk: OpenDesk, _caller: AnyCaller) -> ProofHolds:
    """Check a proof: signed, not expired, and of a client of whom nothing has changed since."""
    shown = LevelProof(
        department=body.department,
        epoch=body.epoch,
        at_least=body.at_least,
        expires_at=body.expires_at,
        anchor=bytes.fromhex(body.anchor),
        proof=bytes.fromhex(body.proof),
    )
    nonce, signature = bytes.fromhex(body.nonce), bytes.fromhex(body.shown)
    check_level(shown, desk, nonce=nonce, signature=signature, now=datetime.now(UTC))
    return ProofHolds(at_least=body.at_least, department=body.department)
