"""The consent deltas a worker has applied, kept for the department's own tools.

The worker itself starts from nothing and is brought up to date by the next plan. Scoring and
explaining at the department happen in other processes, which must not ask the coordinator: they
fold what the worker kept. Each delta still bears the consent service's signature and is checked
again, so an altered database refuses; and a snapshot that has expired decides nothing.
"""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import (
    Column,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    delete,
    insert,
    select,
)

from consent.epochs import EpochDelta, Snapshot, apply, open_delta
from federation.database import create_tables

_METADATA = MetaData()
_DELTAS = Table(
    "consent_deltas",
    _METADATA,
    Column("base", Integer, primary_key=True),
    Column("signed", LargeBinary, nullable=False),
)


class KeptConsent:
    """The signed deltas behind one department's snapshot. Pseudonyms and levels: sensitive."""

    def __init__(self, engine: Engine) -> None:
        """Open the table in the node's own database, creating it in a new one."""
        self._engine = engine
        create_tables(engine, _METADATA)

    def keep(self, delta: EpochDelta, signed: bytes) -> None:
        """Keep a delta that was just applied, in place of all that it contains.

        A delta from epoch b tells everything that changed after b, so those from b or later go; one
        from 0 leaves nothing else, so nothing of an erased client is left.

        Args:
            delta: opened.
            signed: its bytes, with the signature.
        """
        with self._engine.begin() as db:
            db.execute(delete(_DELTAS).where(_DELTAS.c.base >= delta.base))
            db.execute(insert(_DELTAS).values(base=delta.base, signed=signed))

    def snapshot(self, department: str, service: Ed25519PublicKey) -> Snapshot:
        """Return the last snapshot the worker had, every signature checked again.

        Args:
            department: whose.
            service: the consent service's pinned key.

        Raises:
            EpochInvalid, EpochStale: the database was altered.
        """
        with self._engine.connect() as db:
            kept = db.scalars(select(_DELTAS.c.signed).order_by(_DELTAS.c.base)).all()
        found = Snapshot.empty(department)
        for signed in kept:
            found = apply(found, open_delta(signed, service, department=department))
        return found
