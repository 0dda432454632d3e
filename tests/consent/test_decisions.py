from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.catalogue import Catalogue, Field, Rule
from consent.decisions import Permit, check_fields, decide, least_necessary
from consent.epochs import EpochDelta, Snapshot, apply
from consent.errors import (
    ClockSkew,
    EpochStale,
    FieldsNotNeeded,
    InvalidPseudonym,
    PermitForged,
    PurposeNotOpen,
    UnknownField,
    UnknownPurpose,
)
from consent.intake import CLOCK_TOLERANCE_S
from consent.levels import Level
from consent.packed import pack
from consent.purposes import Purpose

# Short alphabets at both ends: pseudonyms that share halves, begin with NULs or end with them.
PSEUDONYMS = st.builds(
    lambda head, tail: head + bytes(14) + tail,
    st.sampled_from([b"\x00", b"\x01", b"\xff"]),
    st.sampled_from([b"\x00", b"\x01", b"\xff"]),
) | st.binary(min_size=16, max_size=16)


def flag(name: str, level: int, *purposes: str) -> Field:
    return Field(
        name=name,
        title=name,
        departments=("risk",),
        kind="flag",
        level=Level(level),
        purposes=purposes,
    )


CATALOGUE = Catalogue(
    name="test",
    departments=("risk",),
    purposes=(Purpose(name="insight", title="Insight"), Purpose(name="model", title="Model")),
    fields=(
        flag("basic", 1, "insight", "model"),
        flag("taste", 2, "insight"),
        flag("family", 3, "insight"),
        flag("debts", 4, "model"),
        flag("taxes", 4, "insight", "model"),
    ),
)


def snapshot_of(
    levels: dict[bytes, int], *, epoch: int = 5, issued_at: int = 0, expires_at: int = 1000
) -> Snapshot:
    delta = EpochDelta(
        department="risk",
        base=0,
        epoch=epoch,
        issued_at=issued_at,
        expires_at=expires_at,
        pseudonyms=b"".join(levels),
        levels=bytes(levels.values()),
    )
    return apply(Snapshot.empty("risk"), delta)


def permit_for(levels: dict[bytes, int], *names: str, purpose: str = "insight") -> Permit:
    fields = check_fields(CATALOGUE, names, purpose)
    return decide(snapshot_of(levels), fields, purpose, now=1000, at_least=5)


def test_fields_come_back_in_the_order_they_were_named() -> None:
    found = check_fields(CATALOGUE, ["taste", "basic"], "insight")
    assert [field.name for field in found] == ["taste", "basic"]


def test_a_closed_purpose_is_explained() -> None:
    with pytest.raises(PurposeNotOpen) as caught:
        check_fields(CATALOGUE, ["basic", "debts"], "insight")
    refusal = caught.value
    assert (refusal.field, refusal.purpose) == ("debts", "insight")
    assert (refusal.level, refusal.open_to) == (4, ("model",))
    for part in (
        '"debts"',
        "level 4, full family finances",
        'open to "model"',
        "Leave the field out",
    ):
        assert part in str(refusal)


def test_a_rule_that_closes_a_purpose_is_quoted() -> None:
    rule = Rule(field="taxes", only_for=("model",), text="Taxes only for KYC.", text_zh="仅限KYC。")
    catalogue = Catalogue(
        name="test",
        departments=("risk",),
        purposes=CATALOGUE.purposes,
        fields=CATALOGUE.fields,
        rules=(rule,),
    )
    assert check_fields(catalogue, ["taxes"], "model")[0].purposes == ("model",)
    with pytest.raises(PurposeNotOpen) as caught:
        check_fields(catalogue, ["basic", "taxes"], "insight")
    refusal = caught.value
    assert (refusal.field, refusal.rule, refusal.rule_zh) == ("taxes", rule.text, rule.text_zh)
    assert refusal.open_to == ("model",)
    assert "by the rule: Taxes only for KYC." in str(refusal)
    with pytest.raises(PurposeNotOpen):
        decide(snapshot_of({}), (catalogue.field("taxes"),), "insight", now=0, at_least=0)


def test_a_plan_opens_only_what_it_uses() -> None:
    least_necessary(["basic", "taste"], ["taste", "basic", "basic"])
    with pytest.raises(FieldsNotNeeded) as caught:
        least_necessary(["taxes", "basic", "debts"], ["basic"])
    assert caught.value.fields == ("debts", "taxes")
    assert '"debts", "taxes"' in str(caught.value)


def test_an_unknown_field_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownField) as caught:
        check_fields(CATALOGUE, ["salary"], "insight")
    assert caught.value.field == "salary"
    assert "taste" in caught.value.known


def test_an_unknown_purpose_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownPurpose) as caught:
        check_fields(CATALOGUE, ["basic"], "curiosity")
    assert caught.value.known == ("insight", "model")


def test_a_snapshot_behind_the_coordinators_epoch_decides_nothing() -> None:
    with pytest.raises(EpochStale) as caught:
        decide(snapshot_of({}), (), "insight", now=0, at_least=6)
    assert (caught.value.have, caught.value.need, caught.value.expired) == (5, 6, False)


def test_an_expired_snapshot_decides_nothing() -> None:
    decide(snapshot_of({}, expires_at=1000), (), "insight", now=1000, at_least=5)
    with pytest.raises(EpochStale) as caught:
        decide(snapshot_of({}, expires_at=1000), (), "insight", now=1001, at_least=5)
    assert caught.value.expired


def test_a_snapshot_from_the_future_decides_nothing() -> None:
    snapshot = snapshot_of({}, issued_at=1000, expires_at=2000)
    decide(snapshot, (), "insight", now=1000 - CLOCK_TOLERANCE_S, at_least=5)
    with pytest.raises(ClockSkew):
        decide(snapshot, (), "insight", now=999 - CLOCK_TOLERANCE_S, at_least=5)


def test_a_snapshot_before_its_first_delta_decides_nothing() -> None:
    with pytest.raises(EpochStale):
        decide(Snapshot.empty("risk"), (), "insight", now=1, at_least=0)


def test_decide_checks_the_purpose_even_of_fields_that_nobody_checked() -> None:
    with pytest.raises(PurposeNotOpen):
        decide(snapshot_of({}), (CATALOGUE.field("debts"),), "insight", now=0, at_least=0)


def test_a_permit_cannot_be_built_elsewhere() -> None:
    with pytest.raises(PermitForged):
        Permit(
            department="risk",
            purpose="insight",
            epoch=5,
            fields=("basic",),
            _needed=(),
            _standings=np.zeros(1, dtype=np.uint8),
            _snapshot=snapshot_of({}),
            _seal=object(),
        )


def test_a_permit_cannot_be_widened_by_a_copy() -> None:
    permit = permit_for({}, "basic")
    with pytest.raises(ValueError, match="_seal"):
        replace(permit, _needed=())


Opened = Callable[[int], bool]


def ends_on_time(opened: Opened) -> bool:
    """Ask one second before an authorization ends, at its end, and later."""
    return [opened(now) for now in (499, 500, 501)] == [True, False, False]


def ending_at_500() -> Snapshot:
    delta = EpochDelta(
        department="risk",
        base=0,
        epoch=5,
        issued_at=0,
        expires_at=1000,
        pseudonyms=b"\x07" * 16,
        levels=b"\x01",
        expiries=(500).to_bytes(4),
    )
    return apply(Snapshot.empty("risk"), delta)


def test_an_authorization_is_over_from_its_end_on() -> None:
    fields = check_fields(CATALOGUE, ["basic"], "insight")

    def by_decision(now: int) -> bool:
        permit = decide(ending_at_500(), fields, "insight", now=now, at_least=5)
        return bool(permit.open_fields([b"\x07" * 16])[0, 0])

    assert ends_on_time(by_decision)


def test_the_end_check_rejects_a_decision_by_levels_alone() -> None:
    assert not ends_on_time(lambda _now: bool(ending_at_500().columns.levels[0] >= 1))


def tells_null_ended_pseudonyms_apart(
    opened: Callable[[dict[bytes, int], list[bytes]], list[bool]],
) -> bool:
    """Ask for five clients whose pseudonyms differ by NULs only; two of them are strangers."""
    names = [bytes(n) + b"\x07" + bytes(15 - n) for n in (0, 1, 14, 15)] + [bytes(16)]
    levels = {names[0]: 1, names[2]: 0, names[4]: 2}
    return opened(levels, names) == [True, False, False, False, True]


def test_pseudonyms_that_end_in_nulls_are_told_apart() -> None:
    def by_permit(levels: dict[bytes, int], names: list[bytes]) -> list[bool]:
        column: list[bool] = permit_for(levels, "basic").open_fields(names)[:, 0].tolist()
        return column

    assert tells_null_ended_pseudonyms_apart(by_permit)


def test_the_null_check_rejects_a_lookup_in_numpys_byte_strings() -> None:
    def saboteur(levels: dict[bytes, int], names: list[bytes]) -> list[bool]:
        stripped = dict(
            zip(np.array(list(levels), dtype="S16").tolist(), levels.values(), strict=True)
        )
        return [stripped.get(name, 0) >= 1 for name in names]

    assert not tells_null_ended_pseudonyms_apart(saboteur)


def test_the_same_client_may_be_asked_for_twice() -> None:
    name = b"\x07" * 16
    assert permit_for({name: 1}, "basic").open_fields([name, name]).tolist() == [[True], [True]]


@given(
    st.dictionaries(PSEUDONYMS, st.integers(0, 4), max_size=40),
    st.lists(PSEUDONYMS, max_size=20),
    st.permutations(["basic", "taste", "family", "taxes"]),
    st.integers(0, 4),
    st.data(),
)
def test_open_fields_is_the_naive_loop(
    levels: dict[bytes, int],
    strangers: list[bytes],
    names: list[str],
    width: int,
    data: st.DataObject,
) -> None:
    asked = data.draw(st.permutations([*levels, *strangers]))
    permit = permit_for(levels, *names[:width])
    opened = permit.open_fields(asked)
    assert opened.shape == (len(asked), width)
    assert opened.dtype == np.bool_
    for row, pseudonym in enumerate(asked):
        level = levels.get(pseudonym, 0)
        for column, name in enumerate(names[:width]):
            assert opened[row, column] == (level >= CATALOGUE.field(name).level)
    assert permit.open_clients(asked).tolist() == [levels.get(p, 0) >= 1 for p in asked]
    assert np.array_equal(permit.open_fields(pack(asked)), opened)


def test_a_pseudonym_of_another_length_is_refused() -> None:
    with pytest.raises(InvalidPseudonym):
        permit_for({}, "basic").open_fields([b"canary" * 2, b"canary" * 3])


def test_a_permits_repr_shows_no_client() -> None:
    permit = permit_for({b"canary-pseudonym": 3}, "basic")
    assert "canary" not in repr(permit)
    assert "levels" not in repr(permit)
