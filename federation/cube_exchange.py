"""One part of a cube's matrices: what a department seals, and what it makes of what it gets. Pure.

A message is its envelopes one after the other; who gets which, and how long each is, follows from
the plan (:mod:`federation.cube_layout`). The coordinator cuts and forwards them unopened.
"""

from collections.abc import Mapping

import numpy as np

from federation.cube_layout import CubeLayout
from federation.errors import ProtocolError
from federation.secure_aggregation.part_keys import PartKeys
from federation.secure_aggregation.triples import (
    Words,
    correction,
    left_share,
    masked,
    right_share,
)

Pair = tuple[str, str]


def outgoing(layout: CubeLayout, part: int, bits: Words, keys: PartKeys) -> bytes:
    """Mask this department's rows of a part for each other one, deal triples, and seal both.

    Args:
        layout: of the cube.
        part: which rows.
        bits: uint32[rows, width], zeros and ones; sensitive.
        keys: of this part.

    Returns:
        The envelopes, in the order of `layout.envelopes`. May be sent to the coordinator.
    """
    sealed = b""
    for recipient in layout.envelopes(part, keys.me):
        words = [masked(bits, _mask(layout, part, keys, keys.me, recipient)).ravel()]
        for left, right in layout.dealt(keys.me, recipient):
            words.append(_corrected(layout, part, keys, left, right).ravel())
        sealed += keys.seal(recipient, np.concatenate(words).astype("<u4").tobytes())
    return sealed


def incoming(
    layout: CubeLayout, part: int, bits: Words, keys: PartKeys, message: bytes
) -> dict[Pair, Words]:
    """Open what the others sealed for this department and make its shares of the products.

    Args:
        layout: of the cube.
        part: which rows.
        bits: the same rows that `outgoing` masked; sensitive.
        keys: of this part.
        message: the envelopes from the others, senders in alphabetical order; not trusted.

    Returns:
        For each pair of this department, left before right, uint32[p, q]: its additive share of
        XᵀY over these rows, modulo 2^32; sensitive.

    Raises:
        ProtocolError: a message of another length, or an envelope that does not open.
    """
    received: dict[str, Words] = {}
    corrections: dict[Pair, Words] = {}
    at = 0
    for sender in (d for d in layout.plan.parties if d != keys.me):
        length = layout.envelopes(part, sender)[keys.me]
        words = np.frombuffer(keys.open(sender, message[at : at + length]), dtype="<u4")
        at += length
        size = len(bits) * layout.widths[sender]
        received[sender] = words[:size].astype(np.uint32).reshape(len(bits), -1)
        for pair in layout.dealt(sender, keys.me):
            shape = layout.widths[pair[0]], layout.widths[pair[1]]
            dealt = words[size : size + shape[0] * shape[1]]
            corrections[pair] = dealt.astype(np.uint32).reshape(shape)
            size += dealt.size
    if at != len(message):
        raise ProtocolError("The sealed matrices do not have the length that the plan gives them.")
    return {
        (left, right): left_share(
            _mask(layout, part, keys, left, right),
            received[right],
            _product_share(layout, keys, left, right, dealer),
        )
        if left == keys.me
        else right_share(received[left], bits, corrections[left, right])
        for left, right, dealer in layout.pairs()
        if keys.me in (left, right)
    }


def routed(layout: CubeLayout, part: int, messages: Mapping[str, bytes]) -> dict[str, bytes]:
    """Cut each department's message into its envelopes and join those for each recipient.

    Args:
        layout: of the cube.
        part: which rows.
        messages: by sender; not trusted.

    Raises:
        ProtocolError: a department sent a message of another length.
    """
    boxes: dict[str, list[bytes]] = {d: [] for d in layout.plan.parties}
    for sender in layout.plan.parties:
        message, at = messages[sender], 0
        for recipient, length in layout.envelopes(part, sender).items():
            boxes[recipient].append(message[at : at + length])
            at += length
        if at != len(message):
            raise ProtocolError(f"{sender} answered with sealed matrices of another length")
    return {recipient: b"".join(envelopes) for recipient, envelopes in boxes.items()}


def _mask(layout: CubeLayout, part: int, keys: PartKeys, me: str, peer: str) -> Words:
    """Make the mask of one's own matrix towards a peer: shared with the dealer of the pair."""
    left, right = sorted((me, peer))
    return keys.matrix(
        layout.dealer(left, right),
        (left, right, "left" if me == left else "right"),
        rows=layout.height(part),
        columns=layout.widths[me],
    )


def _product_share(layout: CubeLayout, keys: PartKeys, left: str, right: str, peer: str) -> Words:
    rows, columns = layout.widths[left], layout.widths[right]
    return keys.matrix(peer, (left, right, "product"), rows=rows, columns=columns)


def _corrected(layout: CubeLayout, part: int, keys: PartKeys, left: str, right: str) -> Words:
    """Deal a pair's triple: both masks are shared with this department, one with each."""
    rows = layout.height(part)
    return correction(
        keys.matrix(left, (left, right, "left"), rows=rows, columns=layout.widths[left]),
        keys.matrix(right, (left, right, "right"), rows=rows, columns=layout.widths[right]),
        _product_share(layout, keys, left, right, left),
    )
