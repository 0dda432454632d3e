"""Where the API finds its things; the command line says so, never the environment."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """One API process.

    coordinator: the ``coordinator.toml`` whose stores it opens.
    tokens: the JSON file with the SHA-256 hashes of the bearer tokens, see :mod:`api.auth`.
    people: ``people.toml``, see :mod:`api.people.settings`; None for what holds without one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    coordinator: Path
    tokens: Path
    people: Path | None = None
