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


class PolicyChanged(FederationError):
    """Somebody else changed the policy in between; `keys` names the figures that differ now."""

    def __init__(self, keys: list[str]) -> None:
        what = ", ".join(keys) or "it"
        super().__init__(
            f"The policy changed since you read it ({what}). Read it again, put your change into "
            "what holds now, and send it with its new ETag."
        )
        self.keys = keys


class PolicyFixed(FederationError):
    """A part of the policy that no change may touch; `key` names it."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"{key} cannot be changed: the ledger's totals stand on it. Leave it as it is; a "
            "purpose is closed by a budget of no more than it has spent."
        )
        self.key = key


class ProposalUnknown(FederationError):
    """There is no proposed policy with this id."""

    def __init__(self, proposal: str) -> None:
        super().__init__(f"There is no proposal {proposal!r}. List the proposals to find its id.")
        self.proposal = proposal


class OwnProposal(FederationError):
    """Someone may not decide about a policy that they proposed."""

    def __init__(self, proposal: str) -> None:
        super().__init__(f"Proposal {proposal} is your own: another officer must decide about it.")
        self.proposal = proposal


class ProposalEnded(FederationError):
    """A proposed policy that waits no longer; `state` is where it stands."""

    def __init__(self, proposal: str, state: str) -> None:
        super().__init__(
            f"Proposal {proposal} is {state} and takes no decision. Propose the policy again."
        )
        self.proposal = proposal
        self.state = state


class FilterTooNarrow(FederationError):
    """A question's conditions keep too small a part of their fields' labels; both are public."""

    def __init__(self, share: float, least: float) -> None:
        super().__init__(
            f"The conditions keep {share:.3%} of their fields' labels; the policy asks for at "
            f"least {least:.3%}. Name more labels, or fewer conditions."
        )
        self.share = share
        self.least = least


class SqlRefused(FederationError):
    """A statement that is not understood; `line` and `column` count from 1, `reason` says why."""

    def __init__(self, line: int, column: int, reason: str) -> None:
        super().__init__(f"Line {line}, column {column}: {reason}.")
        self.line = line
        self.column = column
        self.reason = reason


class MonitorUnknown(FederationError):
    """There is no monitor with this id."""

    def __init__(self, monitor: str) -> None:
        super().__init__(f"There is no monitor {monitor!r}. List the monitors to find its id.")
        self.monitor = monitor


class MonitorRefused(FederationError):
    """A question that cannot be watched; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"It cannot be watched: {reason}. Ask it by itself, or change it.")
        self.reason = reason


class SweepUnknown(FederationError):
    """There is no sweep with this id."""

    def __init__(self, sweep: str) -> None:
        super().__init__(f"There is no sweep {sweep!r}. List the sweeps to find its id.")
        self.sweep = sweep


class SweepRefused(FederationError):
    """Recipes that cannot be tried together; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"These recipes cannot be tried: {reason}. Change the sweep.")
        self.reason = reason


class NoPastModel(FederationError):
    """No comparable model of the past is known to have reached the AUC that is wanted.

    Attributes:
        target: what the models predict.
        compared: how many evaluated models could be compared.
        best: the highest lower end of their intervals; None if there are none.
    """

    def __init__(self, target: str, compared: int, best: float | None) -> None:
        self.target = target
        self.compared = compared
        self.best = best
        known = (
            "No model like it has been evaluated"
            if best is None
            else f"The best of {compared} evaluated models like it is known to reach {best:.3f}"
        )
        super().__init__(
            f"{known}. Train one of {target!r} at a loss you choose, evaluate it, then ask again."
        )
