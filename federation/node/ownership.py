"""One owner for each client: a node's tokens go out, and the coordinator's flags come back.

Whatever the flags say, each of them is about a client of this node, so a wrong flag counts a client
here or not; that nobody else counts them too is the honest coordinator's promise.
"""

import numpy as np
import numpy.typing as npt

from federation.alignment import plan_key, tokens
from federation.errors import ProtocolError, SessionUnknown
from federation.node.admission import Admitted
from federation.node.node import Node, SentTokens, remember
from federation.node.records import Records

Flags = npt.NDArray[np.bool_]


def sent_tokens(node: Node, admitted: Admitted, records: Records, counted: Flags) -> bytes:
    """Return the tokens of these clients, and remember their order for the attempt.

    Args:
        node: the department's.
        admitted: the tokens leg.
        records: opened for it; sensitive.
        counted: bool [n], which of the clients may count here; sensitive.
    """
    client_ids = tuple(records.client_ids[row] for row in np.flatnonzero(counted))
    key = plan_key(node.alignment_key, bytes.fromhex(admitted.run.plan))
    listed = tokens(key, client_ids)
    sent = SentTokens(client_ids=client_ids, tokens=listed)
    remember(node.memory.tokens, admitted.attempt, sent)
    return listed.tokens.tobytes()


def flags_size(node: Node, admitted: Admitted) -> int:
    """Return how many bytes of ownership flags belong to the tokens that were sent.

    Raises:
        SessionUnknown: this worker did not send the attempt's tokens.
    """
    return (len(_sent(node, admitted).client_ids) + 7) // 8


def owned_rows(node: Node, admitted: Admitted, records: Records, owned_bits: bytes) -> Flags:
    """Say of each opened client whether this department owns them: bool [n], sensitive.

    Args:
        node: the department's.
        admitted: a leg after the tokens.
        records: opened for it; a client whose token was not sent is not owned.
        owned_bits: np.packbits of one flag per token sent.

    Raises:
        SessionUnknown: this worker did not send the attempt's tokens.
        ProtocolError: not one flag per token.
    """
    sent = _sent(node, admitted)
    if len(owned_bits) != flags_size(node, admitted):
        raise ProtocolError("The coordinator did not send one ownership flag for each token.")
    packed = np.frombuffer(owned_bits, dtype=np.uint8)
    flags = np.unpackbits(packed, count=len(sent.client_ids)).astype(np.bool_)
    owned = {sent.client_ids[row] for row in np.flatnonzero(sent.tokens.to_rows(flags))}
    size = len(records.client_ids)
    return np.fromiter((client in owned for client in records.client_ids), np.bool_, size)


def _sent(node: Node, admitted: Admitted) -> SentTokens:
    sent = node.memory.tokens.get(admitted.attempt)
    if sent is None:
        raise SessionUnknown(node.department)
    return sent
