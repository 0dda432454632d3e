"""What the door itself refuses. No message repeats what the caller sent."""

# ruff: noqa: N818 - a refusal is named after what is refused

from pathlib import Path


class DoorError(Exception):
    """Base of this room's errors."""


class NotSignedIn(DoorError):
    """No known bearer token, and no session that still holds."""

    def __init__(self) -> None:
        """Say what to send."""
        super().__init__(
            "Sign in, or send a header 'Authorization: Bearer <token>' with a token that is known."
        )


class NotAllowed(DoorError):
    """The caller's role may not do this.

    Attributes:
        role: the caller's role.
        needed: the role, or roles, that may.
    """

    def __init__(self, role: str, needed: str) -> None:
        """Keep both roles."""
        self.role = str(role)
        self.needed = needed
        super().__init__(
            f"The role {self.role} may not do this: ask someone with the role {needed}."
        )


class BodyTooLarge(DoorError):
    """A request body is longer than any request needs.

    Attributes:
        limit: bytes allowed.
    """

    def __init__(self, limit: int) -> None:
        """Keep the limit."""
        self.limit = limit
        super().__init__(f"A request body may have {limit} bytes at most: send a shorter one.")


class NulCharacter(DoorError):
    """A request holds the character NUL, which belongs in no text."""

    def __init__(self) -> None:
        """Say so, whatever stands around it."""
        super().__init__("A request may not hold the character NUL (U+0000): leave it out.")


class NoLabel(DoorError):
    """A run has released nothing, so there is nothing to label.

    Attributes:
        run: its id.
    """

    def __init__(self, run: str) -> None:
        """Keep the id."""
        self.run = run
        super().__init__(f"Run {run} has released nothing yet: only a release has a label.")


class KeyReused(DoorError):
    """An idempotency key came with another request than before."""

    def __init__(self) -> None:
        """Say what to send."""
        super().__init__(
            "This Idempotency-Key was used for another request: send a new key with a new request."
        )


class RequestInFlight(DoorError):
    """The first request with this idempotency key is not answered yet."""

    def __init__(self) -> None:
        """Say what to do."""
        super().__init__(
            "The first request with this Idempotency-Key is still under way: send it again in a "
            "moment, with the same key."
        )


class IfMatchNeeded(DoorError):
    """A change of the policy does not say which policy it is a change of."""

    def __init__(self) -> None:
        """Say what to send."""
        super().__init__(
            "Read the policy, and send its ETag in a header 'If-Match' with the change: two "
            "officers must not overwrite each other unseen."
        )


class TokensInvalid(DoorError):
    """The file of token hashes cannot be used.

    Attributes:
        path: the file.
        reason: what is wrong with it; never a hash.
    """

    def __init__(self, path: Path, reason: str) -> None:
        """Keep the file and the reason."""
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: {reason}. Write it again with api.auth.enroll_tokens.")


class CallError(DoorError):
    """Base of what a caller of the API meets; none of it travels over HTTP."""


class ApiUnreachable(CallError):
    """The API did not answer over HTTP."""

    def __init__(self, reason: str) -> None:
        """Keep the reason in the message."""
        super().__init__(f"The API does not answer ({reason}): look at its address and its log.")


class ApiRefused(CallError):
    """The API answered with a problem.

    Attributes:
        status: of the answer.
        code: of the problem.
    """

    def __init__(self, status: int, code: str, text: str) -> None:
        """Keep the status and the code."""
        self.status = status
        self.code = code
        super().__init__(f"{text} ({code})")


class InputInvalid(CallError):
    """A file that a command was given cannot be used.

    Attributes:
        path: the file.
    """

    def __init__(self, path: Path, reason: str) -> None:
        """Keep the file and the reason."""
        self.path = path
        super().__init__(f"{path} {reason}: name another file.")


class NoFigures(CallError):
    """What was released is no table.

    Attributes:
        kind: of the plan.
    """

    def __init__(self, kind: str) -> None:
        """Keep the kind."""
        self.kind = kind
        super().__init__(
            f"A {kind} releases no figures that make a frame: read its result, or take its file."
        )


class RunRefused(CallError):
    """A run was refused.

    Attributes:
        run: its id.
        code: why, for machines.
    """

    def __init__(self, run: str, code: str, text: str) -> None:
        """Keep the run and the code."""
        self.run = run
        self.code = code
        super().__init__(f"{text} ({code})")


class NoModelServed(DoorError):
    """The node's door was opened without a model to score with."""

    def __init__(self) -> None:
        """Say what to do."""
        super().__init__(
            "This door has no model: start it again with --model and --plan, or use "
            "`infosandbox node score`."
        )
