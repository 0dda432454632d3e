"""Questions that people saved under a name, in the coordinator's database. Nothing is asked."""

import secrets
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from federation.database import create_tables

MOST_LETTERS = 80
_MOST = 50
_METADATA = sa.MetaData()
_SAVED = sa.Table(
    "saved_questions",
    _METADATA,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(16), unique=True, nullable=False),
    sa.Column("asker", sa.String(100), nullable=False),
    sa.Column("name", sa.String(MOST_LETTERS), nullable=False),
    sa.Column("form", sa.JSON, nullable=False),
    sa.UniqueConstraint("asker", "name"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedQuestion:
    """One question to ask again. form: what the builder held. All of it may be shown to staff."""

    id: str
    asker: str
    name: str
    form: dict[str, Any]


class SavedQuestions:
    """The table of saved questions in one database."""

    def __init__(self, engine: sa.Engine) -> None:
        """Open the table, creating it in a new database."""
        self._engine = engine
        create_tables(engine, _METADATA)

    def save(self, name: str, form: dict[str, Any], *, asker: str) -> None:
        """Save a question; under a name that the asker has already, in place of the other."""
        column = _SAVED.c
        values = {"id": secrets.token_hex(8), "asker": asker, "name": name[:MOST_LETTERS]}
        with self._engine.begin() as db:
            db.execute(
                sa.delete(_SAVED).where(*(column[k] == values[k] for k in ("asker", "name")))
            )
            db.execute(sa.insert(_SAVED).values(**values, form=form))

    def forget(self, saved: str, *, asker: str) -> None:
        """Forget a question that the asker saved; one of somebody else stays."""
        column = _SAVED.c
        with self._engine.begin() as db:
            db.execute(sa.delete(_SAVED).where(column.id == saved, column.asker == asker))

    def all(self) -> list[SavedQuestion]:
        """Return the questions that were saved last, at most 50, the newest first."""
        with self._engine.connect() as db:
            query = sa.select(_SAVED).order_by(_SAVED.c.number.desc()).limit(_MOST)
            return [
                SavedQuestion(id=row.id, asker=row.asker, name=row.name, form=row.form)
                for row in db.execute(query)
            ]
