"""The entries of the transparency log: what happened, in canonical JSON, without any person in it.

Kinds: a consent change, a collection, a plan, an approval, a use, a release, a refusal, a
destruction, a model's stage, a change of an account. Where a person belongs (a client, an asker,
an approver) stands a salted commitment (`consent.commitments`). The bytes of an entry are RFC 8785
canonical JSON, so equal entries are equal bytes and an entry has one leaf hash.
"""

from typing import Annotated, Literal

import rfc8785
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from consent.log_errors import EntryInvalid
from consent.purposes import NAME

Name = Annotated[str, StringConstraints(pattern=NAME)]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Commitment = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Number = Annotated[int, Field(ge=0, le=2**53 - 1)]
Loss = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Run = Annotated[str, StringConstraints(pattern=r"^[0-9a-z-]{1,64}$")]
Cohort = Annotated[tuple[Name, ...], Field(min_length=1, max_length=64)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    version: Literal[1] = 1
    at: Number
    """Seconds since the Unix epoch."""


class ConsentChanged(_Entry):
    """A client's authorization changed; who and how is committed to. epoch: the one it opened."""

    kind: Literal["consent"] = "consent"
    epoch: Number
    change: Commitment


class Collected(_Entry):
    """A department began to hold fields of the catalogue."""

    kind: Literal["collection"] = "collection"
    department: Name
    catalogue: Digest
    fields: Annotated[tuple[Name, ...], Field(min_length=1, max_length=4096)]


class PlanAccepted(_Entry):
    """A plan was priced, reserved and accepted as a run. rho: reserved (zCDP)."""

    kind: Literal["plan"] = "plan"
    run: Run
    plan: Digest
    purpose: Name
    cohort: Cohort
    rho: Loss
    asker: Commitment


class Approved(_Entry):
    """A person agreed to a plan above the automatic limit, or did not."""

    kind: Literal["approval"] = "approval"
    plan: Digest
    decision: Literal["approved", "declined"]
    approver: Commitment


class Used(_Entry):
    """Rows of permitted clients were about to be read for a run, on a consent epoch."""

    kind: Literal["use"] = "use"
    run: Run
    plan: Digest
    attempt: Number
    epoch: Number
    cohort: Cohort


class Released(_Entry):
    """A run released a result; ``result`` and ``label`` are SHA-256 of their canonical JSON."""

    kind: Literal["release"] = "release"
    run: Run
    plan: Digest
    epoch: Number
    rho: Loss
    result: Digest
    label: Digest


class Refused(_Entry):
    """A run ended without a release. code: of the refusal. spent: whether its rho stays spent."""

    kind: Literal["refusal"] = "refusal"
    run: Run
    plan: Digest
    code: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]
    spent: bool


class Destroyed(_Entry):
    """Something was destroyed for good.

    department: whose, or None for the firm's. subject: whom it was about, under a salt that only
    the receipt of the erasure holds, or None. evidence: SHA-256 of what the destroyer signed, or
    None.
    """

    kind: Literal["destruction"] = "destruction"
    what: Literal["salts", "pseudonym_key", "cache", "records", "model"]
    department: Name | None = None
    subject: Commitment | None = None
    evidence: Digest | None = None


class AccountChanged(_Entry):
    """An account was made, moved, closed, or given another password; or a machine got a token.

    role: that it has afterwards. account: whose. by: who did it; one name is one commitment here.
    """

    kind: Literal["account"] = "account"
    change: Literal["made", "role", "link", "password", "closed", "token"]
    role: Name
    account: Commitment
    by: Commitment


class ModelStaged(_Entry):
    """A person decided what the firm does with a version of a model. sha256: of its weights."""

    kind: Literal["model"] = "model"
    model: Name
    number: Number
    sha256: Digest
    stage: Literal["on trial", "in use", "retired"]
    who: Commitment


Entry = Annotated[
    ConsentChanged
    | Collected
    | PlanAccepted
    | Approved
    | Used
    | Released
    | Refused
    | Destroyed
    | AccountChanged
    | ModelStaged,
    Field(discriminator="kind"),
]
_ENTRY: TypeAdapter[Entry] = TypeAdapter(Entry)


def encode(entry: Entry) -> bytes:
    """Return an entry's bytes, as the log keeps and hashes them."""
    return rfc8785.dumps(entry.model_dump(mode="json"))


def read_entry(data: bytes) -> Entry:
    """Return the entry behind the log's bytes.

    Raises:
        EntryInvalid: an unknown kind, key or value, or other bytes than ``encode`` writes.
    """
    try:
        entry = _ENTRY.validate_json(data)
    except ValidationError:
        raise EntryInvalid("it has a missing, wrong or unknown key or value") from None
    if encode(entry) != data:
        raise EntryInvalid("it is not canonical JSON")
    return entry
