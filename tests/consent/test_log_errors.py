"""Every refusal of the log, receipts and proofs has the room's base and says what to do."""

import pytest

from consent import log_errors
from consent.errors import ConsentError

LEAVES = {
    log_errors.ProofInvalid: "it is too long",
    log_errors.CheckpointInvalid: "it is another log's",
    log_errors.EntryInvalid: "it is not canonical JSON",
    log_errors.LogBroken: "a hash is gone",
    log_errors.CommitmentInvalid: "a salt has 32 bytes",
    log_errors.ReceiptInvalid: "it is not a compact JWS",
    log_errors.LevelProofInvalid: "a proof has 32 bytes",
}
REFUSALS: list[ConsentError] = [
    *(leaf(reason) for leaf, reason in LEAVES.items()),
    log_errors.LevelNotReached(3),
    log_errors.NotInLog(9, 5),
    log_errors.LogForked(9),
    log_errors.LogRolledBack(9, 5),
    log_errors.ProofMisplaced(9),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: type(refusal).__name__)
def test_a_refusal_says_what_is_wrong_and_what_to_do(refusal: ConsentError) -> None:
    said = str(refusal)
    assert len(said.split()) > 8
    assert ";" in said
    assert all(str(value) in said for value in vars(refusal).values())


def test_no_refusal_is_forgotten_here() -> None:
    leaves = {
        each
        for each in vars(log_errors).values()
        if isinstance(each, type) and issubclass(each, ConsentError) and not each.__subclasses__()
    }
    assert leaves == {type(refusal) for refusal in REFUSALS}
