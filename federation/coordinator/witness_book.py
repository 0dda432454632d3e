"""What each department, as a witness of the log, has cosigned last or refused; for whoever looks.

Only the process that speaks with the departments writes it; the API shows it.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from federation.database import create_tables

_METADATA = sa.MetaData()
_BOOK = sa.Table(
    "log_witnesses",
    _METADATA,
    sa.Column("department", sa.String(64), primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("refusal", sa.String(64), nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One department's word. size: cosigned last. refusal: "" or its code. at: seconds."""

    department: str
    size: int
    refusal: str
    at: int


class WitnessBook:
    """The table of witnesses in the coordinator's database."""

    def __init__(self, engine: sa.Engine) -> None:
        """Open the table, creating it in a new database."""
        self._engine = engine
        create_tables(engine, _METADATA)

    def keep(self, heard: Heard) -> None:
        """Keep a department's newest word in place of its last one."""
        row = {"size": heard.size, "refusal": heard.refusal, "at": heard.at}
        mine = _BOOK.c.department == heard.department
        with self._engine.begin() as db:
            if db.execute(_BOOK.update().where(mine).values(**row)).rowcount == 0:
                db.execute(_BOOK.insert().values(department=heard.department, **row))

    def all(self) -> list[Heard]:
        """Return every department's newest word, by name."""
        with self._engine.connect() as db:
            rows = db.execute(sa.select(_BOOK).order_by(_BOOK.c.department))
            return [Heard(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name

    def refusing(self) -> list[str]:
        """Return the departments whose newest word is a refusal."""
        return [heard.department for heard in self.all() if heard.refusal]
