"""From the register's changes to one department's delta: ids become keyed pseudonyms here."""

from collections.abc import Sequence

from consent.columns import LAST_PLACE, objection_bits
from consent.epochs import EpochDelta, household_pseudonym, pseudonyms
from consent.register import Change


def delta_of(
    changes: Sequence[Change],
    *,
    purposes: tuple[str, ...],
    key: bytes,
    department: str,
    base: int,
    epoch: int,
    issued_at: int,
    expires_at: int,
) -> EpochDelta:
    """Return the delta that brings one department from epoch ``base`` to ``epoch``.

    Args:
        changes: of the register after ``base``, read after its head was found to be ``epoch``
            (sensitive).
        purposes: of the register, read after the changes.
        key: the department's pseudonym key, at least 32 bytes (secret).
        department: whose delta it is.
        base: the epoch the department holds, 0 for none.
        epoch: the register's head.
        issued_at: seconds since the Unix epoch.
        expires_at: seconds since the Unix epoch; later, nothing may be decided on it.

    Raises:
        KeyTooShort, InvalidClientId: by the key and the ids.
        EpochInvalid: the arguments contradict each other.
    """
    households = {c.household_id for c in changes}
    household = {name: household_pseudonym(key, name) for name in households}
    return EpochDelta(
        department=department,
        base=base,
        epoch=epoch,
        issued_at=issued_at,
        expires_at=expires_at,
        purposes=purposes,
        pseudonyms=b"".join(pseudonyms(key, (c.client_id for c in changes))),
        levels=bytes(int(c.level) for c in changes),
        expiries=b"".join((c.expires_at or 0).to_bytes(4) for c in changes),
        objections=objection_bits([c.objections for c in changes], purposes),
        family_closed=bytes(c.family_closed for c in changes),
        households=b"".join(household[c.household_id] for c in changes),
        places=bytes(min(c.place, LAST_PLACE) for c in changes),
    )
