"""Reading one TOML file into a frozen model: how every settings and policy file is read."""

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from federation.errors import SettingsInvalid
from federation.plans import explain

Shape = TypeVar("Shape", bound=BaseModel)


def read_settings(path: Path, shape: type[Shape]) -> Shape:
    """Read a TOML file, in UTF-8 whatever the machine's language.

    Raises:
        SettingsInvalid: the file is missing or is no TOML, or a key is missing, unknown or wrong;
            names the file and the key.
    """
    try:
        return shape.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise SettingsInvalid(str(path), f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsInvalid(str(path), "is not UTF-8 text; save it as such") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsInvalid(str(path), f"is not TOML: {error}") from None
    except ValidationError as error:
        raise SettingsInvalid(str(path), explain(error)) from None
