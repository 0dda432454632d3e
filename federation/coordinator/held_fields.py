"""Which catalogues the log has heard of: each department's collection is logged once for each."""

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from consent.log_store import Log
from federation.database import create_tables

_METADATA = sa.MetaData()
_LOGGED = sa.Table(
    "log_collections",
    _METADATA,
    sa.Column("catalogue", sa.String(64), primary_key=True),
    sa.Column("department", sa.String(64), primary_key=True),
)


class HeldFields:
    """The table of what was logged, in the log's own database."""

    def __init__(self, engine: sa.Engine) -> None:
        """Open the table, creating it in a new database."""
        self._engine = engine
        create_tables(engine, _METADATA)

    def log(self, log: Log, catalogue: str, entries: Mapping[str, bytes]) -> None:
        """Append the entries of the departments that are new under this catalogue, and note it.

        Args:
            log: of the same database.
            catalogue: its digest.
            entries: by department.
        """
        query = sa.select(_LOGGED.c.department).where(_LOGGED.c.catalogue == catalogue)
        with self._engine.connect() as db:
            known = set(db.execute(query).scalars())
        new = {d: entry for d, entry in entries.items() if d not in known}
        if not new:
            return
        rows = [{"catalogue": catalogue, "department": d} for d in new]
        try:
            with self._engine.begin() as db:
                db.execute(_LOGGED.insert(), rows)
                log.append_within(db, list(new.values()))
        except IntegrityError:
            pass  # another process has just logged them
