"""Session announcements as JSON: hello returns one, every other leg brings the cohort's."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from federation.errors import ProtocolError
from federation.secure_aggregation.keys import Announcement


class _Wire(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", ser_json_bytes="hex", val_json_bytes="hex"
    )

    department: str
    session: bytes
    public: bytes
    signature: bytes


_COHORT: TypeAdapter[list[_Wire]] = TypeAdapter(Annotated[list[_Wire], Field(max_length=16)])


def announcement_json(announcement: Announcement) -> bytes:
    """Write one announcement as a JSON object with hexadecimal keys and signature."""
    return (
        _Wire(
            department=announcement.department,
            session=announcement.session,
            public=announcement.public,
            signature=announcement.signature,
        )
        .model_dump_json()
        .encode()
    )


def read_announcements(data: bytes) -> tuple[Announcement, ...]:
    """Read the cohort's announcements from a JSON list. They are not verified yet.

    Raises:
        ProtocolError: not a list of announcements.
    """
    try:
        found = _COHORT.validate_json(data)
    except ValidationError:
        reason = "The cohort's announcements cannot be read. Collect fresh announcements."
        raise ProtocolError(reason) from None
    return tuple(Announcement(**dict(wire)) for wire in found)
