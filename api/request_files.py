"""Reading what is asked for, or was answered, from a file of the caller's."""

import json
import tomllib
from pathlib import Path

from api.client import Json
from api.errors import InputInvalid


def read_request(path: Path) -> Json:
    """Read a request from TOML, or from JSON if the file's name says so.

    Raises:
        InputInvalid: it cannot be read, or is neither.
    """
    try:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise InputInvalid(path, f"cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise InputInvalid(path, f"is neither TOML nor JSON ({error})") from None
    if not isinstance(found, dict):
        raise InputInvalid(path, "holds no request")
    return found
