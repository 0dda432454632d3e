"""The wire of the consent service: receipts, uses, erasures, level proofs, the transparency log."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, ConfigDict, Field, JsonValue, StrictInt

from api.schemas import LevelView
from api.wire import Wire
from consent.events import Kind
from consent.receipts import rfc3339
from consent.register import Standing
from federation.coordinator.consent_desk import Acknowledged
from federation.coordinator.steward_acts import Act, What

Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class LevelRequest(Wire):
    """The level a client gives from now on, for good or until a moment."""

    model_config = ConfigDict(json_schema_extra={"example": {"level": 2}})

    level: StrictInt = Field(ge=0, le=4)
    expires_at: AwareDatetime | None = Field(
        default=None, description="from then on it opens nothing; with level 1 to 4 only"
    )


class ClientEntry(Wire):
    """A client's household, by the firm's normalized id of it."""

    model_config = ConfigDict(json_schema_extra={"example": {"household": "h0001"}})

    household: str = Field(min_length=1, max_length=256)


class StandingView(Wire):
    """What one client has in force now. An authorization that has ended is level 0."""

    level: LevelView
    expires_at: str | None
    objections: tuple[str, ...] = Field(description="purposes, by name")
    family_objection: bool = Field(description="this client's own, for the whole household")
    epoch: int = Field(description="in which this was last changed")

    @classmethod
    def of(cls, standing: Standing, *, now: datetime) -> Self:
        """Show a standing as it is now."""
        level = standing.level_at(int(now.timestamp()))
        ends = standing.expires_at if level else None
        return cls(
            level=LevelView.of(level),
            expires_at=None if ends is None else rfc3339(ends),
            objections=tuple(sorted(standing.objections)),
            family_objection=standing.family_objected_at is not None,
            epoch=standing.seq,
        )


class ChangeAcknowledged(Wire):
    """A change that is in force for every plan carried out from now on, and in the log."""

    level: LevelView
    epoch: int
    effective: Literal["next plan"] = "next plan"
    log_index: int = Field(description="of the change's entry in the transparency log")
    receipt: str = Field(description="ISO/IEC TS 27560 fields as JSON-LD, in a compact JWS")

    @classmethod
    def of(cls, done: Acknowledged) -> Self:
        """Show an acknowledgement."""
        return cls(
            level=LevelView.of(done.level),
            epoch=done.epoch,
            log_index=done.index,
            receipt=done.receipt,
        )


class Receipts(Wire):
    """Every change of one client, oldest first, each as a signed receipt with its proof."""

    receipts: tuple[str, ...]


class UseView(Wire):
    """A release that may have counted the client; never what it answered."""

    run: str
    kind: str
    purpose: str
    released_at: str
    epoch: int
    departments: tuple[str, ...]
    fields: tuple[str, ...]
    model: str = Field(description="the file of the model that was trained, or empty")
    log_index: int | None
    known: bool = Field(description="false: of an earlier catalogue, whose rules are not known")


class Uses(Wire):
    """Where a client was counted, newest first. Whether rows were held, only departments know."""

    uses: tuple[UseView, ...]


class ActView(Wire):
    """What a steward did for a client."""

    number: int
    at: str
    who: str
    what: What
    client: str | None = Field(description="null once the client is erased")
    kind: Kind | None = Field(description="of the change, if there was one")
    level: int | None
    purpose: str

    @classmethod
    def of(cls, act: Act) -> Self:
        """Show an act."""
        return cls.model_validate(asdict(act) | {"at": rfc3339(act.at)})


class WithdrawnView(Wire):
    """A release, and roughly how many of the clients it could count have withdrawn since."""

    run: str
    kind: str
    purpose: str
    released_at: str
    epoch: int
    model: str = Field(description="the file of the model that was trained, or empty")
    clients: str = Field(description="0, 1–9, 10–99, 100–999 and so on")


class ErasureView(Wire):
    """The proof that what ties records to a client was destroyed. The salt is kept nowhere else."""

    epoch: int = Field(description="the first consent epoch without the client")
    log_index: int
    entry: dict[str, JsonValue]
    salt: Hash
    statement: str
    checkpoint: str
    proof: tuple[Hash, ...]


class ProofRequest(Wire):
    """Which level to prove, and to whom."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"department": "advisory", "at_least": 2}}
    )

    department: str = Field(min_length=1, max_length=64)
    at_least: int = Field(ge=1, le=4)
    holder: str = Field(
        default="", pattern=r"^([0-9a-f]{64})?$", description="Ed25519 public key that must show it"
    )


class ProofShown(Wire):
    """A proof as its holder shows it. It says nothing of any level above ``at_least``."""

    department: str = Field(min_length=1, max_length=64)
    epoch: int = Field(ge=0, lt=2**53)
    at_least: int = Field(ge=1, le=4)
    expires_at: int = Field(default=0, ge=0, lt=2**53)
    anchor: str = Field(pattern=r"^([0-9a-f]{2}){65,400}$")
    proof: Hash


class ProofToCheck(ProofShown):
    """A proof to be checked, with the nonce that bound it, if one did."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "department": "advisory",
                "epoch": 3,
                "at_least": 2,
                "expires_at": 0,
                "anchor": "00" * 65,
                "proof": "0" * 64,
            }
        }
    )

    nonce: str = Field(default="", pattern=r"^([0-9a-f]{2}){0,64}$")
    shown: str = Field(default="", pattern=r"^([0-9a-f]{128})?$")


class ProofHolds(Wire):
    """A proof that holds, now."""

    holds: Literal[True] = True
    at_least: int
    department: str


class LogEntry(Wire):
    """One entry; RFC 8785 writes its bytes again."""

    index: int
    entry: dict[str, Any]


class LogEntries(Wire):
    """A page of the log. size: how many entries there are now."""

    size: int
    entries: tuple[LogEntry, ...]


class LogProof(Wire):
    """A Merkle proof of RFC 9162: hashes in hexadecimal, the lowest first."""

    proof: tuple[Hash, ...]


class WitnessView(Wire):
    """What a department has cosigned last. refusal: why it refused after that, or empty."""

    department: str
    size: int
    refusal: str
    at: str


class Witnesses(Wire):
    """Every department that was asked to witness the log. key: C2SP verifier keys, by name."""

    log_key: str
    keys: dict[str, str]
    witnesses: tuple[WitnessView, ...]
