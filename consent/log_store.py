"""The transparency log on disk: append-only entries, the hashes they make known, its checkpoints.

Several processes may use one database. Every write first takes the lock of a one-row table that
holds the tree's size and frontier, so entries get consecutive indexes and nobody reads the tree to
extend it: an append reads one row, whatever the size. `append_within` appends in the caller's own
transaction, so that what is logged and what happened become durable together or not at all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateTable

from consent.log_errors import EntryInvalid, LogBroken, NotInLog
from consent.merkle import (
    HASH_BYTES,
    Node,
    Range,
    consistency_ranges,
    frontier_root,
    grow,
    inclusion_ranges,
    leaf_hash,
    nodes,
    range_root,
)

MAXIMUM_ENTRY_BYTES = 65_536
_PAGE = 4096
_WAIT_MS = 30_000
_TABLES = sa.MetaData()
_HEAD = sa.Table(
    "log_head",
    _TABLES,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("frontier", sa.LargeBinary, nullable=False),
)
_ENTRIES = sa.Table(
    "log_entries",
    _TABLES,
    sa.Column("index", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("known", sa.LargeBinary, nullable=False),  # hashes of the subtrees that end here
    sa.Column("entry", sa.LargeBinary, nullable=False),
)
_CHECKPOINTS = sa.Table(
    "log_checkpoints",
    _TABLES,
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("note", sa.Text, nullable=False),
)
_COSIGNATURES = sa.Table(
    "log_cosignatures",
    _TABLES,
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("witness", sa.String(256), primary_key=True),
    sa.Column("line", sa.Text, nullable=False),
)
_APPEND_ONLY = (
    "CREATE TRIGGER IF NOT EXISTS {table}_no_{verb} BEFORE {verb} ON {table} "
    "BEGIN SELECT RAISE(ABORT, 'the transparency log is append-only'); END"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeHead:
    """The tree at one moment: its number of leaves and its root, 32 bytes. Public."""

    size: int
    root: bytes


class Log:
    """One transparency log in a database (SQLite or PostgreSQL). Everything in it is public."""

    def __init__(self, engine: sa.Engine) -> None:
        """Create what is missing in the database. Calling it again, anywhere, changes nothing."""
        self._engine = engine
        with engine.begin() as connection:
            for table in _TABLES.sorted_tables:
                connection.execute(CreateTable(table, if_not_exists=True))
            if engine.dialect.name == "sqlite":
                for table in (_ENTRIES, _CHECKPOINTS):
                    for verb in ("UPDATE", "DELETE"):
                        text = _APPEND_ONLY.format(table=table.name, verb=verb)
                        connection.exec_driver_sql(text)
        try:
            with engine.begin() as connection:
                if connection.execute(sa.select(_HEAD.c.size)).first() is None:
                    connection.execute(_HEAD.insert().values(id=1, size=0, frontier=b""))
        except IntegrityError:
            pass  # another process was first

    def append(self, entries: Sequence[bytes]) -> int:
        """Append entries, all or none, and return the index of the first; durable on return.

        One call costs one sync of the disk, so append many entries in one call.

        Raises:
            EntryInvalid: an entry is empty or longer than 64 KiB; nothing was appended.
            LogBroken: the stored tree contradicts itself; nothing was appended.
        """
        with self._engine.begin() as connection:
            return self.append_within(connection, entries)

    def append_within(self, connection: sa.Connection, entries: Sequence[bytes]) -> int:
        """Append in the caller's transaction, and return the index of the first.

        On SQLite let a write be the transaction's first statement, as this call makes it; a read
        before it would be of a state that another process may have changed since.

        Args:
            connection: of this log's database, inside a transaction.
            entries: canonical JSON, see `consent.log_entries`.

        Raises:
            EntryInvalid, LogBroken: nothing was written; roll the transaction back.
        """
        if any(not 0 < len(entry) <= MAXIMUM_ENTRY_BYTES for entry in entries):
            raise EntryInvalid(f"it is empty or longer than {MAXIMUM_ENTRY_BYTES} bytes")
        size, frontier = _lock(connection)
        if not entries:
            return size
        known, frontier = grow(size, frontier, map(leaf_hash, entries))
        rows = zip(range(size, size + len(entries)), known, entries, strict=True)
        connection.execute(
            _ENTRIES.insert(), [{"index": i, "known": k, "entry": entry} for i, k, entry in rows]
        )
        after = {"size": size + len(entries), "frontier": b"".join(frontier)}
        connection.execute(_HEAD.update().values(after))
        return size

    def head(self) -> TreeHead:
        """Return the tree as it is now."""
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(_HEAD.c.size, _HEAD.c.frontier)).one()
        return TreeHead(size=row.size, root=frontier_root(_frontier(row.size, row.frontier)))

    def entries(self, start: int, stop: int) -> list[bytes]:
        """Return the entries start <= index < stop, in order.

        Raises:
            NotInLog: the log ends before ``stop``.
        """
        found = [entry for _, entry in self._rows(start, stop)]
        if not 0 <= start <= stop or len(found) != stop - start:
            raise NotInLog(stop, self.head().size)
        return found

    def root(self, size: int) -> bytes:
        """Return the root the tree had at ``size`` leaves; NotInLog if it never had so many."""
        return self._roots([Range(0, size)], size)[0]

    def inclusion_proof(self, index: int, size: int) -> tuple[bytes, ...]:
        """Return the proof that entry ``index`` is in the tree of ``size`` leaves.

        Raises:
            NotInLog: there is no such entry or the tree never had so many leaves.
        """
        return self._roots(inclusion_ranges(index, size), size)

    def consistency_proof(self, first: int, second: int) -> tuple[bytes, ...]:
        """Return the proof that the tree of ``second`` leaves continues the one of ``first``.

        Raises:
            NotInLog: first > second, or the tree never had so many leaves.
        """
        return self._roots(consistency_ranges(first, second), second)

    def publish(self, sign: Callable[[TreeHead], str]) -> str:
        """Sign the tree as it is now, keep the checkpoint and return its note.

        An unchanged tree keeps the checkpoint it has. Signing happens under the writers' lock, so
        no two checkpoints of one size and none of a smaller tree are ever signed.

        Args:
            sign: makes the note, such as `consent.checkpoints.sign_checkpoint`.
        """
        with self._engine.begin() as connection:
            size, frontier = _lock(connection)
            query = sa.select(_CHECKPOINTS.c.note).where(_CHECKPOINTS.c.size == size)
            note = connection.execute(query).scalar_one_or_none()
            if note is None:
                note = sign(TreeHead(size=size, root=frontier_root(frontier)))
                connection.execute(_CHECKPOINTS.insert().values(size=size, note=note))
        return str(note)

    def keep_cosignature(self, size: int, witness: str, line: str) -> None:
        """Keep a witness's line under the checkpoint of ``size``; a newer one replaces it.

        Args:
            size: of a checkpoint that was published.
            witness: the name in the line.
            line: without its newline; open the checkpoint with it first, it is kept as it is.
        """
        this = (_COSIGNATURES.c.size == size) & (_COSIGNATURES.c.witness == witness)
        with self._engine.begin() as connection:
            _lock(connection)
            connection.execute(_COSIGNATURES.delete().where(this))
            connection.execute(_COSIGNATURES.insert().values(size=size, witness=witness, line=line))

    def checkpoints(self, *, newest: int | None = None) -> list[str]:
        """Return the published notes, smallest tree first, each with its cosignatures.

        Args:
            newest: return only so many of the newest; all of them if None.
        """
        query = sa.select(_CHECKPOINTS).order_by(_CHECKPOINTS.c.size.desc()).limit(newest)
        with self._engine.connect() as connection:
            newest_first = connection.execute(query).all()
            notes = {row.size: row.note for row in reversed(newest_first)}
            lines = sa.select(_COSIGNATURES.c.size, _COSIGNATURES.c.line).where(
                _COSIGNATURES.c.size >= min(notes, default=0)
            )
            for size, line in connection.execute(lines.order_by(_COSIGNATURES.c.witness)):
                notes[size] += line + "\n"
        return list(notes.values())

    def verify(self) -> TreeHead:
        """Read the whole log, compute its tree anew and return its head.

        It finds damage. A log that was rewritten with all its hashes is whole in itself: that only
        a checkpoint kept elsewhere can show (`consent.transparency`, `federation.witness`).

        Raises:
            LogBroken: names the first entry or hash that is not the one the others belong to.
        """
        head, size = self.head(), 0
        frontier: list[bytes] = []
        while size < head.size:
            stop = min(size + _PAGE, head.size)
            rows = self._rows(size, stop)
            if len(rows) != stop - size:
                raise LogBroken(f"an entry from {size} to {stop - 1} is gone")
            known, frontier = grow(size, frontier, (leaf_hash(entry) for _, entry in rows))
            for index, (row, right) in enumerate(zip(rows, known, strict=True), start=size):
                if row[0] != right:
                    raise LogBroken(f"entry {index} does not match its hashes")
            size = stop
        if frontier_root(frontier) != head.root:
            raise LogBroken("its head does not match its entries")
        return head

    def _roots(self, ranges: Sequence[Range], size: int) -> tuple[bytes, ...]:
        wanted = [node for leaves in ranges for node in nodes(leaves)]
        query = sa.select(_ENTRIES.c.index, _ENTRIES.c.known).where(
            _ENTRIES.c.index.in_({node.last for node in wanted})
        )
        with self._engine.connect() as connection:
            known = {index: bytes(joined) for index, joined in connection.execute(query)}
        hashes: dict[Node, bytes] = {}
        for node in wanted:
            start = HASH_BYTES * node.level
            hashes[node] = known.get(node.last, b"")[start : start + HASH_BYTES]
            if len(hashes[node]) != HASH_BYTES:
                raise self._missing(size)
        return tuple(range_root(leaves, hashes) for leaves in ranges)

    def _missing(self, size: int) -> NotInLog | LogBroken:
        have = self.head().size
        return NotInLog(size, have) if size > have else LogBroken("the hash of a subtree is gone")

    def _rows(self, start: int, stop: int) -> list[tuple[bytes, bytes]]:
        query = (
            sa.select(_ENTRIES.c.known, _ENTRIES.c.entry)
            .where(_ENTRIES.c.index >= start, _ENTRIES.c.index < stop)
            .order_by(_ENTRIES.c.index)
        )
        with self._engine.connect() as connection:
            return [(known, entry) for known, entry in connection.execute(query)]


def _lock(connection: sa.Connection) -> tuple[int, list[bytes]]:
    """Wait for the writers' lock, held until the transaction ends; return size and frontier."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {_WAIT_MS}")
        if not connection.connection.in_transaction:
            connection.exec_driver_sql("PRAGMA synchronous = FULL")
    statement = _HEAD.update().values(size=_HEAD.c.size).returning(_HEAD.c.size, _HEAD.c.frontier)
    size, frontier = connection.execute(statement).one()
    return size, _frontier(size, frontier)


def _frontier(size: int, joined: bytes) -> list[bytes]:
    if len(joined) != HASH_BYTES * size.bit_count():
        raise LogBroken("its head does not match its size")
    return [joined[i : i + HASH_BYTES] for i in range(0, len(joined), HASH_BYTES)]
