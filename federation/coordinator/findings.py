"""What can be wrong with an evidence export, each with a name of its own."""

from dataclasses import dataclass
from enum import StrEnum


class Wrong(StrEnum):
    """What can be wrong."""

    MALFORMED = "malformed"
    """A line is none of the format's, or a value is none of its kind."""
    CUT = "cut file"
    """The file does not end where it was made to end."""
    EDITED = "edited entry"
    """An entry is not what was hashed, or does not continue the one before it."""
    DROPPED = "dropped entry"
    """Entries are missing."""
    REORDERED = "reordered entry"
    """An entry stands in another place than its own."""
    HEAD = "other head"
    """The ledger does not hold the last entry that somebody else has seen."""
    OVERSPENT = "overspent"
    """An entry promises more than a pool had left."""
    RULE = "broken rule"
    """An entry that the ledger's rules would not have written."""
    TOTALS = "totals"
    """The stated totals are not what the entries add up to."""
    ACCOUNTANTS = "accountants"
    """Two accountants disagree about epsilon."""
    POLICY = "policy"
    """The policy states other budgets than the ledger holds, or there is none."""
    PLAN = "swapped plan"
    """A plan is not the one that its digest, or its run's name, stands for."""
    DROPPED_RUN = "dropped run"
    """The ledger charged for a run that is not there."""
    CHARGE = "not charged"
    """A run released something for which the ledger was not charged as its plan says."""
    APPROVAL = "not approved"
    """A plan above the automatic limit was charged without two officers' consent."""
    UNDERSTATED = "label claims too little"
    """A label states less loss, less reach or less uncertainty than is the case."""
    LABEL = "other label"
    """A label is not the one that its plan, its figures and the ledger give."""
    MODEL = "model registry"
    """The registry and the trainings that were released do not tell of the same models."""
    LOG = "transparency log"
    """The log is not the one its witnesses saw, or contradicts a run."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, where, and in words."""

    wrong: Wrong
    where: str
    text: str
