"""What a worker remembers of an unfinished cube between its legs."""

from dataclasses import dataclass, field

from federation.alignment import TokenList
from federation.secure_aggregation.triples import Codes, Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One attempt's rows and shares, from the first matrices leg on. Sensitive, hidden.

    codes: int16[rows, own fields], −1 where absent. shares: of each pair's product, summed over the
    parts that were taken in. taken_in: how many these are.
    """

    codes: Codes = field(repr=False)
    shares: dict[tuple[str, str], Words] = field(repr=False)
    taken_in: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """The clients whose tokens were sent for one attempt, in the order of the rows, and the tokens.

    Padding has tokens behind those of the clients. codes: int16[clients, own fields], −1 where
    absent: what was closed or missing then stays so. Sensitive, hidden.
    """

    client_ids: tuple[str, ...] = field(repr=False)
    codes: Codes = field(repr=False)
    tokens: TokenList = field(repr=False)
