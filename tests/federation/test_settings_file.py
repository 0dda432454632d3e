"""Every settings file is read in one way, and every way in which it can be wrong is named."""

from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from federation.errors import SettingsInvalid
from federation.settings_file import read_settings


class Shape(BaseModel):
    """Two keys."""

    model_config = ConfigDict(extra="forbid")

    name: str
    size: int = 1


def test_a_file_is_read_in_utf8(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_bytes('name = "信息沙盒"'.encode())
    assert read_settings(file, Shape) == Shape(name="信息沙盒")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'name = "\xe9"', "is not UTF-8 text"),
        (b"name =\nsize = 1", "is not TOML: .*line 1"),
        (b"size = 2", "name: is missing"),
        (b'name = "a"\nsiez = 2', "siez: is no key here; remove it or correct its spelling"),
        (b'name = "a"\nsize = "many"', "size: "),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_file_that_is_wrong_is_named_with_the_key(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    file = tmp_path / "a.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsInvalid, match=rf"a\.toml: {said}"):
        read_settings(file, Shape)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="cannot be read"):
        read_settings(tmp_path, Shape)
