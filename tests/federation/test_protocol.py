import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from federation.errors import (
    CohortTooSmall,
    NotInRoster,
    ProtocolError,
    SessionUnknown,
    WrongSignature,
)
from federation.roster import DepartmentKeys, Roster
from federation.secure_aggregation.keys import Announcement, SessionKey, announce
from federation.secure_aggregation.protocol import MaskedVector, combine, masked_share
from privacy.lattice import IntVector, RingVector
from privacy.mechanisms import NoisedShare

NAMES = ("advisory", "legal", "research", "risk", "tax")
THREE = ("advisory", "research", "risk")
IDENTITIES = {name: Ed25519PrivateKey.generate() for name in NAMES}
PLAN = bytes(range(32))


def new_roster() -> Roster:
    return Roster(
        firm="firm",
        departments=tuple(
            DepartmentKeys(
                department=name,
                identity=identity.public_key().public_bytes_raw(),
                sealing=X25519PrivateKey.generate().public_key().public_bytes_raw(),
                flower=f"ecdsa-sha2-nistp384 AAAA {name}",
                alignment_key_sealed=b"sealed",
            )
            for name, identity in IDENTITIES.items()
        ),
        coordinator=Ed25519PrivateKey.generate().public_key().public_bytes_raw(),
        consent=Ed25519PrivateKey.generate().public_key().public_bytes_raw(),
    )


ROSTER = new_roster()


def new_session(name: str) -> SessionKey:
    return SessionKey(department=name, session=os.urandom(16), private=X25519PrivateKey.generate())


SESSIONS = {name: new_session(name) for name in NAMES}


def announcements(
    cohort: Iterable[str] = THREE,
    *,
    sessions: dict[str, SessionKey] = SESSIONS,
    roster: Roster = ROSTER,
) -> list[Announcement]:
    return [announce(sessions[n], identity=IDENTITIES[n], roster=roster) for n in cohort]


ANNOUNCED = announcements(NAMES)


def masked(name: str, values: IntVector | None = None, **changes: object) -> MaskedVector:
    cohort = changes.get("cohort", THREE)
    facts: dict[str, object] = {
        "session": SESSIONS[name],
        "announcements": [a for a in ANNOUNCED if a.department in cohort],  # type: ignore[operator]
        "roster": ROSTER,
        "plan": PLAN,
        "attempt": 0,
        "round": 0,
        "cohort": cohort,
    }
    share = NoisedShare(values=np.array([1, -2, 3]) if values is None else values)
    return masked_share(share, **(facts | changes))  # type: ignore[arg-type]


cohorts = st.sets(st.sampled_from(NAMES), min_size=2).map(lambda found: tuple(sorted(found)))


@settings(deadline=None)
@given(cohort=cohorts, size=st.sampled_from([0, 1, 5, 64]), data=st.data())
def test_the_coordinator_gets_exactly_the_sum(
    cohort: tuple[str, ...], size: int, data: st.DataObject
) -> None:
    entries = st.lists(st.integers(-(2**60), 2**60), min_size=size, max_size=size)
    shares = {name: np.array(data.draw(entries), dtype=np.int64) for name in cohort}
    vectors = [masked(name, shares[name], cohort=cohort) for name in cohort]
    shuffled = data.draw(st.permutations(vectors))
    total = combine(shuffled, cohort)
    assert total.dtype == np.int64
    assert total.tolist() == [sum(int(s[i]) for s in shares.values()) for i in range(size)]


def test_a_masked_vector_says_what_it_answers_and_hides_its_values() -> None:
    vector = masked("risk", attempt=3, round=7)
    assert (vector.plan, vector.attempt, vector.round) == (PLAN, 3, 7)
    assert (vector.cohort, vector.department) == (THREE, "risk")
    assert "values" not in repr(vector)
    assert (vector.values != np.array([1, -2, 3], dtype=np.int64).astype(np.uint64)).all()


def test_two_of_three_vectors_do_not_show_their_sum() -> None:
    zeros = np.zeros(16, dtype=np.int64)
    for pair in combinations(THREE, 2):
        first, second = (masked(name, zeros).values for name in pair)
        assert (first + second != 0).all()


def test_a_missing_foreign_or_repeated_department_is_refused() -> None:
    vectors = [masked(name) for name in THREE]
    pair = [masked(name, cohort=("advisory", "risk")) for name in ("advisory", "risk")]
    for received in (
        [],
        vectors[:2],
        [*vectors, vectors[0]],
        [vectors[0], vectors[0], vectors[1]],
        [*vectors[:2], replace(vectors[2], department="tax")],
        pair,
    ):
        with pytest.raises(ProtocolError, match="exactly one"):
            combine(received, THREE)


@pytest.mark.parametrize(
    "change",
    [
        {"plan": bytes(32)},
        {"attempt": 1},
        {"round": 1},
        {"cohort": ("advisory", "legal", "risk")},
        {"agreement": bytes(32)},
        {"values": np.zeros(4, dtype=np.uint64)},
    ],
)
@pytest.mark.parametrize("position", [0, 1, 2])
def test_vectors_that_do_not_belong_together_are_refused(
    change: dict[str, object], position: int
) -> None:
    vectors = [masked(name) for name in THREE]
    vectors[position] = replace(vectors[position], **change)  # type: ignore[arg-type]
    with pytest.raises(ProtocolError, match="belong together"):
        combine(vectors, THREE)


def test_a_cohort_other_than_the_one_asked_is_refused() -> None:
    four = ("advisory", "research", "risk", "tax")
    vectors = [replace(masked(name), cohort=four) for name in THREE]
    with pytest.raises(ProtocolError, match="belong together"):
        combine(vectors, THREE)


@pytest.mark.parametrize(
    "values", [np.zeros(3, dtype=np.int64), np.zeros((3, 1), dtype=np.uint64), np.zeros(3)]
)
def test_a_vector_of_another_type_or_shape_is_refused(values: RingVector) -> None:
    vectors = [replace(masked(name), values=values) for name in THREE]
    with pytest.raises(ProtocolError, match="uint64"):
        combine(vectors, THREE)


def test_a_restarted_worker_is_noticed_before_garbage_is_released() -> None:
    renewed = SESSIONS | {"risk": new_session("risk")}
    fresh = announcements(sessions=renewed)
    vectors = [
        masked("advisory"),
        masked("research", announcements=fresh),
        masked("risk", session=renewed["risk"], announcements=fresh),
    ]
    with pytest.raises(ProtocolError, match="fresh announcements"):
        combine(vectors, THREE)
    with pytest.raises(SessionUnknown) as refusal:
        masked("risk", session=renewed["risk"])
    assert refusal.value.department == "risk"


def test_a_node_with_another_roster_refuses_the_cohort() -> None:
    with pytest.raises(WrongSignature):
        masked("risk", roster=new_roster())


def test_vectors_under_two_rosters_do_not_add_up() -> None:
    other = new_roster()
    vectors = [masked(name) for name in THREE[:2]]
    vectors.append(masked("risk", roster=other, announcements=announcements(roster=other)))
    with pytest.raises(ProtocolError, match="belong together"):
        combine(vectors, THREE)


def test_a_node_refuses_a_man_in_the_middle() -> None:
    """The coordinator replaces a peer's key by its own, to read the mask."""
    own = new_session("advisory")
    forged = ANNOUNCED[0].model_copy(update={"public": own.public})
    with pytest.raises(WrongSignature):
        masked("risk", announcements=[forged, *announcements(("research", "risk"))])


@pytest.mark.parametrize(
    "announced", [("advisory", "research"), ("advisory", "risk"), NAMES, (*THREE, "tax"), ()]
)
def test_a_node_masks_with_the_cohort_of_the_permit_only(announced: tuple[str, ...]) -> None:
    with pytest.raises(ProtocolError, match="do not match the cohort"):
        masked("risk", announcements=announcements(announced))


def test_a_node_outside_the_cohort_does_not_answer() -> None:
    with pytest.raises(ProtocolError, match="this department included"):
        masked("tax")


def test_a_node_does_not_answer_alone() -> None:
    with pytest.raises(CohortTooSmall):
        masked("risk", cohort=("risk",))
    with pytest.raises(CohortTooSmall):
        combine([masked("risk")], ("risk",))


def test_a_node_refuses_a_stranger() -> None:
    stranger = ANNOUNCED[0].model_copy(update={"department": "sales"})
    with pytest.raises(NotInRoster):
        masked("risk", announcements=[stranger, *announcements(("research", "risk"))])


# What the coordinator sees when every department sends zeros: all of it must look uniform.
SIZE = 20_000
Masking = Callable[[str, int], RingVector]
Look = Sequence[RingVector]


def zeros_masked(name: str, round_: int) -> RingVector:
    return masked(name, np.zeros(SIZE, dtype=np.int64), round=round_).values


def coordinator_view(masking: Masking) -> Look:
    """Each vector of two rounds, the sums of two departments, and each one's two rounds apart."""
    seen = {(name, round_): masking(name, round_) for name in THREE for round_ in (0, 1)}
    pairs = [seen[a, 0] + seen[b, 0] for a, b in combinations(THREE, 2)]
    apart = [seen[name, 0] - seen[name, 1] for name in THREE]
    return [*seen.values(), *pairs, *apart]


def looks_uniform(view: Look) -> bool:
    """Chi-squared over the 256 byte values of each vector; false alarm 1e-9 over the whole view."""
    limit = float(chi2.isf(1e-9 / len(view), 255))
    for vector in view:
        counts = np.bincount(vector.view(np.uint8), minlength=256)
        expected = vector.nbytes / 256
        if float(((counts - expected) ** 2).sum()) / expected > limit:
            return False
    return True


@pytest.mark.statistical
def test_the_coordinator_sees_nothing_but_uniform_bytes() -> None:
    assert looks_uniform(coordinator_view(zeros_masked))


@pytest.mark.statistical
@pytest.mark.parametrize(
    "saboteur",
    [
        pytest.param(lambda _name, _round: np.zeros(SIZE, dtype=np.uint64), id="no mask"),
        pytest.param(lambda name, _round: zeros_masked(name, 0), id="keystream reused"),
        pytest.param(lambda name, n: zeros_masked(name, n) >> np.uint64(8), id="short words"),
        pytest.param(
            lambda name, n: zeros_masked("risk", n) * np.uint64(1 if name == "risk" else 2**64 - 1),
            id="one mask for every pair",
        ),
        pytest.param(
            lambda name, n: np.repeat(zeros_masked(name, n)[: SIZE // 100], 100),
            id="keystream repeated within",
        ),
    ],
)
def test_the_uniformity_test_catches_broken_masks(saboteur: Masking) -> None:
    assert not looks_uniform(coordinator_view(saboteur))
