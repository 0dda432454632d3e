"""What can go wrong in the models room. No error carries a client's value or a count of clients."""

# ruff: noqa: N818 -- a refusal is named after what is refused


class ModelError(Exception):
    """Base of every error of this room."""


class TooLarge(ModelError):
    """A network is beyond the limits that keep noise and training affordable.

    Attributes:
        what: the part of the architecture, public.
        value: its size as asked, public.
        limit: the largest size allowed.
    """

    def __init__(self, *, what: str, value: int, limit: int) -> None:
        """Keep the public sizes and say which one to lower."""
        super().__init__(f"{what} is {value}, at most {limit} is allowed: choose a smaller network")
        self.what = what
        self.value = value
        self.limit = limit


class InvalidSetting(ModelError):
    """A public setting (a size, a rate, a norm) is outside its range.

    Attributes:
        name: the setting.
        value: its value as given, public.
        allowed: its range in words.
    """

    def __init__(self, *, name: str, value: float, allowed: str) -> None:
        """Keep the setting and say what is allowed."""
        super().__init__(f"{name} is {value}: give {allowed}")
        self.name = name
        self.value = value
        self.allowed = allowed


class WrongShape(ModelError):
    """An array does not fit the network, or two arrays do not fit each other.

    Attributes:
        what: the array.
        needed: the shape in words; public sizes only, never a number of rows.
    """

    def __init__(self, *, what: str, needed: str) -> None:
        """Keep what is needed; the shape found stays unsaid, since its rows are clients."""
        super().__init__(f"{what} has the wrong shape: it must be {needed}")
        self.what = what
        self.needed = needed


class NotFinite(ModelError):
    """An array that must be finite holds a NaN or an infinity.

    Attributes:
        what: the array.
    """

    def __init__(self, *, what: str, advice: str) -> None:
        """Keep the array's name and say what to do; the position and the value stay unsaid."""
        super().__init__(f"{what} must be finite: {advice}")
        self.what = what


class LabelInvalid(ModelError):
    """A label is not one that the objective can learn.

    Attributes:
        objective: what is learned, public.
        allowed: which labels are, in words.
    """

    def __init__(self, *, objective: str, allowed: str) -> None:
        """Keep what is allowed; the label stays unsaid."""
        super().__init__(
            f"labels of a {objective} model must be {allowed}: drop the rows whose label is missing"
        )
        self.objective = objective
        self.allowed = allowed


class OneClass(ModelError):
    """A ranking measure needs both classes and the labels have one."""

    def __init__(self) -> None:
        """Say what to do; which class is absent stays unsaid."""
        super().__init__("the labels hold one class only: evaluate on rows of both classes")


class ModelFileInvalid(ModelError):
    """A model file is damaged, is not one of ours, or is too large to be one.

    Attributes:
        path: the file.
        reason: what is wrong with it.
    """

    def __init__(self, *, path: str, reason: str) -> None:
        """Keep the path and the reason."""
        super().__init__(f"{path} cannot be used: {reason}; restore it from where it was trained")
        self.path = path
        self.reason = reason


class TooManyRows(ModelError):
    """A client has more rows than can be summed before clipping.

    Attributes:
        limit: how many rows a client may have, public.
    """

    def __init__(self, *, limit: int) -> None:
        """Keep the limit; whose rows they are and how many stay unsaid."""
        super().__init__(f"a client has more than {limit} rows: keep at most {limit} of each")
        self.limit = limit


class TablesTooNoisy(ModelError):
    """A total or a spread out of noised tables is not clearly more than its noise."""

    def __init__(self) -> None:
        """Say what to do; the figure stays unsaid."""
        super().__init__(
            "the tables hold too few clients beside their noise to tell: choose other fields, or "
            "release a cube with a larger ε"
        )
