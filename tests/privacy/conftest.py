"""Databases to keep a ledger in: SQLite files, and a real PostgreSQL that the tests start."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from federation.database import open_database

DATABASES = ("sqlite", "postgresql")


def program(name: str) -> str:
    """Find one of PostgreSQL's programs, on the path or where Debian puts it."""
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = shutil.which(name) or (str(debian[-1]) if debian else None)
    assert found, f"{name} is not installed: apt-get install postgresql"
    return found


def as_somebody(folder: Path) -> list[str]:
    """Return how to run as the folder's new owner: PostgreSQL refuses to be root."""
    if os.geteuid() != 0:
        return []
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    somebody = names.get("postgres") or names["nobody"]
    os.chown(folder, somebody.pw_uid, somebody.pw_gid)
    return [
        "setpriv",
        f"--reuid={somebody.pw_uid}",
        f"--regid={somebody.pw_gid}",
        "--clear-groups",
    ]


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """Start a new PostgreSQL cluster on a socket in a folder of its own; give its URL."""
    folder = Path(tempfile.mkdtemp(prefix="ledger-"))
    run_as, data = as_somebody(folder), str(folder / "data")
    make = [program("initdb"), "--pgdata", data, "--username=ledger", "--auth=trust", "--no-sync"]
    subprocess.run(
        [*run_as, *make, "--locale=C", "--encoding=UTF8"], check=True, stdout=subprocess.DEVNULL
    )
    serve = [
        program("postgres"),
        "-D",
        data,
        "-k",
        str(folder),
        "-c",
        "listen_addresses=",
        "-c",
        "fsync=off",
    ]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen([*run_as, *serve], stderr=log)
    url = f"postgresql+psycopg://ledger@/postgres?host={folder}"
    try:
        answers(url)
        yield url
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=30)
        shutil.rmtree(folder)


def answers(url: str) -> None:
    """Wait until a database answers."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    for _ in range(300):
        try:
            engine.connect().close()
        except sa.exc.OperationalError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(url)


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a new, empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    cluster: str = request.getfixturevalue("cluster")
    schema = f"s{uuid4().hex}"
    engine = sa.create_engine(cluster, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema(schema))
    return f"{cluster}&options=-csearch_path%3D{schema}"


@pytest.fixture
def engine(url: str) -> Iterator[sa.Engine]:
    """Open the empty database."""
    opened = open_database(url)
    yield opened
    opened.dispose()
