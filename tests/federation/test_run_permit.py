"""The permit to run: only the coordinator's own signature, in its time, opens a leg."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from federation.errors import PermitExpired, PermitInvalid
from federation.run_permit import CLOCK_SKEW_S, RunPermit, sign_permit, verify_permit

NOW = 1_700_000_000
KEY = Ed25519PrivateKey.generate()
PERMIT = RunPermit(
    plan="ab" * 32,
    leg="sum",
    attempt=0,
    round=0,
    cohort=["advisory", "risk"],
    reservation="r1",
    epoch=7,
    issued_at=NOW,
    expires_at=NOW + 30,
    nonce="0" * 32,
)
TOKEN = sign_permit(PERMIT, KEY)


def test_a_signed_permit_says_what_was_signed() -> None:
    assert verify_permit(TOKEN, KEY.public_key(), now=NOW) == PERMIT


def test_another_key_opens_nothing() -> None:
    with pytest.raises(PermitInvalid):
        verify_permit(TOKEN, Ed25519PrivateKey.generate().public_key(), now=NOW)


@given(st.integers(0, len(TOKEN) - 1), st.characters(codec="ascii"))
def test_any_changed_character_is_refused(place: int, character: str) -> None:
    changed = TOKEN[:place] + character + TOKEN[place + 1 :]
    if changed == TOKEN:
        return
    try:
        assert verify_permit(changed, KEY.public_key(), now=NOW) == PERMIT
        # Base64 has spare bits in its last character: another spelling of the same bytes.
        assert place in (TOKEN.index("."), TOKEN.rindex(".") - 1, len(TOKEN) - 1)
    except PermitInvalid:
        pass


def test_an_expired_permit_asks_for_a_new_one() -> None:
    with pytest.raises(PermitExpired, match="new one"):
        verify_permit(TOKEN, KEY.public_key(), now=NOW + 30)


def test_a_permit_from_the_future_names_the_clocks() -> None:
    with pytest.raises(PermitInvalid, match="clocks"):
        verify_permit(TOKEN, KEY.public_key(), now=NOW - CLOCK_SKEW_S - 1)


@pytest.mark.parametrize("token", ["", "a.b.c", "x" * 10_000, "eyJhbGciOiJub25lIn0.e30."])
def test_what_is_no_jws_is_refused(token: str) -> None:
    with pytest.raises(PermitInvalid):
        verify_permit(token, KEY.public_key(), now=NOW)
