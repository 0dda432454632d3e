"""A node's settings: one ``node.toml``, read once when the node opens.

``node.toml`` has seven keys; paths are relative to its own folder::

    department = "risk"
    catalogue  = "catalogue.toml"   # the firm's fields, the same file at every node
    data       = "data"             # the department's files, opened read-only
    view       = "view.sql"         # one SELECT: client_id, then columns named as the fields
    policy     = "policy.toml"      # what this department answers, whatever the coordinator says
    keys       = "keys"             # this department's folder of the enrolment
    state      = "state"            # ledger, journal, log and noise; keep it over restarts
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from federation.errors import SettingsInvalid
from federation.plan_base import Name
from federation.settings_file import read_settings

ENVIRONMENT = "INFOSANDBOX_NODE"
"""The environment variable that tells a department's worker where its ``node.toml`` is."""

_FILES = ("catalogue", "view", "policy")
_FOLDERS = ("data", "keys")


class NodeSettings(BaseModel):
    """Where one department keeps its things. Holds names and paths, no key and no data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    department: Name
    catalogue: Path
    data: Path
    view: Path
    policy: Path
    keys: Path
    state: Path

    @property
    def database(self) -> str:
        """URL of the node's own database: its ledger and its journal."""
        return f"sqlite:///{self.state / 'node.db'}"

    @property
    def noise(self) -> Path:
        """Folder of the node's noise pool; never to be restored from a backup."""
        return self.state / "noise"

    @property
    def stopped(self) -> Path:
        """File that is there while the department's stop switch is on."""
        return self.state / "stopped"

    @property
    def own_models(self) -> Path:
        """Folder of models that were trained here alone; they are never to be shared."""
        return self.state / "local"

    @property
    def log(self) -> Path:
        """The node's own log; it never leaves the department."""
        return self.state / "node.log"


def load_settings(path: Path) -> NodeSettings:
    """Read ``node.toml`` and make its paths absolute.

    Raises:
        SettingsInvalid: the file is missing or is no TOML, a key is missing, unknown or wrong, or a
            file or folder it names does not exist; names the file and the key.
    """
    settings = read_settings(path, NodeSettings)
    home = path.resolve().parent
    places = {key: home / getattr(settings, key) for key in (*_FILES, *_FOLDERS, "state")}
    for key in (*_FILES, *_FOLDERS):
        found = places[key].is_file() if key in _FILES else places[key].is_dir()
        if not found:
            what = "file" if key in _FILES else "folder"
            raise SettingsInvalid(str(path), f"{key}: there is no {what} {places[key]}")
    return settings.model_copy(update=places)
