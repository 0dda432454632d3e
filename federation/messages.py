"""What crosses the wire: one Ask to each node, one Answer back, as a single Flower ConfigRecord.

A record of plain bytes costs three stored objects a message instead of seven (measured: half the
time of a leg). Only public facts, masked vectors, keyed tokens and sealed envelopes may stand in
these fields: the SuperLink's database keeps every message readable.
"""

from typing import Literal

from flwr.app import ConfigRecord, RecordDict
from pydantic import BaseModel, ConfigDict, ValidationError

from federation.errors import ProtocolError

VERSION: Literal[1] = 1
CONSENT_LABEL = b"consent-epoch"
"""What a department's epoch delta is sealed under, in ``Ask.consent``."""
_RECORD = "leg"


class Ask(BaseModel):
    """One leg as a node receives it. ``hello`` carries an offer or consent; others carry a plan.

    ``check``, ``tokens`` and ``matrices`` spend nothing: every leg that spends has one of them
    before it, so a department that will refuse refuses while that is still free.

    announcements: the cohort's signed session keys, as JSON. consent: the epoch delta, sealed to
    this node. payload: packed ownership bits (sum), the model's weights, float64 (round), row
    places, uint32, or the others' sealed matrices of the part before (matrices, shares), or a
    checkpoint of the transparency log offered to a witness (hello).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    version: Literal[1] = VERSION
    leg: Literal["hello", "check", "tokens", "matrices", "sum", "round", "shares"]
    permit: str = ""
    plan: bytes = b""
    announcements: bytes = b""
    consent: bytes = b""
    payload: bytes = b""


class Answer(BaseModel):
    """One node's reply. ``code`` is "ok" or the refusal's code, then ``text`` says what to do.

    epoch: the consent epoch this node holds. announcement: its signed session key, as JSON (hello).
    payload: alignment tokens (tokens), sealed matrices for each other department (matrices), a
    masked vector, little-endian uint64 (sum, round, shares), or a cosignature of the checkpoint
    that was offered (hello; ``text`` is the refusal's code if not).
    witnessed: the size of the log that this node cosigned last (hello). data: the name of the state
    of the department's rows (hello).
    agreement: names the session keys and roster behind the masks of that vector, 32 bytes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    version: Literal[1] = VERSION
    leg: Literal["hello", "check", "tokens", "matrices", "sum", "round", "shares"]
    department: str
    code: str = "ok"
    text: str = ""
    epoch: int = 0
    announcement: bytes = b""
    payload: bytes = b""
    agreement: bytes = b""
    witnessed: int = 0
    data: str = ""


def to_record(message: Ask | Answer) -> RecordDict:
    """Encode a message for Flower."""
    return RecordDict({_RECORD: ConfigRecord(dict(message))})


def read_ask(record: RecordDict) -> Ask:
    """Decode an Ask; anything but its exact fields and types raises ProtocolError."""
    try:
        return Ask.model_validate(_fields(record))
    except ValidationError:
        raise ProtocolError("an ask has a missing, unknown or mistyped field") from None


def read_answer(record: RecordDict) -> Answer:
    """Decode an Answer; anything but its exact fields and types raises ProtocolError."""
    try:
        return Answer.model_validate(_fields(record))
    except ValidationError:
        raise ProtocolError("an answer has a missing, unknown or mistyped field") from None


def _fields(record: RecordDict) -> dict[str, object]:
    if set(record) != {_RECORD} or not isinstance(record[_RECORD], ConfigRecord):
        raise ProtocolError("a message holds exactly one config record named 'leg'")
    return dict(record.config_records[_RECORD])
