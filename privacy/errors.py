"""What this room refuses, and what to do about it. No message carries a personal value."""

# ruff: noqa: N818 -- a refusal is named after what is refused


class PrivacyError(Exception):
    """Base of every refusal of this room."""


class InvalidLoss(PrivacyError):
    """A privacy loss is not a finite number in its range.

    Attributes:
        quantity: the name of the loss: "rho", "epsilon", "delta" or "repetitions".
        value: the refused value (public: losses are settings, not data).
    """

    def __init__(self, quantity: str, value: object) -> None:
        """Keep the quantity and its value."""
        self.quantity = quantity
        self.value = value
        super().__init__(
            f"{quantity} is {value!r}: give a finite number in the range of {quantity}."
        )


class InvalidBound(PrivacyError):
    """A public bound is unusable, or data does not fit the shape that was declared.

    Attributes:
        what: which argument was refused.
        value: the refused value if it is public; for sensitive arrays, what is wrong in words.
    """

    def __init__(self, what: str, value: object) -> None:
        """Keep the name of the argument and its value."""
        self.what = what
        self.value = value
        super().__init__(f"{what} is refused ({value}): correct it before asking again.")


class NoiseTooSmall(PrivacyError):
    """A noise share is too narrow for a sum of shares to be a discrete Gaussian.

    Attributes:
        sigma_share: the standard deviation that was asked for, in lattice units.
        minimum: the smallest one that is accepted.
    """

    def __init__(self, sigma_share: float, minimum: int) -> None:
        """Keep both standard deviations."""
        self.sigma_share = sigma_share
        self.minimum = minimum
        super().__init__(
            f"A noise share of sigma {sigma_share} is below {minimum}: "
            "use a finer lattice (a larger scale) or a smaller rho."
        )


class NoisePoolRefused(PrivacyError):
    """A department's stock of noise is not the one that its node made.

    Attributes:
        reason: what is wrong with it.
    """

    def __init__(self, reason: str) -> None:
        """Keep the reason."""
        self.reason = reason
        super().__init__(
            f"The noise pool {reason}: delete its folder; noise is then drawn when it is needed."
        )


class BudgetExceeded(PrivacyError):
    """A request would spend more than its pool, or a pool above it, has left.

    Attributes:
        pool: the pool that refused.
        requested: rho that was asked for.
        remaining: rho that is left in that pool.
        window: for what time its budget is: "for life", "in these twelve months", "this month".
    """

    def __init__(
        self, pool: str, requested: float, remaining: float, window: str = "for life"
    ) -> None:
        """Keep the pool, both amounts and the window."""
        self.pool = pool
        self.requested = requested
        self.remaining = remaining
        self.window = window
        super().__init__(
            f"Pool {pool!r} has rho {remaining} left {window} and {requested} was requested: "
            "ask for less, or wait until the window has passed or the pool has a new budget."
        )


class BudgetBelowSpent(PrivacyError):
    """A pool cannot be given a smaller budget than what it has spent or promised already.

    Attributes:
        pool: its path.
        window: for what time the budget is.
        budget: rho that was to be its budget.
        spent: rho that is spent or reserved in that window.
    """

    def __init__(self, pool: str, window: str, budget: float, spent: float) -> None:
        """Keep the pool, the window and both amounts."""
        self.pool = pool
        self.window = window
        self.budget = budget
        self.spent = spent
        super().__init__(
            f"Pool {pool!r} has spent or promised rho {spent} {window}, more than a budget of "
            f"{budget}: give at least what is spent, and nothing more will be released."
        )


class TargetUnreachable(PrivacyError):
    """An error that is wanted costs more than is left.

    Attributes:
        statistic: whose error it is.
        least: the least error that can be reached, in its unit; infinite if nothing is left.
        requested: rho that the wanted errors cost; infinite if no plan may cost so much.
        remaining: rho that is left.
    """

    def __init__(self, statistic: str, least: float, requested: float, remaining: float) -> None:
        """Keep the statistic, the least error and both amounts."""
        self.statistic = statistic
        self.least = least
        self.requested = requested
        self.remaining = remaining
        super().__init__(
            f"The errors that are wanted cost rho {requested} and {remaining} is left: "
            f"the least error within reach for {statistic} is {least}; widen the target."
        )


class UnknownPool(PrivacyError):
    """A pool was never opened.

    Attributes:
        pool: its path.
    """

    def __init__(self, pool: str) -> None:
        """Keep the path."""
        self.pool = pool
        super().__init__(f"Pool {pool!r} is not open: open it and every pool above it first.")


class UnknownReservation(PrivacyError):
    """A request was settled that had never been reserved.

    Attributes:
        request: the idempotency key.
    """

    def __init__(self, request: str) -> None:
        """Keep the key."""
        self.request = request
        super().__init__(f"Request {request!r} has no reservation: reserve before any work.")


class LedgerConflict(PrivacyError):
    """A pool or a request is already in the ledger with other terms.

    Attributes:
        subject: the pool or the request.
        reason: how the two differ.
    """

    def __init__(self, subject: str, reason: str) -> None:
        """Keep the subject and the reason."""
        self.subject = subject
        self.reason = reason
        super().__init__(f"{subject!r} {reason}.")


class ClockWentBack(PrivacyError):
    """The clock is behind what the ledger has seen; nothing was written.

    Attributes:
        at: what the clock says, in ISO 8601.
        latest: the time that the ledger has seen.
    """

    def __init__(self, at: str, latest: str) -> None:
        """Keep both times."""
        self.at = at
        self.latest = latest
        super().__init__(
            f"The clock says {at} and the ledger has seen {latest}: set the clock right; "
            "if the ledger's time is the wrong one, repair the ledger."
        )


class LedgerBroken(PrivacyError):
    """The ledger is not the one that was written.

    Attributes:
        entry: index of the first entry that does not fit.
        reason: what does not fit.
    """

    def __init__(self, entry: int, reason: str) -> None:
        """Keep the index and the reason."""
        self.entry = entry
        self.reason = reason
        super().__init__(
            f"Ledger entry {entry} {reason}: nothing is spent until the ledger is restored from "
            "a copy, or repaired by a named person."
        )
