"""One part of a cube between three departments: what each opens tells it nothing but its shares."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest

from consent.catalogue import load_catalogue
from federation.cube_exchange import incoming, outgoing, routed
from federation.cube_layout import CubeLayout, cube_layout
from federation.errors import ProtocolError
from federation.secure_aggregation.part_keys import PartKeys
from federation.secure_aggregation.triples import Words
from tests.federation.conftest import CATALOGUE, DEPARTMENTS
from tests.federation.test_cube_layout import plan
from tests.federation.test_triples import looks_uniform

ROWS = 1024


class Unmasked(PartKeys):
    """The saboteur: every keystream is zero."""

    def matrix(self, _peer: str, _use: tuple[str, ...], *, rows: int, columns: int) -> Words:
        return np.zeros((rows, columns), dtype=np.uint32)


def keys(kind: Any = PartKeys) -> dict[str, Any]:
    pairs = {pair: bytes([number]) * 32 for number, pair in enumerate(combinations(DEPARTMENTS, 2))}
    return {
        d: kind(
            me=d,
            bound_to=b"one part",
            secrets={p: pairs[min(d, p), max(d, p)] for p in DEPARTMENTS if p != d},
        )
        for d in DEPARTMENTS
    }


@pytest.fixture
def layout() -> CubeLayout:
    catalogue = load_catalogue(CATALOGUE)
    return cube_layout(plan(catalogue), catalogue)


def rows_of(layout: CubeLayout) -> dict[str, Words]:
    return {d: np.ones((ROWS, layout.widths[d]), dtype=np.uint32) for d in DEPARTMENTS}


def sealed(layout: CubeLayout, held: dict[str, Any]) -> dict[str, bytes]:
    bits = rows_of(layout)
    return routed(layout, 0, {d: outgoing(layout, 0, bits[d], held[d]) for d in DEPARTMENTS})


def test_the_shares_of_two_departments_add_up_to_their_product(layout: CubeLayout) -> None:
    held, bits = keys(), rows_of(layout)
    boxes = sealed(layout, held)
    shares = {d: incoming(layout, 0, bits[d], held[d], boxes[d]) for d in DEPARTMENTS}
    for left, right, dealer in layout.pairs():
        product = shares[left][left, right] + shares[right][left, right]
        assert (product == ROWS).all()
        assert (left, right) not in shares[dealer]


def opened(layout: CubeLayout, held: dict[str, Any], me: str) -> Words:
    """Everything that one department reads in the clear, all senders together."""
    box, words, at = sealed(layout, held)[me], [], 0
    for sender in (d for d in DEPARTMENTS if d != me):
        length = layout.envelopes(0, sender)[me]
        words.append(np.frombuffer(held[me].open(sender, box[at : at + length]), dtype="<u4"))
        at += length
    return np.concatenate(words)


@pytest.mark.statistical
@pytest.mark.parametrize("me", DEPARTMENTS)
def test_what_a_department_opens_looks_uniform(layout: CubeLayout, me: str) -> None:
    assert looks_uniform(opened(layout, keys(), me))
    assert not looks_uniform(opened(layout, keys(Unmasked), me))  # the saboteur


def test_nobody_opens_an_envelope_for_another(layout: CubeLayout) -> None:
    held = keys()
    message = outgoing(layout, 0, rows_of(layout)["risk"], held["risk"])
    length = layout.envelopes(0, "risk")["advisory"]
    assert held["advisory"].open("risk", message[:length])
    for me, sender in (("research", "risk"), ("advisory", "research")):
        with pytest.raises(ProtocolError, match="does not open"):
            held[me].open(sender, message[:length])


def test_a_message_of_another_length_is_refused(layout: CubeLayout) -> None:
    held, bits = keys(), rows_of(layout)
    boxes = sealed(layout, held)
    with pytest.raises(ProtocolError, match="length"):
        incoming(layout, 0, bits["risk"], held["risk"], boxes["risk"] + b"x")
