import pytest

from consent.errors import (
    ClockSkew,
    InvalidClientId,
    InvalidRequest,
    UnknownLevel,
)
from consent.events import (
    ChangeNotice,
    Event,
    Expire,
    Kind,
    ObjectForFamily,
    ObjectTo,
    Request,
    SetLevel,
    WithdrawFamilyObjection,
    WithdrawObjection,
)
from consent.intake import CLOCK_TOLERANCE_S, LAST_SECOND, check, check_id, event_of, repeats
from consent.levels import Level
from consent.purposes import Purpose
from consent.register import SECOND, Standing

INSIGHT = Purpose(name="insight", title="Insight")
MODEL = Purpose(name="model", title="Model")
NOON = 1_000_000 * SECOND
MEGABYTE = "x" * 2**20


def standing(level: int = 2) -> Standing:
    """Stand at a level given at noon, with an objection and a family objection of noon."""
    return Standing(
        household="h",
        place=0,
        level=Level(level),
        at=NOON,
        expires_at=None,
        objections={"insight": NOON},
        family_objected_at=NOON,
        notice="",
        seq=7,
    )


def become(request: Request, *, at: int = NOON, level: int = 2) -> Event:
    return event_of(request, standing(level), event_id="id", at=at, seq=8)


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (0, 2, Kind.GIVEN),
        (2, 2, Kind.GIVEN),
        (2, 3, Kind.RAISED),
        (4, 1, Kind.LOWERED),
        (4, 0, Kind.WITHDRAWN),
        (0, 0, Kind.WITHDRAWN),
    ],
)
def test_a_level_is_named_by_what_it_was_before(before: int, after: int, kind: Kind) -> None:
    event = become(SetLevel(client="ann", level=after), level=before)
    assert (event.kind, event.level) == (kind, after)


REQUESTS: dict[Kind, Request] = {
    Kind.RAISED: SetLevel(client="ann", level=3, expires_at=2_000_000),
    Kind.OBJECTED: ObjectTo(client="ann", purpose=MODEL),
    Kind.OBJECTION_WITHDRAWN: WithdrawObjection(client="ann", purpose=INSIGHT),
    Kind.FAMILY_OBJECTED: ObjectForFamily(client="ann"),
    Kind.FAMILY_OBJECTION_WITHDRAWN: WithdrawFamilyObjection(client="ann"),
    Kind.NOTICE_CHANGED: ChangeNotice(client="ann", notice="2026-11"),
    Kind.EXPIRED: Expire(client="ann"),
}


@pytest.mark.parametrize(("kind", "request_"), REQUESTS.items())
def test_a_request_becomes_an_event_with_all_it_says(kind: Kind, request_: Request) -> None:
    event = become(request_)
    assert (event.kind, event.client, event.id, event.at, event.seq) == (kind, "ann", "id", NOON, 8)
    assert event.expires_at == (2_000_000 if kind is Kind.RAISED else None)
    assert event.purpose == {Kind.OBJECTED: "model", Kind.OBJECTION_WITHDRAWN: "insight"}.get(
        kind, ""
    )
    assert event.notice == ("2026-11" if kind is Kind.NOTICE_CHANGED else "")


def test_every_kind_but_entering_is_asked_for_by_some_request() -> None:
    assert set(REQUESTS) | {Kind.ENTERED, Kind.GIVEN, Kind.LOWERED, Kind.WITHDRAWN} == set(Kind)


@pytest.mark.parametrize("one", REQUESTS.values())
def test_a_request_repeats_its_own_event_and_no_other(one: Request) -> None:
    assert [repeats(one, become(other)) for other in REQUESTS.values()] == [
        one is other for other in REQUESTS.values()
    ]


@pytest.mark.parametrize(
    "other",
    [
        SetLevel(client="bob", level=3, expires_at=2_000_000),
        SetLevel(client="ann", level=4, expires_at=2_000_000),
        SetLevel(client="ann", level=3),
        ObjectTo(client="ann", purpose=INSIGHT),
        ChangeNotice(client="ann", notice="2026-12"),
    ],
)
def test_a_request_that_differs_in_anything_repeats_nothing(other: Request) -> None:
    assert not any(repeats(other, become(request)) for request in REQUESTS.values())


def test_ending_is_not_withdrawing() -> None:
    assert not repeats(SetLevel(client="ann", level=0), become(Expire(client="ann")))


# Clocks


OPENING = [
    SetLevel(client="ann", level=1),
    WithdrawObjection(client="ann", purpose=INSIGHT),
    WithdrawFamilyObjection(client="ann"),
]
TOLERANCE = CLOCK_TOLERANCE_S * SECOND


@pytest.mark.parametrize("request_", OPENING)
def test_what_opens_cannot_come_from_well_before_what_it_undoes(request_: Request) -> None:
    become(request_, at=NOON - TOLERANCE)
    with pytest.raises(ClockSkew) as caught:
        become(request_, at=NOON - TOLERANCE - 1)
    assert caught.value.tolerance_s == CLOCK_TOLERANCE_S


@pytest.mark.parametrize(
    "request_",
    [
        SetLevel(client="ann", level=0),
        ObjectTo(client="ann", purpose=INSIGHT),
        ObjectForFamily(client="ann"),
    ],
)
def test_what_closes_is_taken_whatever_the_clock_says(request_: Request) -> None:
    assert become(request_, at=0).at == 0


def test_an_objection_that_never_was_is_not_in_the_way() -> None:
    assert become(WithdrawObjection(client="ann", purpose=MODEL), at=0).at == 0


# Bad input


@pytest.mark.parametrize("client", ["", "can\nary", "canary\u202e", "ｃａｎａｒｙ", MEGABYTE])
@pytest.mark.parametrize("request_", [SetLevel, Expire, ObjectForFamily])
def test_a_malformed_id_is_refused_whatever_is_asked(client: str, request_: type) -> None:
    request = request_(client=client, **({"level": 1} if request_ is SetLevel else {}))
    with pytest.raises(InvalidClientId) as caught:
        check(request)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("level", [-1, 5, 2**70])
def test_an_unknown_level_is_refused(level: int) -> None:
    with pytest.raises(UnknownLevel):
        check(SetLevel(client="ann", level=level))


@pytest.mark.parametrize("end", [-1, 0, 999_999, 1_000_000, LAST_SECOND + 1, 2**70])
def test_an_end_that_is_not_ahead_is_refused(end: int) -> None:
    with pytest.raises(InvalidRequest, match="expires_at is not after the request"):
        become(SetLevel(client="ann", level=1, expires_at=end))


@pytest.mark.parametrize("end", [1_000_001, LAST_SECOND])
def test_an_end_that_is_ahead_is_taken(end: int) -> None:
    assert become(SetLevel(client="ann", level=1, expires_at=end)).expires_at == end


def test_a_withdrawal_does_not_end() -> None:
    with pytest.raises(InvalidRequest, match="not to a withdrawal"):
        check(SetLevel(client="ann", level=0, expires_at=2_000_000))


@pytest.mark.parametrize("text", ["", "can\nary", "canary\ud800", MEGABYTE])
def test_a_notice_and_an_id_are_short_and_printable(text: str) -> None:
    with pytest.raises(InvalidRequest, match="notice") as notice:
        check(ChangeNotice(client="ann", notice=text))
    with pytest.raises(InvalidRequest, match="id") as name:
        check_id(text)
    assert "canary" not in f"{notice.value} {name.value} {vars(notice.value)} {vars(name.value)}"


def test_requests_show_no_client() -> None:
    for request in REQUESTS.values():
        assert "ann" not in repr(request)
