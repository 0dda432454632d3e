"""What the program's exit code says, for scripts."""

from enum import IntEnum
from http import HTTPStatus

from api.demo.errors import StateForeign, StoryBroken
from api.errors import ApiRefused, ApiUnreachable, DoorError
from consent.errors import ConsentError
from federation.deployment.errors import AlreadyRunning, DeploymentError, PortInUse
from federation.errors import ClientNotCovered, FederationError
from models.errors import ModelError
from privacy.errors import PrivacyError

KNOWN = (DoorError, PrivacyError, ConsentError, FederationError, ModelError)


class Exit(IntEnum):
    """OK, then the reasons: input, a refusal, a process, something in use, Ctrl-C in between."""

    OK = 0
    BAD_INPUT = 2
    REFUSED = 3
    PROCESS_FAILED = 4
    IN_USE = 5
    INTERRUPTED = 130


def exit_of(error: Exception) -> Exit:
    """Return the exit code of one of our errors."""
    match error:
        case AlreadyRunning() | PortInUse() | StateForeign():
            return Exit.IN_USE
        case DeploymentError() | ApiUnreachable():
            return Exit.PROCESS_FAILED
        case StoryBroken() | ClientNotCovered() | ApiRefused(status=403 | 409):
            return Exit.REFUSED
        case ApiRefused() if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return Exit.PROCESS_FAILED
        case _:
            return Exit.BAD_INPUT
