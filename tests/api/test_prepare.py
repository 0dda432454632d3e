import stat
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from api.auth import STAFF, caller_of, load_tokens
from api.demo.errors import StateForeign
from api.demo.folder import read_folder
from api.demo.prepare import Prepared, fresh_state, prepare
from api.demo.tables import is_held_out
from api.people.roles import STAFF_ROLES
from consent.store import Register
from federation.coordinator.desk import open_desk
from federation.coordinator.settings import load_coordinator_settings
from federation.database import open_database
from federation.deployment.errors import AlreadyRunning
from federation.node.node import open_node
from federation.node.settings import load_settings

NOW = datetime.now(UTC)


@pytest.fixture
def prepared(tiny_folder: Path, tmp_path: Path) -> Prepared:
    folder = read_folder(tiny_folder)
    with fresh_state(tmp_path / "state") as state:
        return prepare(folder, state, now=NOW, progress=lambda _text, _part: None)


def test_no_node_is_given_a_held_out_client(prepared: Prepared) -> None:
    for node in prepared.nodes.values():
        (file,) = (node.parent / "data").iterdir()
        given = pq.read_table(file).column("client_id").to_pylist()
        assert given
        assert not any(map(is_held_out, given))


def test_every_node_and_the_coordinator_open(prepared: Prepared) -> None:
    for name, node in prepared.nodes.items():
        assert open_node(load_settings(node)).department == name
    assert open_desk(load_coordinator_settings(prepared.coordinator)).runs.latest() == []


def test_the_register_is_loaded(prepared: Prepared) -> None:
    database = load_coordinator_settings(prepared.coordinator).database
    assert Register(open_database(database)).head() == 400


def test_a_token_is_kept_for_each_role_and_known_by_its_hash(prepared: Prepared) -> None:
    known = load_tokens(prepared.tokens)
    assert {caller.role for caller in STAFF} == set(STAFF_ROLES)
    for caller in STAFF:
        file = prepared.token_files[caller.name]
        assert caller_of(file.read_text().strip(), known) == caller
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_rows_stay_out_of_a_repr(prepared: Prepared) -> None:
    assert "c0" not in repr(prepared).replace(str(prepared.state), "")


def test_progress_is_told_from_start_to_end(tiny_folder: Path, tmp_path: Path) -> None:
    told: list[float] = []
    with fresh_state(tmp_path / "state") as state:
        prepare(
            read_folder(tiny_folder), state, now=NOW, progress=lambda _text, part: told.append(part)
        )
    assert told == sorted(told)
    assert told[0] == 0
    assert told[-1] == 1


def test_what_an_earlier_demonstration_left_is_removed(tmp_path: Path) -> None:
    with fresh_state(tmp_path / "state") as state:
        (state / "keys").mkdir()
        (state / "keys" / "old.key").touch()
    with fresh_state(tmp_path / "state") as state:
        assert {p.name for p in state.iterdir()} == {"lock", "made-by-infosandbox-demo"}


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(StateForeign), fresh_state(tmp_path):
        pass
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_link_inside_the_state_is_cut_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    with fresh_state(tmp_path / "state") as state:
        (state / "link").symlink_to(tmp_path / "precious", target_is_directory=True)
    with fresh_state(tmp_path / "state") as state:
        assert not (state / "link").exists()
    assert (tmp_path / "precious" / "file").exists()


def test_a_second_demonstration_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    with fresh_state(tmp_path / "state") as state:
        (state / "running").touch()
        with pytest.raises(AlreadyRunning), fresh_state(tmp_path / "state"):
            pass
        assert (state / "running").exists()


def test_a_path_with_quotes_is_written_as_toml(tiny_folder: Path, tmp_path: Path) -> None:
    with fresh_state(tmp_path / 'a "quoted" 信息') as state:
        made = prepare(read_folder(tiny_folder), state, now=NOW, progress=lambda _text, _part: None)
    assert load_coordinator_settings(made.coordinator).models.parent == state / "coordinator"
