"""A department's hello: its session, and its word as a witness of the transparency log.

A checkpoint that contradicts an earlier one is refused and kept (`federation.witness`); plans are
answered all the same, since people must act on it, not a machine.
"""

import re
from dataclasses import dataclass, field

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.errors import ConsentError
from federation.errors import ProtocolError
from federation.roster import Roster
from federation.witness import Witnessed, log_key, read_offer, witness_keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """One department as a witness: its memory, its name in the log's notes and its key."""

    seen: Witnessed = field(repr=False)
    name: str
    key: Ed25519PrivateKey = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What a witness says. size: cosigned last. line: the cosignature, or "". refusal: a code."""

    size: int
    line: str = ""
    refusal: str = ""


def open_witness(
    engine: sa.Engine, roster: Roster, department: str, identity: Ed25519PrivateKey
) -> Witness:
    """Open a department's memory of the log in its own database.

    Args:
        engine: of the node.
        roster: pinned.
        department: whose node it is.
        identity: its identity key (sensitive).
    """
    return Witness(
        seen=Witnessed(engine, log_key(roster)),
        name=witness_keys(roster)[department].name,
        key=identity,
    )


def said(witness: Witness, offer: bytes, now: int) -> Word:
    """Answer an offer: cosign it, or say why not; without an offer, say only how far it has seen.

    Args:
        witness: the department's.
        offer: as it arrived, or b""; not trusted.
        now: seconds since the Unix epoch.
    """
    if not offer:
        return Word(size=witness.seen.last().size)
    try:
        line = witness.seen.cosign(read_offer(offer), name=witness.name, key=witness.key, now=now)
    except (ConsentError, ProtocolError) as refusal:
        code = re.sub(r"(?<!^)(?=[A-Z])", "_", type(refusal).__name__).lower()
        return Word(size=witness.seen.last().size, refusal=code)
    return Word(size=witness.seen.last().size, line=line)
