"""What signing in and keeping accounts refuse. No message repeats a name, a password or a link."""

# ruff: noqa: N818 - a refusal is named after what is refused

from api.errors import DoorError


class WrongPassword(DoorError):
    """Nobody has this name and this password; which of them is wrong is not said."""

    def __init__(self) -> None:
        """Say what to do, and not which of the two is wrong."""
        super().__init__(
            "Name and password do not belong together: check both, or ask a privacy officer for a "
            "new setup link."
        )


class WeakPassword(DoorError):
    """A new password is too short, too long, or too easy.

    Attributes:
        least: characters it must have.
        most: characters it may have.
    """

    def __init__(self, least: int, most: int) -> None:
        """Keep both bounds."""
        self.least = least
        self.most = most
        super().__init__(
            f"Choose a password of {least} to {most} characters that is not your name and not one "
            "character over and over."
        )


class LinkInvalid(DoorError):
    """A setup link is unknown, used or expired; which of them is not said."""

    def __init__(self) -> None:
        """Say where another comes from."""
        super().__init__(
            "This setup link is used, expired or not one of ours: ask a privacy officer for a new "
            "one, or run 'infosandbox people link' on the coordinator's machine."
        )


class PersonExists(DoorError):
    """The name is taken by another account or token."""

    def __init__(self) -> None:
        """Say what to do."""
        super().__init__("This name is taken: choose another.")


class PersonUnknown(DoorError):
    """There is no account of this name."""

    def __init__(self) -> None:
        """Say where the names are."""
        super().__init__("There is no such account: GET /api/v1/people lists them.")


class GrantRefused(DoorError):
    """Somebody would give a role that is not theirs to give.

    Attributes:
        role: of the giver.
        granted: the role that was to be given.
    """

    def __init__(self, role: str, granted: str) -> None:
        """Keep both roles."""
        self.role = role
        self.granted = granted
        super().__init__(
            f"The role {role!r} may not keep accounts of role {granted!r}: ask a privacy officer, "
            "or for officers whoever keeps the coordinator's machine."
        )


class CsrfRefused(DoorError):
    """A request that changes something came with a cookie, and without the session's own token."""

    def __init__(self) -> None:
        """Say what to send."""
        super().__init__(
            "Send the session's token as the form field 'csrf_token' or the header "
            "'X-CSRF-Token'. Open the page again: it holds the token of your session now."
        )


class TooManyRequests(DoorError):
    """Somebody asks, or tries to sign in, too often.

    Attributes:
        retry_after: whole seconds to wait.
    """

    def __init__(self, retry_after: int) -> None:
        """Keep the wait."""
        self.retry_after = retry_after
        super().__init__(f"Too many requests: wait {retry_after} seconds.")


class NoProvider(DoorError):
    """Nobody signs in through a provider here."""

    def __init__(self) -> None:
        """Say what to do instead."""
        super().__init__("No provider is set up here: sign in with a name and a password.")


class FlowUnknown(DoorError):
    """A sign-in came back from the provider that nobody began here, in this browser, lately."""

    def __init__(self) -> None:
        """Say what to do."""
        super().__init__("This sign-in was not begun here, or too long ago: begin it again.")


class ProviderRefused(DoorError):
    """The provider does not vouch for somebody whom the settings let in.

    Attributes:
        reason: what it does; never a name, a code or a token.
    """

    def __init__(self, reason: str) -> None:
        """Keep the reason."""
        self.reason = reason
        super().__init__(
            f"The firm's provider {reason}: ask whoever keeps it to give you one role, or sign in "
            "with a local account."
        )


class ProviderUnavailable(DoorError):
    """The provider does not answer as it should.

    Attributes:
        reason: the kind of failure.
    """

    def __init__(self, reason: str) -> None:
        """Keep the reason."""
        self.reason = reason
        super().__init__(
            f"The firm's provider cannot be used now ({reason}): try again, or sign in with a "
            "local account."
        )
