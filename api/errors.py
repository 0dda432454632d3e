"""What the door itself refuses. No message repeats what the caller sent."""

# ruff: noqa: N818 - a refusal is named after what is refused

from pathlib import Path


class DoorError(Exception):
    """Base of this room's errors."""


class NotSignedIn(DoorError):
    """No bearer token, or one that is not known."""

    def __init__(self) -> None:
        """Say what to send."""
        super().__init__(
            "Send a header 'Authorization: Bearer <token>' with a token that is known."
        )


class NotAllowed(DoorError):
    """The caller's role may not do this.

    Attributes:
        role: the caller's role.
        needed: the role that may.
    """

    def __init__(self, role: str, needed: str) -> None:
        """Keep both roles."""
        self.role = role
        self.needed = needed
        super().__init__(f"The role {role!r} may not do this: ask someone with {needed!r}.")


class BodyTooLarge(DoorError):
    """A request body is longer than any request needs.

    Attributes:
        limit: bytes allowed.
    """

    def __init__(self, limit: int) -> None:
        """Keep the limit."""
        self.limit = limit
        super().__init__(f"A request body may have {limit} bytes at most: send a shorter one.")


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
