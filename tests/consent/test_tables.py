import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from consent import tables


def test_postgresql_takes_every_table() -> None:
    dialect = postgresql.dialect()
    for table in tables.tables.sorted_tables:
        text = str(sa.schema.CreateTable(table, if_not_exists=True).compile(dialect=dialect))
        assert text.strip().startswith(f"CREATE TABLE IF NOT EXISTS {table.name}")
    assert set(tables.APPEND_ONLY) == {"sqlite", "postgresql"}
