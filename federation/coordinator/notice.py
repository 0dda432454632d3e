"""What clients are told of the processing, for their receipts: one ``notice.toml``.

Nobody may invent a legal text, so what the file does not say is printed as "not stated".
"""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from federation.settings_file import read_settings

NOT_STATED = "not stated"

Text = Annotated[str, Field(min_length=1, max_length=500)]


class Notice(BaseModel):
    """The facts of ISO/IEC TS 27560:2023 that only the firm knows. All of it is public.

    notice: where the privacy notice can be read. The firm's name comes from the signed roster.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    notice: Text = NOT_STATED
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] = "en"
    address: Text = NOT_STATED
    contact: Text = NOT_STATED
    storage_locations: Annotated[tuple[Text, ...], Field(min_length=1, max_length=64)] = (
        NOT_STATED,
    )
    retention_period: Text = NOT_STATED
    jurisdiction: Text = NOT_STATED
    recipients: Annotated[tuple[Text, ...], Field(max_length=64)] = ()
    withdrawal_method: Text = (
        "Ask the firm to set your level to 0: as easy as raising it, and in force at the next plan."
    )


def load_notice(path: Path | None) -> Notice:
    """Read ``notice.toml``; without one everything is "not stated".

    Raises:
        SettingsInvalid: names the file and the key.
    """
    if path is None:
        return Notice()
    return read_settings(path, Notice)
