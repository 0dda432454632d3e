"""What every body that crosses the wire is: frozen, of known names, its numbers finite."""

from pydantic import BaseModel, ConfigDict


class Wire(BaseModel):
    """A body, or a part of one, that a caller sends or is answered."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
