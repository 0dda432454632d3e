"""The model registry: every training that was released is a version of a named model.

Three tables in the coordinator's database, only ever appended to: versions, stages that people gave
them, and figures that a demonstration computed outside the sandbox. What a version cost and who it
counted stand in its run's label.
"""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from federation.coordinator.errors import ModelUnknown
from federation.database import create_tables

_METADATA = sa.MetaData()
_VERSIONS = sa.Table(
    "model_versions",
    _METADATA,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("run", sa.String(32), unique=True, nullable=False),
    sa.Column("plan", sa.String(64), nullable=False),
    sa.Column("file", sa.String(100), nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("code", sa.String(200), nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("name", "version"),
)
_STAGES = sa.Table(
    "model_stages",
    _METADATA,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("name", sa.String(64), nullable=False, index=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("stage", sa.String(16), nullable=False),
    sa.Column("who", sa.String(100), nullable=False),
    sa.Column("reason", sa.String(500), nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
)
_COMPARISONS = sa.Table(
    "model_comparisons",
    _METADATA,
    sa.Column("run", sa.String(32), primary_key=True),
    sa.Column("body", sa.JSON, nullable=False),
)


class Stage(StrEnum):
    """What the firm does with a version. At most one version of a name is in use."""

    ON_TRIAL = "on trial"
    IN_USE = "in use"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a named model. All of it is public.

    Attributes:
        name: of the model. version: from 1, in the order in which they were trained.
        run: that trained it. plan: the SHA-256 of its plan, in hex.
        file: of its weights, in the coordinator's folder of models. sha256: of that file.
        code: that trained it, see code_version.
        created_at: seconds since the Unix epoch.
    """

    name: str
    version: int
    run: str
    plan: str
    file: str
    sha256: str
    code: str
    created_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """A stage that a person gave a version, and why. ``at``: seconds since the Unix epoch."""

    version: int
    stage: Stage
    who: str
    reason: str
    at: int


class Registry:
    """The registry's tables in one database."""

    def __init__(self, engine: sa.Engine) -> None:
        """Open the tables, creating them in a new database."""
        self._engine = engine
        create_tables(engine, _METADATA)

    def add(
        self, name: str, *, run: str, plan: str, file: str, sha256: str, code: str, at: int
    ) -> Version:
        """Make a run the next version of a named model and return it."""
        column = _VERSIONS.c
        last = sa.select(sa.func.max(column.version)).where(column.name == name)
        with self._engine.begin() as db:
            made = Version(
                name=name,
                version=(db.scalar(last) or 0) + 1,
                run=run,
                plan=plan,
                file=file,
                sha256=sha256,
                code=code,
                created_at=at,
            )
            db.execute(_VERSIONS.insert().values(**asdict(made)))
        return made

    def all(self, name: str | None = None) -> list[Version]:
        """Return every version, or those of one name, oldest first."""
        query = sa.select(_VERSIONS).order_by(_VERSIONS.c.number)
        if name is not None:
            query = query.where(_VERSIONS.c.name == name)
        with self._engine.connect() as db:
            return [_version(row) for row in db.execute(query)]

    def get(self, name: str, version: int) -> Version:
        """Return one version, or raise ModelUnknown."""
        found = [one for one in self.all(name) if one.version == version]
        if not found:
            raise ModelUnknown(name, version)
        return found[0]

    def stage(self, version: Version, stage: Stage, *, who: str, reason: str, at: int) -> None:
        """Give a version a stage; whichever other one was in use is retired by it.

        Args:
            version: whose.
            stage: from now on.
            who: the person who decided it.
            reason: in that person's words.
            at: seconds since the Unix epoch.
        """
        row = {"name": version.name, "who": who, "reason": reason, "at": at}
        rows = [row | {"version": version.version, "stage": stage.value}]
        if stage is Stage.IN_USE:
            used = {n: s for n, s in self._newest(version.name).items() if n != version.version}
            rows += [
                row | {"version": number, "stage": Stage.RETIRED.value}
                for number, staged in used.items()
                if staged.stage is Stage.IN_USE
            ]
        with self._engine.begin() as db:
            db.execute(_STAGES.insert(), rows)

    def stages(self, name: str) -> list[Staged]:
        """Return every stage that was given to versions of a name, oldest first."""
        column = _STAGES.c
        query = sa.select(column.version, column.stage, column.who, column.reason, column.at)
        with self._engine.connect() as db:
            rows = db.execute(query.where(column.name == name).order_by(column.number))
            return [
                Staged(version=v, stage=Stage(s), who=who, reason=reason, at=at)
                for v, s, who, reason, at in rows
            ]

    def stage_of(self, version: Version) -> Staged | None:
        """Return the stage a version has now, or None if nobody ever gave it one."""
        return self._newest(version.name).get(version.version)

    def keep_comparison(self, run: str, body: dict[str, Any]) -> None:
        """Keep figures that a demonstration computed outside the sandbox, on public data only."""
        with self._engine.begin() as db:
            db.execute(_COMPARISONS.insert().values(run=run, body=body))

    def comparison(self, run: str) -> dict[str, Any] | None:
        """Return what was kept beside a run's model, or None."""
        query = sa.select(_COMPARISONS.c.body).where(_COMPARISONS.c.run == run)
        with self._engine.connect() as db:
            found: dict[str, Any] | None = db.scalar(query)
        return found

    def _newest(self, name: str) -> dict[int, Staged]:
        return {staged.version: staged for staged in self.stages(name)}


def _version(row: sa.Row[Any]) -> Version:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row's columns
    del values["number"]
    return Version(**values)
