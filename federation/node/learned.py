"""What a node keeps of a training between rounds, in its own database. It survives restarts.

Noisy counts and weights came out of the noise, so they are released numbers; they stay here because
only this node needs them. Nothing personal stands in it.
"""

import numpy as np
import numpy.typing as npt
from sqlalchemy import (
    Column,
    Engine,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    delete,
    func,
    insert,
    select,
)

from federation.database import create_tables

Attempt = tuple[str, int]
"""Plan digest in hex, and attempt."""
Vector = npt.NDArray[np.float64]

_METADATA = MetaData()
_COUNTS = Table(
    "noisy_counts",
    _METADATA,
    Column("plan", String(64), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("count", Float, nullable=False),
)
_LAYERS = Table(
    "personal_layers",
    _METADATA,
    Column("plan", String(64), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("weights", LargeBinary, nullable=False),
)


class Learned:
    """A node's noisy counts and personal last layers, by attempt."""

    def __init__(self, engine: Engine) -> None:
        """Open the tables, creating them in a new database."""
        self._engine = engine
        create_tables(engine, _METADATA)

    def count(self, attempt: Attempt) -> float | None:
        """Return the attempt's noisy count, if it was drawn."""
        plan, number = attempt
        with self._engine.connect() as db:
            found: float | None = db.scalar(
                select(_COUNTS.c.count).where(_COUNTS.c.plan == plan, _COUNTS.c.attempt == number)
            )
        return found

    def keep_count(self, attempt: Attempt, count: float) -> None:
        """Keep a noisy count that was just drawn and paid for; it is never drawn twice."""
        plan, number = attempt
        with self._engine.begin() as db:
            db.execute(insert(_COUNTS).values(plan=plan, attempt=number, count=count))

    def personal(self, attempt: Attempt) -> Vector | None:
        """Return the attempt's personal last layer, float64, if a round has been trained."""
        plan, number = attempt
        with self._engine.connect() as db:
            found: bytes | None = db.scalar(
                select(_LAYERS.c.weights).where(_LAYERS.c.plan == plan, _LAYERS.c.attempt == number)
            )
        return None if found is None else np.frombuffer(found, dtype="<f8").astype(np.float64)

    def newest_personal(self, plan: str) -> Vector | None:
        """Return the personal last layer of a plan's newest attempt, float64, if there is one."""
        with self._engine.connect() as db:
            attempt: int | None = db.scalar(
                select(func.max(_LAYERS.c.attempt)).where(_LAYERS.c.plan == plan)
            )
        return None if attempt is None else self.personal((plan, attempt))

    def keep_personal(self, attempt: Attempt, layer: Vector) -> None:
        """Keep the last layer in place of the one of the round before."""
        plan, number = attempt
        with self._engine.begin() as db:
            db.execute(delete(_LAYERS).where(_LAYERS.c.plan == plan, _LAYERS.c.attempt == number))
            db.execute(
                insert(_LAYERS).values(
                    plan=plan, attempt=number, weights=layer.astype("<f8").tobytes()
                )
            )
