from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.columns import objection_bits
from consent.epochs import EpochDelta, Snapshot, apply, levels_of
from consent.errors import EpochInvalid, EpochStale, InvalidPseudonym
from consent.packed import pack

NAMES = st.binary(min_size=16, max_size=16) | st.builds(
    lambda end: bytes(15) + end, st.binary(min_size=1, max_size=1)
)
ENTRIES = st.dictionaries(NAMES, st.integers(0, 4), max_size=20)


def delta_of(  # the facts of a delta, with everyday values
    entries: dict[bytes, int], *, base: int = 0, epoch: int = 7, expires_at: int = 1000
) -> EpochDelta:
    return EpochDelta(
        department="risk",
        base=base,
        epoch=epoch,
        issued_at=100,
        expires_at=expires_at,
        pseudonyms=b"".join(entries),
        levels=bytes(entries.values()),
    )


def split(names: bytes) -> list[bytes]:
    return [names[start : start + 16] for start in range(0, len(names), 16)]


def as_dict(snapshot: Snapshot) -> dict[bytes, int]:
    """Read a snapshot back entry by entry."""
    names = [a.to_bytes(8) + b.to_bytes(8) for a, b in snapshot.pseudonyms.T.tolist()]
    return dict(zip(names, snapshot.columns.levels.tolist(), strict=True))


@given(st.lists(ENTRIES, max_size=4), st.data())
def test_applied_deltas_are_a_dictionary_updated(
    steps: list[dict[bytes, int]], data: st.DataObject
) -> None:
    model: dict[bytes, int] = {}
    snapshot = Snapshot.empty("risk")
    for number, step in enumerate(steps):
        changed = data.draw(st.lists(st.sampled_from(sorted(model)), max_size=5)) if model else []
        entries = step | dict.fromkeys(changed, 0)
        model |= entries
        snapshot = apply(snapshot, delta_of(entries, base=number, epoch=number + 1))
        assert as_dict(snapshot) == model
        assert list(as_dict(snapshot)) == sorted(model)
        assert levels_of(snapshot, list(model)).tolist() == list(model.values())
    assert snapshot.epoch == len(steps)


def test_a_delta_from_a_later_epoch_is_refused() -> None:
    snapshot = apply(Snapshot.empty("risk"), delta_of({}, epoch=7))
    with pytest.raises(EpochStale) as caught:
        apply(snapshot, delta_of({}, base=8, epoch=9))
    assert (caught.value.have, caught.value.need) == (7, 8)


def test_an_overlapping_delta_is_applied() -> None:
    name = b"\x07" * 16
    snapshot = apply(Snapshot.empty("risk"), delta_of({name: 4}, epoch=7))
    assert as_dict(apply(snapshot, delta_of({name: 1}, base=3, epoch=9))) == {name: 1}


def test_a_replayed_delta_cannot_undo_a_withdrawal() -> None:
    name = b"\x07" * 16
    given_ = delta_of({name: 4}, epoch=7, expires_at=1000)
    withdrawn = delta_of({name: 0}, base=7, epoch=8, expires_at=1001)
    snapshot = apply(apply(Snapshot.empty("risk"), given_), withdrawn)
    assert apply(snapshot, given_) is snapshot
    assert apply(snapshot, withdrawn) is snapshot


def test_an_empty_delta_of_the_same_epoch_renews_a_snapshot() -> None:
    snapshot = apply(Snapshot.empty("risk"), delta_of({b"\x07" * 16: 4}, epoch=7, expires_at=1000))
    renewed = apply(snapshot, delta_of({}, base=7, epoch=7, expires_at=2000))
    assert renewed.expires_at == 2000
    assert as_dict(renewed) == as_dict(snapshot)


def test_another_departments_snapshot_takes_no_delta() -> None:
    with pytest.raises(EpochInvalid, match="another department"):
        apply(Snapshot.empty("research"), delta_of({}))


def test_a_million_pseudonyms_are_found_exactly() -> None:
    count = 1_000_000
    numbers = np.arange(count, dtype=">u8")
    # Half of the names share a first half with another; every one ends in NULs.
    names = np.stack([numbers // 2, (numbers % 2) << np.uint64(56)], axis=1).astype(">u8").tobytes()
    levels = (np.arange(count) % 5).astype(np.uint8).tobytes()
    delta = replace(delta_of({}), pseudonyms=names, levels=levels)
    snapshot = apply(Snapshot.empty("risk"), delta)
    asked = [*split(names[: 16 * 1000]), b"\xff" * 16]
    assert levels_of(snapshot, asked).tolist() == [*list(levels[:1000]), 0]
    assert snapshot.columns.levels.size == count


# All columns


PURPOSES = tuple(f"p{number}" for number in range(11))
FACTS = st.fixed_dictionaries(
    {
        "level": st.integers(0, 4),
        "ends": st.integers(0, 2**32 - 1),
        "objects": st.frozensets(st.sampled_from(PURPOSES)),
        "closed": st.booleans(),
        "household": NAMES,
        "place": st.integers(0, 255),
    }
)


def whole_delta(facts: dict[bytes, dict[str, object]], purposes: int, epoch: int) -> EpochDelta:
    """Make a delta of which every column says something."""
    rows = list(facts.values())
    named = PURPOSES[:purposes]
    return replace(
        delta_of({}, base=epoch - 1, epoch=epoch),
        purposes=named,
        pseudonyms=b"".join(facts),
        levels=bytes(row["level"] for row in rows),
        expiries=b"".join(row["ends"].to_bytes(4) for row in rows),
        objections=objection_bits([row["objects"] & set(named) for row in rows], named),
        family_closed=bytes(row["closed"] for row in rows),
        households=b"".join(row["household"] for row in rows),
        places=bytes(row["place"] for row in rows),
    )


def facts_in(snapshot: Snapshot) -> dict[bytes, dict[str, object]]:
    """Read every column back, bit by bit."""
    columns = snapshot.columns
    households = [a.to_bytes(8) + b.to_bytes(8) for a, b in columns.households.T.tolist()]
    return {
        name: {
            "level": columns.levels[row],
            "ends": columns.expiries[row],
            "objects": {
                purpose
                for bit, purpose in enumerate(snapshot.purposes)
                if columns.objections[bit // 8, row] >> bit % 8 & 1
            },
            "closed": bool(columns.family_closed[row]),
            "household": households[row],
            "place": columns.places[row],
        }
        for row, name in enumerate(as_dict(snapshot))
    }


@given(st.lists(st.dictionaries(NAMES, FACTS, max_size=8), max_size=4), st.data())
def test_every_column_of_every_delta_is_kept(
    steps: list[dict[bytes, dict[str, object]]], data: st.DataObject
) -> None:
    model: dict[bytes, dict[str, object]] = {}
    snapshot, purposes = Snapshot.empty("risk"), 0
    for number, step in enumerate(steps, start=1):
        again = data.draw(st.lists(st.sampled_from(sorted(model)), max_size=4)) if model else []
        step |= {name: data.draw(FACTS) for name in again}
        purposes = data.draw(st.integers(purposes, len(PURPOSES)))
        named = set(PURPOSES[:purposes])
        model |= {n: row | {"objects": row["objects"] & named} for n, row in step.items()}
        snapshot = apply(snapshot, whole_delta(step, purposes, number))
        assert facts_in(snapshot) == model


def test_a_change_of_levels_leaves_every_other_column_where_it_was() -> None:
    before = apply(Snapshot.empty("risk"), delta_of({b"\x07" * 16: 4, b"\x09" * 16: 2}))
    after = apply(before, delta_of({b"\x07" * 16: 0}, base=7, epoch=8))
    assert after.pseudonyms is before.pseudonyms
    assert after.columns.households is before.columns.households
    assert as_dict(before)[b"\x07" * 16] == 4


def test_purposes_cannot_be_numbered_anew() -> None:
    named = apply(Snapshot.empty("risk"), replace(delta_of({}), purposes=("insight", "model")))
    for purposes in ((), ("insight",), ("model", "insight"), ("insight", "review", "model")):
        delta = replace(delta_of({}, base=7, epoch=8), purposes=purposes)
        with pytest.raises(EpochInvalid, match="numbers the purposes differently"):
            apply(named, delta)
    more = replace(delta_of({}, base=7, epoch=8), purposes=("insight", "model", "review"))
    assert apply(named, more).purposes == ("insight", "model", "review")


def test_an_objection_to_a_purpose_without_a_number_is_not_lost() -> None:
    with pytest.raises(EpochInvalid, match="does not name"):
        objection_bits([frozenset({"model"})], ["insight"])


def test_packed_and_plain_pseudonyms_have_the_same_levels() -> None:
    snapshot = apply(Snapshot.empty("risk"), delta_of({b"\x07" * 16: 4}))
    names = [bytes(16), b"\x07" * 16]
    assert (
        levels_of(snapshot, pack(names)).tolist() == levels_of(snapshot, names).tolist() == [0, 4]
    )
    with pytest.raises(InvalidPseudonym):
        levels_of(snapshot, [b"canary"])


def test_nothing_sensitive_is_in_a_snapshots_repr() -> None:
    snapshot = apply(Snapshot.empty("risk"), delta_of({b"canary-pseudonym": 3}))
    for shown in (repr(snapshot), repr(snapshot.columns)):
        assert "canary" not in shown
        assert "levels" not in shown
