"""What the transparency log, receipts and level proofs refuse; a page of `consent.errors`."""

# ruff: noqa: N818 -- a refusal is named after what is refused

from consent.errors import ConsentError


class _Refused(ConsentError):
    """Something signed, proved or stored that does not hold; ``reason`` says what is wrong."""

    _says = "{reason}"

    def __init__(self, reason: str) -> None:
        """Take what is wrong, without any personal value."""
        self.reason = reason
        super().__init__(self._says.format(reason=reason))


class ProofInvalid(_Refused):
    """A Merkle proof that does not lead to the root it was given for."""

    _says = "the log's proof is refused: {reason}; ask the log again, and keep what it sent"


class CheckpointInvalid(_Refused):
    """Bytes that are not a checkpoint signed by the log, or name no usable key."""

    _says = "the checkpoint is refused: {reason}; fetch it again and compare the pinned keys"


class EntryInvalid(_Refused):
    """Bytes that are not an entry of the transparency log."""

    _says = "the log entry is refused: {reason}; write it with consent.log_entries"


class LogBroken(_Refused):
    """The stored log contradicts itself; nothing is appended or proved until it is restored."""

    _says = "the transparency log is damaged: {reason}; restore its database from a backup"


class CommitmentInvalid(_Refused):
    """A salt or an opening that does not belong to a commitment."""

    _says = "the commitment is refused: {reason}; use the salt and the values it was made from"


class ReceiptInvalid(_Refused):
    """A consent receipt that the consent service did not sign, or that is not complete."""

    _says = "the consent receipt is refused: {reason}; ask the consent service for a new one"


class LevelProofInvalid(_Refused):
    """A proof of "level >= k" that does not hold here and now."""

    _says = "the level proof is refused: {reason}; ask its holder for a new one"


class LevelNotReached(ConsentError):
    """A holder asked its credential for more than it covers. The level it covers is not kept."""

    def __init__(self, at_least: int) -> None:
        """Take the level asked for."""
        self.at_least = at_least
        super().__init__(f"the credential does not prove level {at_least}; ask for a lower level")


class NotInLog(ConsentError):
    """An index or size beyond the log."""

    def __init__(self, index: int, size: int) -> None:
        """Take what was asked for and the number of entries there are."""
        self.index = index
        self.size = size
        super().__init__(f"the log has {size} entries; there is nothing at {index}")


class LogForked(ConsentError):
    """The log signed two different trees of one size: it has shown someone another history."""

    def __init__(self, size: int) -> None:
        """Take the size of both trees."""
        self.size = size
        super().__init__(
            f"the log signed another tree of {size} entries before; cosign neither, keep both "
            "checkpoints and tell the auditor"
        )


class LogRolledBack(ConsentError):
    """The log offers a smaller tree than it showed before."""

    def __init__(self, size: int, offered: int) -> None:
        """Take the sizes of the tree that was kept and of the one offered."""
        self.size = size
        self.offered = offered
        super().__init__(
            f"the log offers {offered} entries but showed {size} before; do not cosign it, and "
            "have the log restored"
        )


class ProofMisplaced(ConsentError):
    """A consistency proof that starts at another size than the witness kept."""

    def __init__(self, size: int) -> None:
        """Take the size the witness kept."""
        self.size = size
        super().__init__(f"this witness last cosigned size {size}; send a proof that starts there")
