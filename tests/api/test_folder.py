from pathlib import Path

import pytest

from api.demo.errors import FolderInvalid
from api.demo.folder import read_folder
from consent.errors import CatalogueError
from federation.errors import SettingsInvalid


def test_a_folder_is_read_whole(tiny_folder: Path) -> None:
    folder = read_folder(tiny_folder)
    assert list(folder.departments) == ["lending", "wealth"]
    assert folder.departments["wealth"].data == tiny_folder / "data" / "wealth"
    assert folder.question.request()["kind"] == "question"
    assert folder.training.request()["target"] == "buys_bonds"
    assert "cohort" not in folder.question.request()


FILES = [
    "catalogue.toml",
    "register.sql",
    "policy.toml",
    "question.toml",
    "training.toml",
    "refused.toml",
    "departments/lending/view.sql",
    "departments/lending/policy.toml",
]


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(tiny_folder: Path, name: str) -> None:
    (tiny_folder / name).unlink()
    with pytest.raises((FolderInvalid, CatalogueError), match=Path(name).name):
        read_folder(tiny_folder)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FolderInvalid, match="--from"):
        read_folder(tmp_path / "nowhere")


MISTAKES = [
    ("question.toml", "epsilon = 4.0", "epsilon = -1", "epsilon"),
    ("question.toml", 'reason = "who', 'because = "who', "because"),
    ("training.toml", "rounds = 2", "rounds = 0", "rounds"),
    ("training.toml", "rounds = 2", "rounds = = 2", "TOML"),
    ("refused.toml", 'field = "debt"', 'field = "DEBT!"', "field"),
]


@pytest.mark.parametrize(("name", "right", "wrong", "told"), MISTAKES)
def test_a_mistake_in_a_request_names_file_and_key(
    tiny_folder: Path, name: str, right: str, wrong: str, told: str
) -> None:
    file = tiny_folder / name
    file.write_text(file.read_text().replace(right, wrong))
    with pytest.raises(FolderInvalid, match=told) as caught:
        read_folder(tiny_folder)
    assert caught.value.file == file


def test_a_mistake_in_a_policy_names_the_file(tiny_folder: Path) -> None:
    file = tiny_folder / "departments" / "wealth" / "policy.toml"
    file.write_text(file.read_text().replace("delta = 1e-6", "delta = 2"))
    with pytest.raises(SettingsInvalid, match=r"wealth.*delta"):
        read_folder(tiny_folder)


def test_a_department_the_catalogue_does_not_know_is_named(tiny_folder: Path) -> None:
    (tiny_folder / "departments" / "treasury").mkdir()
    with pytest.raises(FolderInvalid, match="treasury"):
        read_folder(tiny_folder)


CUBE = """
purpose = "bond_model"
fields = ["buys_bonds", "income"]
clients = 1024
epsilon = 1.0
reason = "what goes with buying bonds"
"""


def test_a_folder_may_have_a_cube(tiny_folder: Path) -> None:
    assert read_folder(tiny_folder).cube is None
    (tiny_folder / "cube.toml").write_text(CUBE)
    cube = read_folder(tiny_folder).cube
    assert cube is not None
    assert cube.fields == ("buys_bonds", "income")


def test_a_cube_that_lacks_what_the_training_learns_is_told_so(tiny_folder: Path) -> None:
    (tiny_folder / "cube.toml").write_text(CUBE.replace("buys_bonds", "region"))
    with pytest.raises(FolderInvalid, match="buys_bonds"):
        read_folder(tiny_folder)
