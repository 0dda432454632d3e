"""Every way a federated computation is refused, with what to do about it.

No message carries a personal value: no client id, no row value, no exact count of clients.
Departments, plan digests and public settings may appear.
"""
# ruff: noqa: D107, N818 - class docstrings say what the attributes are; a refusal's name needs no "Error"


class FederationError(Exception):
    """Base of this room's errors."""


class ProtocolError(FederationError):
    """A message, key or vector does not fit the protocol; nothing was added up."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class WrongSignature(FederationError):
    """A signed document was not signed by the key that the roster, or the firm's root, names."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"The signature of {what} does not verify. Do not use it; "
            "fetch it again from its issuer and compare the pinned keys."
        )
        self.what = what


class NotInRoster(FederationError):
    """A department is not in the signed roster."""

    def __init__(self, department: str) -> None:
        super().__init__(
            f"Department {department!r} is not in the signed roster. "
            "Check the spelling, or enroll it and sign a new roster."
        )
        self.department = department


class CohortTooSmall(FederationError):
    """Fewer departments than the protocol needs; `cohort` and `minimum` count departments."""

    def __init__(self, cohort: int, minimum: int) -> None:
        super().__init__(
            f"A cohort of {cohort} departments is too small: at least {minimum} are needed. "
            "Name more departments, or lower the tolerance if the threat model allows."
        )
        self.cohort = cohort
        self.minimum = minimum


class DepartmentMissing(FederationError):
    """Departments that did not answer before the deadline; the attempt is abandoned."""

    def __init__(self, departments: tuple[str, ...], deadline_s: float) -> None:
        super().__init__(
            f"No answer from {', '.join(departments)} within {deadline_s:g} s; nothing was "
            "released. Check that these nodes are running and connected, then ask again."
        )
        self.departments = departments
        self.deadline_s = deadline_s


class DepartmentRefused(FederationError):
    """A department answered with a typed refusal; `code` is for machines, `reason` for people."""

    def __init__(self, department: str, code: str, reason: str) -> None:
        super().__init__(f"Department {department} refused ({code}): {reason}")
        self.department = department
        self.code = code
        self.reason = reason


class AlreadyAnswered(FederationError):
    """A node was asked the same plan, attempt and round twice; `plan` is the digest in hex."""

    def __init__(self, plan: str, attempt: int, round: int) -> None:  # noqa: A002 - the protocol's word
        super().__init__(
            f"Plan {plan}, attempt {attempt}, round {round} was answered before. "
            "Two answers would reuse a mask: start a new attempt instead."
        )
        self.plan = plan
        self.attempt = attempt
        self.round = round


class PermitInvalid(FederationError):
    """A permit to run is malformed, wrongly signed, or for another plan, node or epoch."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The permit to run is not valid: {reason}. Ask the coordinator for a new one."
        )
        self.reason = reason


class PermitExpired(FederationError):
    """A permit to run came after its expiry."""

    def __init__(self) -> None:
        super().__init__(
            "The permit to run has expired. Ask the coordinator for a new one; "
            "if it keeps happening, compare the clocks of the node and the coordinator."
        )


class PermitReplayed(FederationError):
    """A permit's nonce was used before on this node."""

    def __init__(self) -> None:
        super().__init__("This permit to run was used before. Ask the coordinator for a new one.")


class PlanInvalid(FederationError):
    """A plan contradicts itself, the catalogue or the roster."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The plan is not valid: {reason}. Correct the plan and ask again.")
        self.reason = reason


class PolicyRefusal(FederationError):
    """A department's own policy forbids the plan; `rule` names the setting."""

    def __init__(self, department: str, rule: str, reason: str) -> None:
        super().__init__(
            f"The policy of {department} forbids this plan (rule {rule}): {reason}. "
            "Change the plan, or ask the department to change its rule."
        )
        self.department = department
        self.rule = rule
        self.reason = reason


class RecordsUnavailable(FederationError):
    """A department's own data cannot be read; `reason` never quotes a row."""

    def __init__(self, department: str, reason: str) -> None:
        super().__init__(
            f"The records of {department} cannot be read: {reason}. "
            "The department should check its data source and its SQL view."
        )
        self.department = department
        self.reason = reason


class SessionUnknown(FederationError):
    """A node no longer holds the session key that a message was meant for."""

    def __init__(self, department: str) -> None:
        super().__init__(
            f"The session of {department} is not known, probably because its worker restarted. "
            "Collect fresh announcements and start a new attempt."
        )
        self.department = department


class SettingsInvalid(FederationError):
    """A settings or policy file is missing or wrong; `file` and `reason` name the place."""

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(f"{file}: {reason}")
        self.file = file
        self.reason = reason


class RunUnknown(FederationError):
    """There is no run with this id."""

    def __init__(self, run: str) -> None:
        super().__init__(f"There is no run {run!r}. List the runs to find its id.")
        self.run = run


class RequestMismatch(FederationError):
    """An idempotency key came back with another plan."""

    def __init__(self, request: str) -> None:
        super().__init__(
            "This idempotency key was used for another plan. Use a new key for a new plan."
        )
        self.request = request


class RunInterrupted(FederationError):
    """The process that carried a run out ended before the run did."""

    def __init__(self) -> None:
        super().__init__(
            "The coordinator was restarted while this run was under way; nothing was released "
            "and what it had reserved stays spent. Ask again."
        )


class RunStopped(FederationError):
    """A run was stopped before it had anything to release."""

    def __init__(self) -> None:
        super().__init__(
            "This run was stopped before anything was released. "
            "What it had reserved is given back unless a department may have spent it."
        )


class NodeStopped(FederationError):
    """A department has stopped its node: it answers no plan until it starts it again."""

    def __init__(self, department: str) -> None:
        super().__init__(
            f"The department {department} has stopped its node; nothing was spent by this. Ask the "
            "department when it will start it again."
        )
        self.department = department


class ClientNotCovered(FederationError):
    """A client cannot be scored here; why is not said, for each reason is personal."""

    def __init__(self, purpose: str) -> None:
        super().__init__(
            "This department has no client of that id whose authorization covers "
            f"{purpose}. Check the id, or leave the client out."
        )
        self.purpose = purpose


class CubeUnavailable(FederationError):
    """A run's cube cannot be asked; `run` names it, `reason` says why."""

    def __init__(self, run: str, reason: str) -> None:
        super().__init__(f"The cube of run {run} cannot be asked: {reason}.")
        self.run = run
        self.reason = reason


class RunNotStoppable(FederationError):
    """A run cannot be stopped, or no more."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"This run cannot be stopped: {reason}. Read what it released.")
        self.reason = reason
