"""node.toml: seven keys, relative to its folder, and every mistake named with its key."""

from pathlib import Path

import pytest

from federation.errors import SettingsInvalid
from federation.node.settings import load_settings

TEXT = """
department = "risk"
catalogue = "../catalogue.toml"
data = "data"
view = "view.sql"
policy = "policy.toml"
keys = "keys"
state = "state"
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "risk"
    for name in ("data", "keys"):
        (folder / name).mkdir(parents=True)
    for path in (folder / "view.sql", folder / "policy.toml", tmp_path / "catalogue.toml"):
        path.touch()
    (folder / "node.toml").write_text(TEXT)
    return folder


def test_paths_are_relative_to_the_file(home: Path) -> None:
    settings = load_settings(home / "node.toml")
    assert settings.department == "risk"
    assert settings.data == home / "data"
    assert settings.catalogue.resolve() == home.parent / "catalogue.toml"
    assert settings.database == f"sqlite:///{home / 'state' / 'node.db'}"
    assert settings.log == home / "state" / "node.log"


def test_the_state_folder_may_come_later(home: Path) -> None:
    assert not load_settings(home / "node.toml").state.exists()


@pytest.mark.parametrize("name", ["data", "keys", "view.sql", "policy.toml", "../catalogue.toml"])
def test_a_place_that_is_not_there_is_named(home: Path, name: str) -> None:
    path = home / name
    _ = path.rmdir() if path.is_dir() else path.unlink()
    with pytest.raises(SettingsInvalid) as error:
        load_settings(home / "node.toml")
    key = path.stem
    assert f"{key}: there is no" in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('department = "risk"\n', "", "department: is missing"),
        ('department = "risk"', 'department = "Risk!"', "department"),
        ('keys = "keys"', 'kyes = "keys"', "kyes"),
        ('keys = "keys"', "keys = 7", "keys"),
        ('keys = "keys"', "keys", "line 7"),
    ],
)
def test_a_mistake_is_named_with_its_key(home: Path, old: str, new: str, said: str) -> None:
    file = home / "node.toml"
    file.write_text(TEXT.replace(old, new))
    with pytest.raises(SettingsInvalid) as error:
        load_settings(file)
    assert str(file) in str(error.value)
    assert said in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match=r"node\.toml"):
        load_settings(tmp_path / "node.toml")
