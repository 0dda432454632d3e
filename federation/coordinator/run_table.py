"""The table of runs: one line for each plan that came in."""

from sqlalchemy import JSON, Column, Float, Integer, LargeBinary, MetaData, String, Table

METADATA = MetaData()
RUNS = Table(
    "runs",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String(32), unique=True, nullable=False),
    Column("request", String(200), unique=True),
    Column("asker", String(100), nullable=False),
    Column("plan", LargeBinary, nullable=False),
    Column("digest", String(64), nullable=False, index=True),
    Column("question", String(64), nullable=False, index=True),
    Column("attempt", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("policy", String(64), nullable=False),
    Column("data", JSON),
    Column("state", String(16), nullable=False, index=True),
    Column("progress", Float, nullable=False, default=0.0),
    Column("step", String(200), nullable=False, default=""),
    Column("accepted_at", Integer, nullable=False),
    Column("ended_at", Integer),
    Column("result", JSON),
    Column("label", JSON),
    Column("refusal", JSON),
)
