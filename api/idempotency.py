"""Idempotency keys: a request that spends is carried out once, however often it is sent.

The same key with the same request gives the stored answer; with another request it is refused, and
so it is while the first is still under way. A request that was refused spent nothing and leaves its
key free. Keys of one caller never meet another's, and are forgotten after a day.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel
from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from api.errors import KeyReused, RequestInFlight
from api.people.roles import Caller
from federation.database import create_tables

KEPT_S: Final = 24 * 3600
LOST_S: Final = 120
"""A request under way for so many seconds belonged to a process that died; its key is free again.

What it may have done by then is not done twice: a run is named by its key (``Runs.by_request``),
an opinion stands once, and a level that is set again is the level it was.
"""

_METADATA = MetaData()
_ANSWERS = Table(
    "idempotency",
    _METADATA,
    Column("key", String(64), primary_key=True),
    Column("request", String(64), nullable=False),
    Column("place", Text, nullable=False),
    Column("begun_at", BigInteger, nullable=False, index=True),
    Column("status", Integer),
    Column("headers", String(1000)),
    Column("body", LargeBinary),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a request that spends is answered with. ``body`` may hold a receipt, so it is hidden."""

    status: int = HTTPStatus.OK
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        """Return it as a response."""
        return Response(
            self.body,
            status_code=self.status,
            headers=dict(self.headers),
            media_type="application/json",
        )


class Answers:
    """The table of keys and stored answers in one database. Only hashes of keys are kept."""

    def __init__(self, engine: Engine) -> None:
        """Open the table, creating it in a new database."""
        self._engine = engine
        create_tables(engine, _METADATA)

    def begin(self, key: str, request: str, *, place: str, now: int) -> Answer | None:
        """Claim a key, or return the answer that is stored under it.

        Args:
            key: of one caller, hashed.
            request: what is asked, hashed.
            place: the path, by which an erasure finds what is stored of a client.
            now: seconds since the Unix epoch.

        Raises:
            KeyReused: it was used for another request.
            RequestInFlight: that request is still under way.
        """
        row = insert(_ANSWERS).values(key=key, request=request, place=place, begun_at=now)
        over = _ANSWERS.c.begun_at <= now - KEPT_S
        lost = _ANSWERS.c.status.is_(None) & (_ANSWERS.c.begun_at <= now - LOST_S)
        try:
            with self._engine.begin() as db:
                db.execute(delete(_ANSWERS).where(over | lost))
                db.execute(row)
        except IntegrityError:
            return self._stored(key, request)
        return None

    def keep(self, key: str, answer: Answer) -> None:
        """Store the answer of a request that was carried out."""
        headers = json.dumps(dict(answer.headers))
        values = {"status": int(answer.status), "headers": headers, "body": answer.body}
        with self._engine.begin() as db:
            db.execute(update(_ANSWERS).where(_ANSWERS.c.key == key).values(**values))

    def free(self, key: str) -> None:
        """Let a key be used again: its request was refused, and nothing was done."""
        with self._engine.begin() as db:
            db.execute(delete(_ANSWERS).where(_ANSWERS.c.key == key))

    def forget(self, place: str) -> None:
        """Destroy every answer that was given below a path: an erasure reaches them too."""
        with self._engine.begin() as db:
            db.execute(delete(_ANSWERS).where(_ANSWERS.c.place.startswith(place, autoescape=True)))

    def _stored(self, key: str, request: str) -> Answer | None:
        with self._engine.connect() as db:
            found = db.execute(select(_ANSWERS).where(_ANSWERS.c.key == key)).one_or_none()
        if found is None or (found.request == request and found.status is None):
            raise RequestInFlight
        if found.request != request:
            raise KeyReused
        return Answer(status=found.status, headers=json.loads(found.headers), body=found.body)


_Key = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=100,
        pattern=r"^[\x21-\x7e]+$",
        description="the same key with the same request gives the same answer, whatever happens",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """A request that spends, with its caller's key, which may be missing."""

    request: Request
    key: str | None

    def do(self, caller: Caller, body: BaseModel | None, work: Callable[[], Answer]) -> Response:
        """Carry it out, or give the answer it had before. Without a key: carry it out.

        Args:
            caller: whose key it is.
            body: what is asked beyond method and path, if there is more.
            work: spends, and returns the answer; what it raises frees the key.

        Raises:
            KeyReused: the key was used for another request.
            RequestInFlight: that request is still under way.
        """
        if self.key is None:
            return work().response()
        answers: Answers = self.request.app.state.answers
        path = self.request.url.path
        mine = _hash(caller.name, self.key)
        rest = "" if body is None else body.model_dump_json(exclude_unset=True)
        asked = _hash(self.request.method, path, rest)
        stored = answers.begin(mine, asked, place=path, now=int(time.time()))
        if stored is not None:
            return stored.response()
        try:
            answer = work()
        except BaseException:
            answers.free(mine)
            raise
        answers.keep(mine, answer)
        return answer.response()


def _once(request: Request, idempotency_key: _Key = None) -> Once:
    return Once(request=request, key=idempotency_key)


OnlyOnce = Annotated[Once, Depends(_once)]


def _hash(*parts: str) -> str:
    """Hash a list of strings, no two lists alike."""
    return sha256(json.dumps(parts).encode()).hexdigest()
