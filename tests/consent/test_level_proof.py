from dataclasses import replace
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from consent import level_proof
from consent.errors import UnknownLevel
from consent.level_proof import Anchor, Credential, Whom, issue, prove, show, verify
from consent.log_errors import LevelNotReached, LevelProofInvalid

KEY = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
HOLDER = Ed25519PrivateKey.from_private_bytes(b"\x02" * 32)
SEED_KEY = b"s" * 32
WHOM = Whom(department="risk", epoch=7, pseudonym=b"p" * 16)
NONCE = b"a verifier's nonce"
LEVELS = st.integers(0, 4)
SOME = st.integers(1, 4)


def credential(level: int = 4, whom: Whom = WHOM, *, holder: bytes = b"") -> Credential:
    return issue(
        level,
        whom,
        seed_key=SEED_KEY,
        signing_key=KEY,
        issued_at=1000,
        expires_at=2000,
        holder=holder,
    )


def checked(
    anchor: bytes,
    proof: bytes,
    at_least: int,
    *,
    department: str = "risk",
    epoch: int = 7,
    now: int = 1500,
    nonce: bytes = b"",
    shown: bytes = b"",
) -> Anchor:
    return verify(
        anchor,
        proof,
        at_least,
        key=KEY.public_key(),
        department=department,
        epoch=epoch,
        now=now,
        nonce=nonce,
        shown=shown,
    )


# What it shows


@given(level=LEVELS, at_least=SOME)
def test_a_credential_proves_its_level_and_every_lower_one_only(level: int, at_least: int) -> None:
    held = credential(level)
    if at_least > level:
        with pytest.raises(LevelNotReached):
            prove(held, at_least)
    else:
        proof = prove(held, at_least)
        assert len(proof) == 32
        assert checked(held.anchor, proof, at_least).whom == WHOM


@given(low=SOME, high=SOME, at_least=SOME)
def test_a_proof_is_the_same_whatever_the_level(low: int, high: int, at_least: int) -> None:
    """So it tells nothing of the level above: not the proof, the anchor or its signature."""
    if at_least <= min(low, high):
        one, other = credential(low), credential(high)
        assert one.anchor == other.anchor
        assert prove(one, at_least) == prove(other, at_least)


def test_the_chain_is_the_one_the_page_describes() -> None:
    held = credential(2)
    context = b"infosandbox/level-link/v1\x00" + b"\x00\x04" + (7).to_bytes(8, "big") + b"risk"
    context += b"p" * 16
    first = sha256(context + b"\x02" + held.link).digest()
    assert prove(held, 2) == held.link
    assert prove(held, 1) == first
    end = sha256(context + b"\x01" + first).digest()
    assert checked(held.anchor, first, 1).link == end


# What it never shows


@given(level=SOME, shown_for=SOME, claimed=SOME)
def test_a_proof_for_one_level_is_none_for_another(
    level: int, shown_for: int, claimed: int
) -> None:
    if shown_for <= level and claimed != shown_for:
        held = credential(level)
        with pytest.raises(LevelProofInvalid, match="does not lead"):
            checked(held.anchor, prove(held, shown_for), claimed)


@given(held_level=st.integers(0, 3), tries=st.integers(1, 6))
def test_nothing_a_holder_computes_reaches_one_level_more(held_level: int, tries: int) -> None:
    """Not its link, nor any hash of it down the chain, nor the anchor itself."""
    held = credential(held_level)
    link = held.link
    for number in range(tries):
        with pytest.raises(LevelProofInvalid):
            checked(held.anchor, link, held_level + 1)
        link = level_proof._down(link, WHOM, start=max(held_level - number, 1), stop=0)


def test_a_verifier_that_does_not_count_would_take_any_proof_for_any_level() -> None:
    """The saboteur: it hashes until it meets the anchor, however few steps that takes."""
    held = credential(4)
    proof = prove(held, 1)
    anchor = checked(held.anchor, proof, 1)
    met = (level_proof._down(proof, WHOM, start=n, stop=0) == anchor.link for n in range(1, 5))
    assert any(met)
    with pytest.raises(LevelProofInvalid, match="does not lead"):
        checked(held.anchor, proof, 2)


OTHERS = {
    "another client": replace(WHOM, pseudonym=b"q" * 16),
    "another department": replace(WHOM, department="advisory"),
    "an older epoch": replace(WHOM, epoch=6),
    "a newer epoch": replace(WHOM, epoch=8),
    "a department that runs into the pseudonym": Whom(
        department="riskp", epoch=7, pseudonym=b"p" * 15 + b"q"
    ),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
@settings(max_examples=20)
@given(at_least=SOME)
def test_no_proof_passes_from_one_chain_to_another(other: Whom, at_least: int) -> None:
    mine, theirs = credential(4), credential(4, other)
    assert mine.link != theirs.link
    with pytest.raises(LevelProofInvalid, match="does not lead"):
        checked(mine.anchor, prove(theirs, at_least), at_least)
    with pytest.raises(LevelProofInvalid, match="does not lead"):
        checked(
            theirs.anchor,
            prove(mine, at_least),
            at_least,
            department=other.department,
            epoch=other.epoch,
        )


@pytest.mark.parametrize("name", ["another department", "an older epoch", "a newer epoch"])
def test_a_verifier_asks_for_its_own_department_and_epoch(name: str) -> None:
    theirs = credential(4, OTHERS[name])
    with pytest.raises(LevelProofInvalid, match="another department or epoch"):
        checked(theirs.anchor, prove(theirs, 1), 1)


def test_a_withdrawn_clients_credential_proves_nothing() -> None:
    held = credential(0)
    for link in (held.link, bytes(32)):
        with pytest.raises(LevelProofInvalid):
            checked(held.anchor, link, 1)


@given(bit=st.integers(0, len(credential().anchor) * 8 - 1))
def test_a_flipped_bit_of_the_anchor_is_refused(bit: int) -> None:
    held = credential(3)
    flipped = bytearray(held.anchor)
    flipped[bit // 8] ^= 1 << bit % 8
    with pytest.raises(LevelProofInvalid):
        checked(bytes(flipped), prove(held, 2), 2)


@given(bit=st.integers(0, 255))
def test_a_flipped_bit_of_the_proof_is_refused(bit: int) -> None:
    held = credential(3)
    flipped = bytearray(prove(held, 2))
    flipped[bit // 8] ^= 1 << bit % 8
    with pytest.raises(LevelProofInvalid):
        checked(held.anchor, bytes(flipped), 2)


def test_another_services_anchor_is_refused() -> None:
    held = credential()
    forged = issue(4, WHOM, seed_key=SEED_KEY, signing_key=HOLDER, issued_at=1000, expires_at=2000)
    with pytest.raises(LevelProofInvalid, match="not signed"):
        checked(forged.anchor, prove(held, 2), 2)


@pytest.mark.parametrize("now", [0, 939, 2000, 2**62])
def test_a_proof_has_its_time(now: int) -> None:
    held = credential()
    checked(held.anchor, prove(held, 2), 2, now=940)
    with pytest.raises(LevelProofInvalid, match="expired"):
        checked(held.anchor, prove(held, 2), 2, now=now)


# Bound to a verifier


BOUND = credential(3, holder=HOLDER.public_key().public_bytes_raw())


def test_a_bound_proof_passes_with_the_holders_answer() -> None:
    proof = prove(BOUND, 2)
    checked(BOUND.anchor, proof, 2, nonce=NONCE, shown=show(proof, NONCE, HOLDER))


WRONG_ANSWERS = {
    "no answer": (NONCE, b""),
    "another verifier's": (NONCE, show(prove(BOUND, 2), b"another's nonce !", HOLDER)),
    "another level's": (NONCE, show(prove(BOUND, 1), NONCE, HOLDER)),
    "another holder's": (NONCE, show(prove(BOUND, 2), NONCE, KEY)),
    "a short nonce": (b"short", show(prove(BOUND, 2), b"short", HOLDER)),
    "neither nonce nor answer": (b"", b""),
}


@pytest.mark.parametrize("answer", WRONG_ANSWERS.values(), ids=WRONG_ANSWERS.keys())
def test_a_bound_proof_is_nobody_elses(answer: tuple[bytes, bytes]) -> None:
    nonce, shown = answer
    with pytest.raises(LevelProofInvalid):
        checked(BOUND.anchor, prove(BOUND, 2), 2, nonce=nonce, shown=shown)


def test_an_unbound_proof_does_not_pass_for_a_bound_one() -> None:
    proof = prove(credential(3), 2)
    with pytest.raises(LevelProofInvalid, match="names no holder"):
        checked(credential(3).anchor, proof, 2, nonce=NONCE, shown=show(proof, NONCE, HOLDER))


# Bad input


@pytest.mark.parametrize("level", [-1, 5, 10**9])
def test_there_is_no_such_level(level: int) -> None:
    with pytest.raises(UnknownLevel):
        credential(level)
    with pytest.raises(UnknownLevel):
        prove(credential(), level)
    with pytest.raises(UnknownLevel):
        checked(credential().anchor, bytes(32), level)


def test_level_zero_has_no_proof() -> None:
    with pytest.raises(UnknownLevel):
        prove(credential(), 0)
    with pytest.raises(UnknownLevel):
        checked(credential().anchor, credential().link, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"seed_key": b"s" * 31},
        {"holder": b"h" * 31},
        {"issued_at": 2000},
        {"issued_at": -1},
        {"expires_at": 2**63},
    ],
)
def test_nothing_is_issued_on_bad_terms(change: dict[str, bytes | int]) -> None:
    terms: dict[str, bytes | int] = {"seed_key": SEED_KEY, "issued_at": 1000, "expires_at": 2000}
    with pytest.raises(LevelProofInvalid):
        issue(4, WHOM, signing_key=KEY, **(terms | change))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [{"pseudonym": b"p" * 15}, {"epoch": -1}, {"epoch": 2**63}, {"department": "x" * 65}],
)
def test_a_chain_belongs_to_a_client(change: dict[str, object]) -> None:
    with pytest.raises(LevelProofInvalid):
        replace(WHOM, **change)  # type: ignore[arg-type]


@given(st.binary(max_size=300), st.binary(max_size=64))
def test_whatever_is_no_anchor_is_refused(anchor: bytes, proof: bytes) -> None:
    with pytest.raises(LevelProofInvalid):
        checked(anchor, proof, 1)


def test_a_megabyte_is_no_proof() -> None:
    with pytest.raises(LevelProofInvalid, match="32 bytes"):
        checked(credential().anchor, bytes(1_000_000), 1)


def test_secrets_stay_out_of_a_repr() -> None:
    said = repr(credential(3))
    assert "pppp" not in said
    assert repr(credential(3).link) not in said
    assert "FAMILY" not in said
