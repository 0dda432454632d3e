"""A fresh state folder for one demonstration: data, settings, keys, tokens. Wipes only its own."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pyarrow.parquet as pq

from api.auth import enroll_tokens, write_private
from api.demo.errors import StateForeign
from api.demo.folder import DemoFolder
from api.demo.tables import Split, department_rows, register_rows
from federation.coordinator.evidence_log import open_evidence, open_register
from federation.coordinator.settings import load_coordinator_settings
from federation.database import open_database
from federation.deployment.enrolment import Enrolment, enrol
from federation.deployment.processes import only_one

Progress = Callable[[str, float], None]
"""Called with a short sentence and the part done, 0 to 1."""

FIRM = "infosandbox demo"
_MARK = "made-by-infosandbox-demo"
_LOCK = "lock"
_VIEW = "SELECT * FROM '{data}/clients.parquet'\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Everything a demonstration starts from. Places are public; rows and tokens are hidden.

    coordinator: the ``coordinator.toml``. nodes: department -> its ``node.toml``.
    tokens: the API's file of hashes. token_files: caller -> the file with that caller's token.
    rows: department -> what its node was given, and what was held out.
    """

    state: Path
    enrolment: Enrolment
    coordinator: Path
    nodes: Mapping[str, Path]
    tokens: Path
    token_files: Mapping[str, Path]
    rows: Mapping[str, Split] = field(repr=False)


@contextmanager
def fresh_state(state: Path) -> Iterator[Path]:
    """Hold a state folder for this process, emptied of what an earlier demonstration left.

    Raises:
        AlreadyRunning: another demonstration holds it.
        StateForeign: it holds something else; nothing was touched.
    """
    state = state.resolve()
    foreign = state.exists() and (not state.is_dir() or {p.name for p in state.iterdir()} - {_LOCK})
    if foreign and not (state / _MARK).is_file():
        raise StateForeign(state)
    with only_one(state):
        for place in state.iterdir():
            if place.is_dir() and not place.is_symlink():
                shutil.rmtree(place)
            elif place.name not in {_LOCK, _MARK}:
                place.unlink()
        (state / _MARK).touch()
        yield state


def prepare(folder: DemoFolder, state: Path, *, now: datetime, progress: Progress) -> Prepared:
    """Write a federation's files: data and settings per department, register, keys, tokens.

    Args:
        folder: read and checked.
        state: empty, held by :func:`fresh_state`.
        now: aware; from when keys and levels hold.
        progress: told what is happening.

    Raises:
        FolderInvalid: a view or its data does not fit the catalogue.
        InvalidRow, InvalidClientId: a row of the register is wrong; it is named by number only.
        InvalidName: fewer than two departments.
    """
    steps = len(folder.departments) + 2
    rows = {}
    for done, (name, department) in enumerate(folder.departments.items()):
        progress(f"Reading the files of {name}", done / steps)
        rows[name] = department_rows(name, department, folder.catalogue)
    progress("Enrolling: keys, roster, certificates", (steps - 2) / steps)
    enrolment = enrol(FIRM, tuple(folder.departments), state / "keys", now=now)
    nodes = {
        name: _write_node(name, folder, rows[name], state / "departments" / name, enrolment)
        for name in folder.departments
    }
    coordinator = _write_coordinator(folder, state, enrolment)
    progress("Loading the consent register", (steps - 1) / steps)
    settings = load_coordinator_settings(coordinator)
    engine = open_database(settings.database)
    register = open_register(engine, open_evidence(settings, engine))
    register.load(register_rows(folder.register, folder.data), now)
    engine.dispose()
    tokens = enroll_tokens(state / "api" / "tokens.json")
    token_files = {name: state / "api" / f"{name}.token" for name in tokens}
    for name, token in tokens.items():
        write_private(token_files[name], token + "\n")
    progress("Prepared", 1.0)
    return Prepared(
        state=state,
        enrolment=enrolment,
        coordinator=coordinator,
        nodes=nodes,
        tokens=state / "api" / "tokens.json",
        token_files=token_files,
        rows=rows,
    )


def _write_node(
    name: str, folder: DemoFolder, rows: Split, home: Path, enrolment: Enrolment
) -> Path:
    (home / "data").mkdir(mode=0o700, parents=True)
    pq.write_table(rows.kept, home / "data" / "clients.parquet")
    (home / "view.sql").write_text(_VIEW, encoding="utf-8")
    shutil.copyfile(folder.path / "catalogue.toml", home / "catalogue.toml")
    shutil.copyfile(folder.departments[name].policy, home / "policy.toml")
    settings = {
        "department": name,
        "catalogue": "catalogue.toml",
        "data": "data",
        "view": "view.sql",
        "policy": "policy.toml",
        "keys": str(enrolment.department(name)),
        "state": "state",
    }
    return _write_toml(home / "node.toml", settings)


def _write_coordinator(folder: DemoFolder, state: Path, enrolment: Enrolment) -> Path:
    home = state / "coordinator"
    home.mkdir(mode=0o700)
    shutil.copyfile(folder.path / "catalogue.toml", home / "catalogue.toml")
    shutil.copyfile(folder.policy, home / "policy.toml")
    settings = {
        "database": f"sqlite:///{home / 'coordinator.db'}",
        "catalogue": str(home / "catalogue.toml"),
        "policy": str(home / "policy.toml"),
        "keys": str(enrolment.coordinator),
        "consent_keys": str(enrolment.consent),
        "models": str(home / "models"),
    }
    return _write_toml(home / "coordinator.toml", settings)


def _write_toml(path: Path, settings: Mapping[str, str]) -> Path:
    # A JSON string without \\u escapes is a TOML string.
    lines = (f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in settings.items())
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
