import json
from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from federation.errors import FederationError, NotInRoster, ProtocolError, WrongSignature
from federation.roster import DepartmentKeys, Roster
from federation.secure_aggregation.keys import (
    Announcement,
    SessionKey,
    announce,
    pair_secret,
    verified_publics,
    verify_announcement,
)

VECTORS = Path(__file__).parents[1] / "vectors"
DEPARTMENTS = ("advisory", "research", "risk")
IDENTITIES = {name: Ed25519PrivateKey.generate() for name in DEPARTMENTS}
LOW_ORDER = (
    *(value.to_bytes(32, "little") for value in (0, 1, 2**255 - 20, 2**255 - 19, 2**255 - 18)),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
)


def roster(firm: str = "firm") -> Roster:
    return Roster(
        firm=firm,
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


ROSTER = roster()


def session(department: str = "risk", number: int = 1) -> SessionKey:
    return SessionKey(
        department=department,
        session=number.to_bytes(16, "big"),
        private=X25519PrivateKey.generate(),
    )


def announced(department: str = "risk") -> Announcement:
    return announce(session(department), identity=IDENTITIES[department], roster=ROSTER)


def test_x25519_gives_the_published_secrets() -> None:
    vectors = json.loads((VECTORS / "rfc7748_x25519.json").read_text())
    for case in vectors["exchanges"]:
        private = X25519PrivateKey.from_private_bytes(bytes.fromhex(case["scalar"]))
        peer = X25519PublicKey.from_public_bytes(bytes.fromhex(case["u"]))
        assert private.exchange(peer).hex() == case["out"]
    case = vectors["diffie_hellman"]
    for mine, other in (("alice", "bob"), ("bob", "alice")):
        private = X25519PrivateKey.from_private_bytes(bytes.fromhex(case[f"{mine}_private"]))
        public = X25519PublicKey.from_public_bytes(bytes.fromhex(case[f"{other}_public"]))
        assert private.public_key().public_bytes_raw().hex() == case[f"{mine}_public"]
        assert private.exchange(public).hex() == case["shared"]


def test_ed25519_gives_the_published_signatures() -> None:
    for case in json.loads((VECTORS / "rfc8032_ed25519.json").read_text())["cases"]:
        key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(case["private"]))
        assert key.public_key().public_bytes_raw().hex() == case["public"]
        assert key.sign(bytes.fromhex(case["message"])).hex() == case["signature"]


def test_an_announcement_names_the_session_and_verifies() -> None:
    key = session()
    announcement = announce(key, identity=IDENTITIES["risk"], roster=ROSTER)
    verify_announcement(announcement, ROSTER)
    assert announcement.department == "risk"
    assert announcement.session == key.session
    assert announcement.public == key.public


def test_an_announcement_signs_what_its_description_says() -> None:
    announcement = announced()
    parts = (
        b"infosandbox/session-announcement/v1",
        b"risk",
        announcement.session,
        announcement.public,
        ROSTER.digest(),
    )
    signed = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    IDENTITIES["risk"].public_key().verify(announcement.signature, signed)


def test_an_announcement_survives_json() -> None:
    announcement = announced()
    assert Announcement.model_validate_json(announcement.model_dump_json()) == announcement


def verify_without_session(announcement: Announcement, known: Announcement) -> None:
    """A saboteur: trusts the signature field and compares only whose key it is."""
    if (announcement.department, announcement.public) != (known.department, known.public):
        raise WrongSignature("the announcement")


def flips_that_pass(verify: Callable[[Announcement], None], original: Announcement) -> int:
    passed = 0
    for name in ("session", "public", "signature"):
        value = getattr(original, name)
        for bit in range(8 * len(value)):
            flipped = bytearray(value)
            flipped[bit // 8] ^= 1 << bit % 8
            try:
                verify(original.model_copy(update={name: bytes(flipped)}))
            except FederationError:
                continue
            passed += 1
    return passed


def test_any_flipped_bit_of_an_announcement_is_refused() -> None:
    original = announced()
    assert flips_that_pass(lambda a: verify_announcement(a, ROSTER), original) == 0
    assert flips_that_pass(lambda a: verify_without_session(a, original), original) > 0


def test_a_man_in_the_middle_cannot_announce_his_own_key() -> None:
    genuine, own = announced(), session()
    substituted = genuine.model_copy(update={"public": own.public})
    with pytest.raises(WrongSignature) as refusal:
        verify_announcement(substituted, ROSTER)
    assert refusal.value.what == "the session announcement of risk"
    with pytest.raises(WrongSignature):  # nor can he, or another department, sign it himself
        announce(own, identity=IDENTITIES["research"], roster=ROSTER)
    with pytest.raises(WrongSignature):
        announce(own, identity=Ed25519PrivateKey.generate(), roster=ROSTER)


@pytest.mark.parametrize(("owner", "claimed"), list(permutations(DEPARTMENTS, 2)))
def test_an_announcement_is_for_its_own_department_only(owner: str, claimed: str) -> None:
    with pytest.raises(WrongSignature):
        verify_announcement(announced(owner).model_copy(update={"department": claimed}), ROSTER)


def test_an_announcement_holds_under_its_roster_only() -> None:
    with pytest.raises(WrongSignature):
        verify_announcement(announced(), roster(firm="another"))


def test_a_signature_over_the_unlabeled_parts_is_refused() -> None:
    key = session()
    bare = key.department.encode() + key.session + key.public + ROSTER.digest()
    announcement = Announcement(
        department="risk",
        session=key.session,
        public=key.public,
        signature=IDENTITIES["risk"].sign(bare),
    )
    with pytest.raises(WrongSignature):
        verify_announcement(announcement, ROSTER)


def test_a_stranger_cannot_announce() -> None:
    with pytest.raises(NotInRoster):
        announce(session("sales"), identity=Ed25519PrivateKey.generate(), roster=ROSTER)
    with pytest.raises(NotInRoster):
        verify_announcement(announced().model_copy(update={"department": "sales"}), ROSTER)


def test_a_session_id_has_sixteen_bytes() -> None:
    key = SessionKey(department="risk", session=b"short", private=X25519PrivateKey.generate())
    with pytest.raises(ProtocolError, match="16 random bytes"):
        announce(key, identity=IDENTITIES["risk"], roster=ROSTER)


@settings(deadline=None)
@given(number=st.integers(0, 2**128 - 1))
def test_both_sides_agree_on_one_secret(number: int) -> None:
    me, peer = session(number=number), session("research")
    secret = pair_secret(me.private, peer.public)
    assert secret == pair_secret(peer.private, me.public)
    assert len(secret) == 32
    assert secret != me.private.exchange(X25519PublicKey.from_public_bytes(peer.public))


def test_every_pair_and_every_session_has_its_own_secret() -> None:
    keys = [session(name) for name in DEPARTMENTS for _ in range(3)]
    secrets = {pair_secret(a.private, b.public) for a, b in permutations(keys, 2)}
    assert len(secrets) == 9 * 8 / 2


@pytest.mark.parametrize("public", LOW_ORDER)
def test_a_key_of_low_order_is_refused(public: bytes) -> None:
    with pytest.raises(ProtocolError, match="low order"):
        pair_secret(session().private, public)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_key_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(ProtocolError, match="malformed"):
        pair_secret(session().private, bytes(size))


def test_a_session_does_not_mask_with_its_own_key() -> None:
    key = session()
    with pytest.raises(ProtocolError, match="itself"):
        pair_secret(key.private, key.public)


def test_a_cohort_is_verified_and_sorted() -> None:
    announcements = [announced(name) for name in ("risk", "advisory", "research")]
    publics = verified_publics(announcements, ROSTER)
    assert list(publics) == ["advisory", "research", "risk"]
    assert publics["risk"] == announcements[0].public


def test_one_forged_announcement_spoils_the_cohort() -> None:
    forged = announced("advisory").model_copy(update={"public": session().public})
    with pytest.raises(WrongSignature):
        verified_publics([announced(), forged], ROSTER)


def test_a_cohort_repeats_neither_department_nor_key() -> None:
    once = announced()
    for twice in ([once, once], [once, announced()]):
        with pytest.raises(ProtocolError, match="repeat"):
            verified_publics(twice, ROSTER)
    mine = session()
    borrowed = SessionKey(department="research", session=bytes(16), private=mine.private)
    with pytest.raises(ProtocolError, match="repeat"):
        verified_publics(
            [
                announce(mine, identity=IDENTITIES["risk"], roster=ROSTER),
                announce(borrowed, identity=IDENTITIES["research"], roster=ROSTER),
            ],
            ROSTER,
        )


def test_a_session_key_does_not_show_its_private_half() -> None:
    key = session()
    assert "private" not in repr(key)
    assert key.private.private_bytes_raw().hex() not in repr(key)
