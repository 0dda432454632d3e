"""The ServerApp's sign of life, for whoever asks whether accepted runs will be carried out."""

from sqlalchemy import Column, Engine, Integer, MetaData, String, Table, insert, select, update

from federation.database import create_tables

_METADATA = MetaData()
_BEATS = Table(
    "heartbeats",
    _METADATA,
    Column("process", String(20), primary_key=True),
    Column("until", Integer, nullable=False),
)
_PROCESS = "serverapp"


class Heartbeat:
    """One row: until when the process that carries runs out will have been heard of again."""

    def __init__(self, engine: Engine) -> None:
        """Open the table, creating it in a new database."""
        self._engine = engine
        create_tables(engine, _METADATA)

    def beat(self, *, until: int) -> None:
        """Promise to beat again before a time, in seconds since the Unix epoch."""
        with self._engine.begin() as db:
            known = update(_BEATS).where(_BEATS.c.process == _PROCESS).values(until=until)
            if db.execute(known).rowcount == 0:
                db.execute(insert(_BEATS).values(process=_PROCESS, until=until))

    def is_alive(self, now: int) -> bool:
        """Say whether the last promise still holds at a time; False if there was none."""
        with self._engine.connect() as db:
            until = db.scalar(select(_BEATS.c.until).where(_BEATS.c.process == _PROCESS))
        return until is not None and now <= until
