"""What the coordinator refuses about approvals and models, with what to do about it."""
# ruff: noqa: D107, N818 - class docstrings say what the attributes are; a refusal's name needs no "Error"

from federation.errors import FederationError


class NotWaiting(FederationError):
    """A run takes no opinions: it needs none, or both are in. `state` is where it stands."""

    def __init__(self, run: str, state: str) -> None:
        super().__init__(
            f"Run {run} is {state} and takes no opinions. List the approvals to see which do."
        )
        self.run = run
        self.state = state


class OwnPlan(FederationError):
    """Someone may not decide about a plan that they asked for."""

    def __init__(self, run: str) -> None:
        super().__init__(
            f"Run {run} is your own: nobody approves what they ask. Ask two other officers."
        )
        self.run = run


class OpinionGiven(FederationError):
    """An officer has one opinion on a run; it was given before and stands."""

    def __init__(self, run: str) -> None:
        super().__init__(
            f"Your opinion on run {run} is in the ledger and stands. Another officer must decide."
        )
        self.run = run


class ReasonNeeded(FederationError):
    """An opinion without a usable reason; `least` and `most` count characters."""

    def __init__(self, least: int, most: int) -> None:
        super().__init__(f"Give the reason for your opinion in {least} to {most} characters.")
        self.least = least
        self.most = most


class Declined(FederationError):
    """Of the two opinions on a plan one at least was against it."""

    def __init__(self, run: str) -> None:
        super().__init__(
            f"Run {run} was not approved by both officers; nothing was spent. "
            "Read their reasons, change the plan and ask again."
        )
        self.run = run


class ApprovalExpired(FederationError):
    """A plan waited longer for approval than it may; `days` is the setting."""

    def __init__(self, run: str, days: float) -> None:
        super().__init__(
            f"Run {run} was not decided within {days:g} days; nothing was spent. Ask again."
        )
        self.run = run
        self.days = days


class ModelUnknown(FederationError):
    """There is no released model with this name and version; `version` 0 stands for any."""

    def __init__(self, name: str, version: int = 0) -> None:
        what = f"version {version} of a model" if version else "model"
        super().__init__(f"There is no {what} {name!r}. List the models to see which there are.")
        self.name = name
        self.version = version
