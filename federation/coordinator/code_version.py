"""Which code made a model: the package's version and the digest of our own sources. Public."""

from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

ROOMS = ("api", "consent", "federation", "models", "privacy")
_HOUSE = Path(__file__).parents[2]


@cache
def code_version() -> str:
    """Return "VERSION+DIGEST" of the code this process runs; read from the disk once.

    The digest is the SHA-256, in hex, over every Python file of the five rooms in the order of
    their paths: equal sources, equal digest, whether or not they came from a repository.
    """
    total = sha256()
    for room in ROOMS:
        for path in sorted((_HOUSE / room).rglob("*.py")):
            total.update(path.relative_to(_HOUSE).as_posix().encode() + b"\0")
            total.update(sha256(path.read_bytes()).digest())
    return f"{version('infosandbox')}+{total.hexdigest()}"
