"""The register on disk: events are appended, and in the same transaction standings follow them.

Several processes may use one database, and several threads one register: what they ask at the same
moment is written in one commit.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from secrets import token_hex

import sqlalchemy as sa

from consent import tables
from consent.clients import checked_client_id
from consent.erasing import Destroy, forget
from consent.errors import UnknownClient
from consent.events import Event, Expire, Request, SetLevel
from consent.intake import check, check_id
from consent.levels import Level
from consent.register import SECOND, Change, Standing
from consent.turns import Ticket, Turns
from consent.writing import Ask, Within, checked_rows, enter, nothing_else, write

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SWEEP = 1000
"""How many ends are written down in one commit, so that a client's own request waits for few."""
_NOTHING: frozenset[str] = frozenset()


class Register:
    """The consent register in a database that several processes share (SQLite or PostgreSQL).

    Errors and logs never hold a client's id: the engine is told to hide statements' parameters.
    """

    def __init__(
        self, engine: sa.Engine, *, within: Within = nothing_else, key: bytes = b""
    ) -> None:
        """Create what is missing in the database. Calling it again, anywhere, changes nothing.

        Args:
            engine: of the database; it must not be one that shows statements' parameters.
            key: under which erased clients are remembered (secret). Without one, whoever reads the
                database can test whether an id they guess was erased.
            within: called with the new events (sensitive) in each transaction that writes some,
                to write what must be true together with them, such as a log; if it raises, neither
                is written.
        """
        self._engine = engine
        self._within = within
        self._key = key
        self._turns: Turns[Ask, list[int]] = Turns(self._write)
        engine.hide_parameters = True  # a statement's parameters are ids; keep them out of errors
        tables.create(engine)

    def load(self, rows: Iterable[tuple[str, str, int]], at: datetime) -> int:
        """Enter clients the register does not know yet, all or none, and return the new epoch.

        A client who is known keeps the standing: loading a file again cannot undo a withdrawal.
        A household's clients get their places in the order in which they are entered, for good; a
        place that an erasure left is given to nobody for a day. A new member of a household whose
        family fields are closed finds them closed, and a client who was erased enters at level 0.

        Args:
            rows: (normalized client id, household id, level) of each client, each once (sensitive).
            at: when these levels were given, with a time zone.

        Raises:
            InvalidClientId, InvalidRow: a row cannot stand in the register; nothing was loaded.
        """
        checked, when = checked_rows(rows), _microseconds(at)
        with self._engine.begin() as connection:
            return enter(connection, checked, at=when, key=self._key, within=self._within)

    def set_level(
        self,
        client_id: str,
        level: int,
        at: datetime,
        *,
        expires_at: datetime | None = None,
        request_id: str | None = None,
    ) -> int:
        """Record that a client set the level (0 withdraws) and return the new epoch.

        As :meth:`record`, for one request.

        Args:
            client_id: the normalized id (sensitive).
            level: 0 to 4.
            at: when the client asked, with a time zone.
            expires_at: from when it opens nothing any more, in whole seconds; None for good.
            request_id: names the request, so that repeating it changes nothing.

        Raises:
            InvalidClientId, UnknownClient, UnknownLevel, InvalidRequest, RequestReused, ClockSkew:
                nothing was recorded.
        """
        end = None if expires_at is None else _microseconds(expires_at) // SECOND
        request = SetLevel(client=client_id, level=level, expires_at=end)
        return self.record([request], at, ids=None if request_id is None else [request_id])[0]

    def record(
        self, requests: Sequence[Request], at: datetime, *, ids: Sequence[str] | None = None
    ) -> list[int]:
        """Record requests in their order, all or none, and return the epoch that each opened.

        When this returns, the changes are on disk and in force, with one exception: what would open
        something at the very instant at which the client closed it is recorded without effect.

        Args:
            requests: of any clients (sensitive).
            at: when they were made, with a time zone.
            ids: one for each request, so that repeating it changes nothing: a request whose id is
                known returns the epoch it opened then.

        Raises:
            InvalidClientId, UnknownClient, UnknownLevel, InvalidRequest, RequestReused, ClockSkew:
                nothing was recorded.
        """
        when = _microseconds(at)
        for request in requests:
            check(request)
        for event_id in ids or ():
            check_id(event_id)
        if not requests:
            return []
        named = zip(ids or [token_hex(16) for _ in requests], requests, strict=True)
        return self._turns.take(Ask(requests=tuple(named), at=when, repeated=ids is not None))

    def expire(self, at: datetime) -> int:
        """Write down every authorization that has ended by ``at``, and return the head.

        It changes what clients read in their history, never what is open: an authorization ends by
        itself, at its date.
        """
        where = sa.and_(
            tables.standings.c.expires_at <= _microseconds(at) // SECOND,
            tables.standings.c.level > 0,
        )
        query = sa.select(tables.standings.c.client_id).where(where)
        with self._engine.connect() as connection:
            ended = connection.execute(query).scalars().all()
        for start in range(0, len(ended), _SWEEP):
            part = ended[start : start + _SWEEP]
            self.record([Expire(client=client) for client in part], at)
        return self.head()

    def level(self, client_id: str, at: datetime | None = None) -> Level:
        """Return a client's level: as last set, or what is left of it at ``at``.

        Raises:
            InvalidClientId, UnknownClient: there is no such client.
        """
        standing = self.standing(client_id)
        return standing.level if at is None else standing.level_at(_microseconds(at) // SECOND)

    def standing(self, client_id: str) -> Standing:
        """Return where a client stands; raise InvalidClientId or UnknownClient."""
        query = sa.select(tables.standings).where(
            tables.standings.c.client_id == checked_client_id(client_id)
        )
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise UnknownClient
        return tables.standing_of(row)

    def history(self, client_id: str) -> list[Event]:
        """Return every event of a client, oldest first; raise InvalidClientId or UnknownClient."""
        named = tables.standings.c.client_id == checked_client_id(client_id)
        with self._engine.connect() as connection:
            events = tables.events_where(connection, named)
        if not events:
            raise UnknownClient
        return events

    def erase(self, client_id: str, at: datetime, *, destroy: Destroy) -> int:
        """Withdraw a client and destroy what names the client's events; return the new epoch.

        On SQLite what is deleted is overwritten. What backups and PostgreSQL's archived log hold
        must expire by their own schedule.

        Args:
            client_id: the normalized id (sensitive).
            at: with a time zone.
            destroy: destroys and writes down what else belongs to it, in the same transaction.

        Raises:
            InvalidClientId, UnknownClient: nothing was changed.
        """
        client, when = checked_client_id(client_id), _microseconds(at)
        with self._engine.begin() as connection:
            epoch = forget(
                connection, client, at=when, key=self._key, within=self._within, destroy=destroy
            )
        tables.empty_write_ahead_log(self._engine)
        return epoch

    def erased(self) -> int:
        """Return the epoch of the newest erasure, 0 if there was none.

        What a node was told before that epoch is outdated as a whole. To build a delta read this
        after ``head()``: then an erasure that comes in between is not missed.
        """
        with self._engine.connect() as connection:
            return int(connection.execute(sa.select(tables.head.c.erased)).scalar_one())

    def head(self) -> int:
        """Return the newest epoch: the sequence number of the last event, 0 before the first."""
        with self._engine.connect() as connection:
            return int(connection.execute(sa.select(tables.head.c.seq)).scalar_one())

    def changes(self, after: int) -> list[Change]:
        """Return the standing of every client of whom anything changed after epoch ``after``.

        In the order of the changes. To build a delta read ``head()`` first, then this: what happens
        in between is then in the delta and again in the next one, never in neither.
        """
        own = tables.standings.c
        query = (
            sa.select(
                own.client_id,
                own.household_id,
                own.place,
                own.level,
                own.expires_at,
                own.objections,
                own.family_closed,
                own.changed_seq,
            )
            .where(own.changed_seq > after)
            .order_by(own.changed_seq, own.client_id)
        )
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return [
            Change(
                client_id=client,
                household_id=household,
                place=place,
                level=Level(level),
                expires_at=expires_at,
                objections=frozenset(json.loads(objections)) if objections != "{}" else _NOTHING,
                family_closed=closed,
                seq=seq,
            )
            for client, household, place, level, expires_at, objections, closed, seq in rows
        ]

    def purposes(self) -> tuple[str, ...]:
        """Return every purpose anyone has ever objected to; a purpose keeps its place for good.

        To build a delta read this last.
        """
        query = sa.select(tables.purposes.c.name).order_by(tables.purposes.c.bit)
        with self._engine.connect() as connection:
            return tuple(connection.execute(query).scalars())

    def _write(self, tickets: Sequence[Ticket[Ask, list[int]]]) -> None:
        with self._engine.begin() as connection:
            write(connection, tickets, within=self._within)


def _microseconds(at: datetime) -> int:
    """Count from the Unix epoch. TypeError for a naive ``at``, whose zone would be a guess."""
    return (at - _EPOCH) // timedelta(microseconds=1)
