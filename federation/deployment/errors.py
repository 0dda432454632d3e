"""What can go wrong before, while and after a federation runs on machines."""
# ruff: noqa: D107, N818 - class docstrings say what the attributes are; a refusal's name needs no "Error"

from pathlib import Path

from federation.errors import FederationError


class DeploymentError(FederationError):
    """Base of this floor's errors; the message says what to do."""


class AlreadyEnrolled(DeploymentError):
    """The folder holds an enrolment; its keys are in use somewhere and are never overwritten."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(f"{folder} is not empty: enrol into a new folder, or move this one away")


class NotEnrolled(DeploymentError):
    """The folder holds no complete enrolment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(f"{folder} holds no enrolment: run the enrolment, or name its folder")


class InvalidName(DeploymentError):
    """A name of a firm, department or host that cannot stand in plans, certificates and paths."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"{name!r} is no usable name: a firm's has 1 to 40 characters, a host's is ASCII; "
            "departments are two or more, distinct, of a-z, 0-9 and _, starting with a letter"
        )


class PortInUse(DeploymentError):
    """A port that was asked for by number is taken by another program."""

    def __init__(self, port: int) -> None:
        self.port = port
        super().__init__(f"port {port} is taken: stop the program that holds it, or choose another")


class AlreadyRunning(DeploymentError):
    """Another process runs a federation in this state folder."""

    def __init__(self, state: Path, pid: int) -> None:
        self.state = state
        self.pid = pid
        super().__init__(f"{state} is in use by process {pid}: stop it, or use another folder")


class NotReady(DeploymentError):
    """A process did not come up in time. Its log may hold data, so only its place is named."""

    def __init__(self, process: str, seconds: float, log: Path) -> None:
        self.process = process
        self.seconds = seconds
        self.log = log
        super().__init__(f"{process} was not ready after {seconds:g} s: read the end of {log}")


class ProcessEnded(DeploymentError):
    """A process that should run has ended. Its log may hold data, so only its place is named."""

    def __init__(self, process: str, code: int, log: Path) -> None:
        self.process = process
        self.code = code
        self.log = log
        super().__init__(f"{process} ended with code {code}: read the end of {log}")


class RunEnded(DeploymentError):
    """The long-lived run is over although nobody stopped the sandbox; ``how`` is Flower's word."""

    def __init__(self, how: str, log: Path) -> None:
        self.how = how
        self.log = log
        super().__init__(f"the coordinator's run has ended ({how}): read the end of {log}")


class ControlRefused(DeploymentError):
    """The SuperLink refused a request of the coordinator's control client, or cannot be reached."""

    def __init__(self, request: str, reason: str) -> None:
        self.request = request
        self.reason = reason
        super().__init__(f"the SuperLink did not answer {request}: {reason}")
