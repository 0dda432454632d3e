"""Which clients a training leaves out, so that the model can be judged on clients it never saw.

The share is public and in the training's plan. Who is left out follows from a keyed hash of the
client's id and the target alone: all departments choose the same clients, the coordinator cannot
tell which, and one client more or less changes it for nobody else. Two trainings of one target with
the same share leave the same clients out, so that their evaluations compare the models and not the
clients.
"""

import numpy as np
import numpy.typing as npt

from federation.alignment import tokens
from federation.derivation import derived_key
from federation.node.node import Node
from federation.node.records import Records
from federation.training_plan import TrainingPlan

_LABEL = b"infosandbox/holdout/v2"
_RANGE = 2.0**64


def held_out(node: Node, training: TrainingPlan, records: Records) -> npt.NDArray[np.bool_]:
    """Say of each opened client whether a training leaves them out: bool [n], sensitive.

    Args:
        node: the department's.
        training: whose hold-out it is; public.
        records: n clients; sensitive.
    """
    if not training.holdout:
        return np.zeros(len(records.client_ids), dtype=np.bool_)
    key = derived_key(node.alignment_key, label=_LABEL, context=(training.target.encode(),))
    listed = tokens(key, records.client_ids)
    draws = np.ascontiguousarray(listed.tokens[:, :8]).view(">u8")[:, 0].astype(np.float64)
    return listed.to_rows(draws / _RANGE < training.holdout)
