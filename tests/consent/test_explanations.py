from hypothesis import given
from hypothesis import strategies as st

from consent.catalogue import Catalogue, Field, Rule
from consent.columns import objection_bits
from consent.decisions import check_fields, decide
from consent.epochs import EpochDelta, Snapshot, apply
from consent.errors import PurposeNotOpen
from consent.explanations import Because, explain
from consent.levels import Level
from consent.purposes import Purpose
from consent.register import Standing

PURPOSES = ("insight", "model", "kyc")
NAME = b"\x07" * 16


def flag(name: str, level: int, *purposes: str, family: bool | None = None) -> Field:
    return Field(
        name=name,
        title=name,
        departments=("risk",),
        kind="flag",
        level=Level(level),
        purposes=purposes,
        family=family,
    )


CATALOGUE = Catalogue(
    name="test",
    departments=("risk",),
    purposes=tuple(Purpose(name=p, title=p.title(), title_zh="用途") for p in PURPOSES),
    fields=(
        flag("age", 1, "insight", "model"),
        flag("marital", 3, "insight", "model"),
        flag("debts", 4, "model", family=False),
        flag("taxes", 4, *PURPOSES),
    ),
    rules=(
        Rule(field="taxes", only_for=("kyc",), text="Taxes only for KYC.", text_zh="仅限KYC。"),
    ),
)


def standing(
    level: int = 4, *, ends: int | None = None, objections: tuple[str, ...] = ()
) -> Standing:
    return Standing(
        household="h",
        place=0,
        level=Level(level),
        at=0,
        expires_at=ends,
        objections=dict.fromkeys(objections, 0),
        family_objected_at=None,
        notice="",
        seq=1,
    )


def reasons(
    field: str, purpose: str, standing_: Standing, *, family_closed: bool = False, now: int = 100
) -> list[Because]:
    found = explain(CATALOGUE, field, purpose, standing_, family_closed=family_closed, now=now)
    for one in found:
        assert (one.field, one.purpose) == (field, purpose)
        assert one.needed == CATALOGUE.field(field).level
        assert all((one.text, one.text_zh, one.remedy, one.remedy_zh))
    return [one.because for one in found]


def test_an_open_field_needs_no_explanation() -> None:
    assert reasons("marital", "insight", standing()) == []


def test_a_level_that_is_too_low_says_which_would_do() -> None:
    assert reasons("marital", "insight", standing(2)) == [Because.LEVEL]
    (why,) = explain(CATALOGUE, "marital", "insight", standing(2), family_closed=False, now=0)
    assert why.text == "It needs level 3 (family structure); you gave level 2."
    assert "level 3 or higher" in why.remedy


def test_an_ended_authorization_is_not_called_too_low() -> None:
    assert reasons("marital", "insight", standing(3, ends=101)) == []
    assert reasons("marital", "insight", standing(3, ends=100)) == [Because.EXPIRED]


def test_a_purpose_is_explained_by_its_rule() -> None:
    assert reasons("taxes", "model", standing()) == [Because.PURPOSE]
    (why,) = explain(CATALOGUE, "taxes", "model", standing(), family_closed=False, now=0)
    assert (why.text, why.text_zh) == ("Taxes only for KYC.", "仅限KYC。")
    assert reasons("debts", "kyc", standing()) == [Because.PURPOSE]


def test_an_objection_closes_one_purpose() -> None:
    objecting = standing(objections=("insight",))
    assert reasons("age", "insight", objecting) == [Because.OBJECTION]
    assert reasons("age", "model", objecting) == []


def test_a_family_objection_closes_family_fields() -> None:
    assert reasons("marital", "insight", standing(), family_closed=True) == [Because.FAMILY]
    assert reasons("debts", "model", standing(), family_closed=True) == []
    assert reasons("age", "model", standing(), family_closed=True) == []


def test_every_reason_is_given_at_once() -> None:
    one = standing(1, ends=5, objections=("model",))
    assert reasons("taxes", "model", one, family_closed=True) == [
        Because.PURPOSE,
        Because.LEVEL,
        Because.OBJECTION,
        Because.FAMILY,
    ]


@given(
    level=st.integers(0, 4),
    ends=st.none() | st.integers(98, 102),
    objections=st.sets(st.sampled_from(PURPOSES)),
    family_closed=st.booleans(),
    asked=st.tuples(st.sampled_from([f.name for f in CATALOGUE.fields]), st.sampled_from(PURPOSES)),
)
def test_a_field_is_open_to_a_node_exactly_where_nothing_explains_its_closure(
    *,
    level: int,
    ends: int | None,
    objections: set[str],
    family_closed: bool,
    asked: tuple[str, str],
) -> None:
    field, purpose = asked
    client = standing(level, ends=ends, objections=tuple(objections))
    delta = EpochDelta(
        department="risk",
        base=0,
        epoch=1,
        issued_at=0,
        expires_at=1000,
        purposes=PURPOSES,
        pseudonyms=NAME,
        levels=bytes([level]),
        expiries=(ends or 0).to_bytes(4),
        objections=objection_bits([frozenset(objections)], PURPOSES),
        family_closed=bytes([family_closed]),
    )
    try:
        fields = check_fields(CATALOGUE, [field], purpose)
    except PurposeNotOpen:
        opened = False
    else:
        snapshot = apply(Snapshot.empty("risk"), delta)
        permit = decide(snapshot, fields, purpose, now=100, at_least=1)
        opened = bool(permit.open_fields([NAME])[0, 0])
    assert opened == (not reasons(field, purpose, client, family_closed=family_closed))
