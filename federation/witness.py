"""A department as witness of the transparency log: it cosigns only what continues what it saw.

The coordinator offers a checkpoint with the proof that it continues the one this node cosigned
last (the body of C2SP tlog-witness ``add-checkpoint``). The node checks it against the log's key in
its pinned roster, writes it down durably, and only then cosigns (`consent.checkpoints`). So the log
cannot show two departments two histories, nor one department a shorter one than before.
"""

import base64
import re
from dataclasses import dataclass
from urllib.parse import quote

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy.exc import IntegrityError

from consent.checkpoints import (
    COSIGNATURE,
    ED25519,
    Checkpoint,
    Cosignature,
    NoteKey,
    cosign,
    open_checkpoint,
)
from consent.log_errors import (
    CheckpointInvalid,
    LogForked,
    LogRolledBack,
    ProofInvalid,
    ProofMisplaced,
)
from consent.log_store import Log
from consent.merkle import EMPTY_ROOT, HASH_BYTES, verify_consistency
from federation.database import create_tables
from federation.errors import ProtocolError
from federation.roster import Roster

MOST_HASHES = 63
"""Of a consistency proof, as C2SP tlog-witness limits it."""
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})", re.ASCII)
_TABLES = sa.MetaData()
_SEEN = sa.Table(
    "witnessed",
    _TABLES,
    sa.Column("origin", sa.String(512), primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("root", sa.LargeBinary, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("contradiction", sa.Text, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A checkpoint offered to a witness. All of it is public.

    old: the size the proof starts at. proof: hashes of 32 bytes, RFC 9162. note: the signed
    checkpoint.
    """

    old: int
    proof: tuple[bytes, ...]
    note: str


def origin_of(roster: Roster) -> str:
    """Name the firm's log; it is also the name of the log's key."""
    return f"infosandbox/{quote(roster.firm, safe='')}"


def log_key(roster: Roster) -> NoteKey:
    """Return the log's pinned key: the consent service signs the log's checkpoints."""
    return NoteKey(name=origin_of(roster), kind=ED25519, public=roster.consent)


def consent_key(roster: Roster) -> Ed25519PublicKey:
    """Return the consent service's pinned key: of epochs, receipts and level proofs."""
    return Ed25519PublicKey.from_public_bytes(roster.consent)


def witness_keys(roster: Roster) -> dict[str, NoteKey]:
    """Return every department's pinned cosigning key: its identity key, for this log."""
    return {
        keys.department: NoteKey(
            name=f"{origin_of(roster)}/{keys.department}", kind=COSIGNATURE, public=keys.identity
        )
        for keys in roster.departments
    }


def offer_of(log: Log, note: str, size: int, *, old: int) -> Offer:
    """Prepare a published checkpoint of ``size`` for a witness that last cosigned ``old``.

    Raises:
        NotInLog: the witness has seen more entries than the log has.
    """
    return Offer(old=old, proof=log.consistency_proof(old, size) if old else (), note=note)


def pack_offer(offer: Offer) -> bytes:
    """Return the offer as it travels."""
    hashes = "".join(f"{base64.b64encode(each).decode()}\n" for each in offer.proof)
    return f"old {offer.old}\n{hashes}\n{offer.note}".encode()


def read_offer(data: bytes) -> Offer:
    """Read an offer; anything but its form raises ProtocolError. The note is not checked here."""
    try:
        head, _, note = data.decode().partition("\n\n")
        old, *hashes = head.split("\n")
        proof = tuple(base64.b64decode(each.encode("ascii"), validate=True) for each in hashes)
    except ValueError:
        raise ProtocolError("an offer to a witness is UTF-8 text with a base64 proof") from None
    number = _OLD.fullmatch(old)
    if number is None or len(proof) > MOST_HASHES or any(len(p) != HASH_BYTES for p in proof):
        raise ProtocolError("an offer to a witness is an old size, at most 63 hashes and a note")
    return Offer(old=int(number[1]), proof=proof, note=note)


def advance(last: Checkpoint, offer: Offer, *, log: NoteKey) -> Checkpoint:
    """Return the offered checkpoint if it continues the last one. Pure.

    Guarantee: of the checkpoints that pass, each continues all before it, unless SHA-256 collides
    or the log's signature is forged (RFC 9162, section 2.1.4).

    Args:
        last: what this witness cosigned last; size 0 and EMPTY_ROOT before the first.
        offer: as it arrived; not trusted.
        log: the log's key from the pinned roster.

    Raises:
        CheckpointInvalid: it is not signed by the log.
        LogRolledBack: it is smaller than the last one.
        LogForked: it has the size of the last one and another root.
        ProofMisplaced: the proof starts elsewhere; says where the last one ends.
        ProofInvalid: the proof does not show that it continues the last one.
    """
    new = open_checkpoint(offer.note, log).checkpoint
    if new.size < last.size:
        raise LogRolledBack(last.size, new.size)
    if new.size == last.size:
        if new.root != last.root:
            raise LogForked(new.size)
        return new
    if offer.old != last.size:
        raise ProofMisplaced(last.size)
    verify_consistency(last.size, new.size, offer.proof, last.root, new.root)
    return new


def accepted(note: str, line: str, *, log: NoteKey, witness: NoteKey) -> Cosignature:
    """Return the cosignature in a witness's answer, at the coordinator; keep its line then.

    Raises:
        CheckpointInvalid: it is not this witness's, or not for this note.
    """
    opened = open_checkpoint(f"{note}{line}\n", log, [witness])
    if not opened.cosignatures:
        raise CheckpointInvalid("the witness has not cosigned it")
    return opened.cosignatures[0]


class Witnessed:
    """What a node has cosigned last, in its own database; several processes may share it."""

    def __init__(self, engine: sa.Engine, log: NoteKey) -> None:
        """Open the memory for one log, creating it in a new database."""
        self._engine = engine
        self._log = log
        self._is_log = _SEEN.c.origin == log.name
        create_tables(engine, _TABLES)
        first = {"size": 0, "root": EMPTY_ROOT, "note": "", "contradiction": ""}
        try:
            with engine.begin() as db:
                if db.execute(sa.select(_SEEN.c.size).where(self._is_log)).first() is None:
                    db.execute(_SEEN.insert().values(origin=log.name, **first))
        except IntegrityError:
            pass  # another process was first

    def last(self) -> Checkpoint:
        """Return what was cosigned last; size 0 before the first."""
        with self._engine.connect() as db:
            query = sa.select(_SEEN.c.size, _SEEN.c.root).where(self._is_log)
            size, root = db.execute(query).one()
        return Checkpoint(origin=self._log.name, size=size, root=root)

    def evidence(self) -> tuple[str, str]:
        """Return the last note cosigned and the last one refused against it ("" for none)."""
        with self._engine.connect() as db:
            query = sa.select(_SEEN.c.note, _SEEN.c.contradiction).where(self._is_log)
            note, contradiction = db.execute(query).one()
        return note, contradiction

    def cosign(self, offer: Offer, *, name: str, key: Ed25519PrivateKey, now: int) -> str:
        """Check an offer, keep it durably, and return the cosignature's line.

        Of two offers at once one waits for the other, so the memory only ever grows. A note that
        the log signed and that contradicts the last one is kept as evidence.

        Args:
            offer: as it arrived; not trusted.
            name: this witness's, see ``witness_keys``.
            key: the department's identity key (sensitive).
            now: seconds since the Unix epoch.

        Raises:
            CheckpointInvalid, LogRolledBack, LogForked, ProofMisplaced, ProofInvalid: as
                ``advance``; nothing was cosigned.
        """
        try:
            with self._engine.begin() as db:
                lock = _SEEN.update().where(self._is_log).values(size=_SEEN.c.size)
                size, root = db.execute(lock.returning(_SEEN.c.size, _SEEN.c.root)).one()
                last = Checkpoint(origin=self._log.name, size=size, root=root)
                new = advance(last, offer, log=self._log)
                seen = {"size": new.size, "root": new.root, "note": offer.note}
                db.execute(_SEEN.update().where(self._is_log).values(**seen))
        except (LogForked, ProofInvalid):
            with self._engine.begin() as db:
                keep = _SEEN.update().where(self._is_log).values(contradiction=offer.note)
                db.execute(keep)
            raise
        return cosign(new, name, key, at=now)
