"""What each department last said its data is: names of states, never the data."""

import sqlalchemy as sa

from federation.coordinator.sessions import Sessions
from federation.database import create_tables

_METADATA = sa.MetaData()
_EPOCHS = sa.Table(
    "data_epochs",
    _METADATA,
    sa.Column("department", sa.String(64), primary_key=True),
    sa.Column("epoch", sa.String(64), nullable=False),
)


class DataEpochs:
    """The table of data epochs in the coordinator's database. The ServerApp writes, the API reads.

    A data epoch is a name that the department chooses for the state of its rows; equal names say
    equal rows, and nothing else can be read from them.
    """

    def __init__(self, engine: sa.Engine) -> None:
        """Open the table, creating it in a new database."""
        self._engine = engine
        create_tables(engine, _METADATA)

    def note_all(self, sessions: Sessions) -> None:
        """Keep what the departments announced last."""
        known = self.all()
        for department, session in sessions.items():
            if session.data and known.get(department) != session.data:
                self._note(department, session.data)

    def _note(self, department: str, epoch: str) -> None:
        column = _EPOCHS.c
        with self._engine.begin() as db:
            same = sa.update(_EPOCHS).where(column.department == department).values(epoch=epoch)
            if not db.execute(same).rowcount:
                db.execute(sa.insert(_EPOCHS).values(department=department, epoch=epoch))

    def all(self) -> dict[str, str]:
        """Return every department's data epoch that is known."""
        with self._engine.connect() as db:
            rows = db.execute(sa.select(_EPOCHS.c.department, _EPOCHS.c.epoch))
            return {row.department: row.epoch for row in rows}
