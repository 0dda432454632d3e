"""The wire of a training under way."""

from dataclasses import asdict
from typing import Self

from pydantic import Field

from api.wire import Wire
from federation.coordinator.training_view import TrainingView


class TrainingProgress(Wire):
    """How far a training is. ε is at δ."""

    rounds: int
    asked: int = Field(description="rounds sent out so far")
    done: int = Field(description="rounds whose sum is known")
    interruptions: int
    stopping: bool = Field(description="it ends before its next round")
    departments: dict[str, str] = Field(description="each one's state in words")
    epsilon: float = Field(description="of the rounds sent out so far, at most")
    delta: float

    @classmethod
    def of(cls, view: TrainingView) -> Self:
        """Show how far a training is."""
        return cls.model_validate(asdict(view))
