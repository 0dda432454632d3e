"""Where a coordinator finds its things, read from one ``coordinator.toml``."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from federation.settings_file import read_settings

ENVIRONMENT = "INFOSANDBOX_COORDINATOR"
"""Names the ``coordinator.toml`` for the ServerApp, which Flower starts without arguments."""


class CoordinatorSettings(BaseModel):
    """Paths and limits of one coordinator. Nothing in it is a secret; the keys folder holds those.

    database: any SQLAlchemy URL; SQLite by default, beside ``coordinator.toml``.
    keys: the folder that enrolment wrote for the coordinator.
    consent_keys: the folder that enrolment wrote for the consent service.
    models: where trained models are kept.
    notice: what receipts tell clients of the processing; without it they say "not stated".
    deadline_s: how long a leg of a question may take before its departments are named as missing.
    round_deadline_s: the same for one round of training.
    answers_stand_s: in spans of so many seconds, counted from the Unix epoch, an equal question has
        one answer, whoever changes an authorization meanwhile (docs/decisions/0012); 0 for none.
    approval_days: how long a plan above the automatic limit may wait for two people.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    database: str
    catalogue: Path
    policy: Path
    keys: Path
    consent_keys: Path
    models: Path
    notice: Path | None = None
    deadline_s: float = Field(default=12.0, gt=0, le=3600)
    round_deadline_s: float = Field(default=120.0, gt=0, le=36000)
    answers_stand_s: int = Field(default=0, ge=0, le=31 * 24 * 3600)
    approval_days: float = Field(default=7.0, gt=0, le=366)


def load_coordinator_settings(path: Path) -> CoordinatorSettings:
    """Read ``coordinator.toml``.

    Raises:
        SettingsInvalid: the file is missing, is no TOML or has a wrong key; names file and key.
    """
    return read_settings(path, CoordinatorSettings)
