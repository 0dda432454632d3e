import json
import struct
from pathlib import Path

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from federation.derivation import framed
from federation.errors import NotInRoster, ProtocolError, WrongSignature
from federation.roster import DepartmentKeys, Roster, open_roster, sign_roster

VECTORS = Path(__file__).parents[1] / "vectors"
ROOT = Ed25519PrivateKey.generate()


def ed25519() -> bytes:
    return Ed25519PrivateKey.generate().public_key().public_bytes_raw()


def department(name: str) -> DepartmentKeys:
    return DepartmentKeys(
        department=name,
        identity=ed25519(),
        sealing=X25519PrivateKey.generate().public_key().public_bytes_raw(),
        flower=f"ecdsa-sha2-nistp384 AAAA {name}",
        alignment_key_sealed=b"sealed for " + name.encode(),
    )


ROSTER = Roster(
    firm="誠信財務顧問",
    departments=tuple(department(name) for name in ("advisory", "research", "risk")),
    coordinator=ed25519(),
    consent=ed25519(),
)
SIGNED = sign_roster(ROSTER, ROOT)


def changed(**changes: object) -> Roster:
    return Roster.model_validate(dict(ROSTER) | changes)


def test_canonical_json_gives_the_published_documents() -> None:
    vectors = json.loads((VECTORS / "rfc8785_json.json").read_text())
    sample, sorting = vectors["documents"]
    assert rfc8785.dumps(json.loads(sample["input"])).hex() == sample["canonical_utf8"]
    in_order = json.loads(rfc8785.dumps(json.loads(sorting["input"])))
    assert list(in_order.values()) == sorting["order"]


def test_canonical_json_gives_the_published_numbers() -> None:
    for case in json.loads((VECTORS / "rfc8785_json.json").read_text())["numbers"]:
        (number,) = struct.unpack(">d", bytes.fromhex(case["ieee754"]))
        assert rfc8785.dumps(number).decode() == case["canonical"]


def test_a_signed_roster_opens_as_it_was() -> None:
    assert open_roster(SIGNED, ROOT.public_key()) == ROSTER


def test_a_signed_roster_is_canonical_json_that_an_auditor_can_read() -> None:
    document = json.loads(SIGNED)
    assert set(document) == {"roster", "signature"}
    assert document["roster"]["firm"] == "誠信財務顧問"
    assert document["roster"]["departments"][2]["identity"] == ROSTER.keys_of("risk").identity.hex()
    assert rfc8785.dumps(document) == SIGNED


@settings(deadline=None)
@given(position=st.integers(0, 8 * len(SIGNED) - 1))
def test_any_flipped_bit_is_refused(position: int) -> None:
    data = bytearray(SIGNED)
    data[position // 8] ^= 1 << position % 8
    with pytest.raises(WrongSignature):
        open_roster(bytes(data), ROOT.public_key())


@settings(deadline=None)
@given(position=st.integers(0, len(SIGNED)), inserted=st.binary(min_size=1, max_size=3))
def test_any_inserted_byte_is_refused(position: int, inserted: bytes) -> None:
    with pytest.raises(WrongSignature):
        open_roster(SIGNED[:position] + inserted + SIGNED[position:], ROOT.public_key())


@settings(deadline=None)
@given(kept=st.integers(0, len(SIGNED) - 1))
def test_any_truncation_is_refused(kept: int) -> None:
    with pytest.raises(WrongSignature):
        open_roster(SIGNED[:kept], ROOT.public_key())


def test_the_same_content_in_other_bytes_is_refused() -> None:
    document = json.loads(SIGNED)
    spaced = json.dumps(document).encode()
    shouted = rfc8785.dumps(document | {"signature": document["signature"].upper()})
    repeated = SIGNED.replace(b'{"roster":', b'{"roster":{},"roster":', 1)
    for data in (spaced, shouted, repeated):
        with pytest.raises(WrongSignature):
            open_roster(data, ROOT.public_key())


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"null", b'{"roster":1,"signature":2}'])
def test_what_is_no_roster_is_refused(data: bytes) -> None:
    with pytest.raises(WrongSignature):
        open_roster(data, ROOT.public_key())


def test_another_firms_root_is_refused() -> None:
    with pytest.raises(WrongSignature):
        open_roster(SIGNED, Ed25519PrivateKey.generate().public_key())


def test_the_signature_of_something_else_is_refused() -> None:
    payload = rfc8785.dumps(json.loads(SIGNED)["roster"])
    bare = ROOT.sign(payload)  # the saboteur: the same key and bytes, without the label
    other = ROOT.sign(framed(b"infosandbox/other/v1", payload))
    for signature in (bare, other):
        document = json.loads(SIGNED) | {"signature": signature.hex()}
        with pytest.raises(WrongSignature):
            open_roster(rfc8785.dumps(document), ROOT.public_key())


def test_a_signed_roster_of_another_version_says_so() -> None:
    payload = json.loads(SIGNED)["roster"] | {"quorum": 2}
    signature = ROOT.sign(framed(b"infosandbox/roster/v1", rfc8785.dumps(payload)))
    data = rfc8785.dumps({"roster": payload, "signature": signature.hex()})
    with pytest.raises(ProtocolError, match="another version"):
        open_roster(data, ROOT.public_key())


def test_every_change_changes_the_digest() -> None:
    first = ROSTER.departments[0]
    variants = [
        changed(firm="other"),
        changed(coordinator=ed25519()),
        changed(consent=ed25519()),
        changed(departments=ROSTER.departments[1:]),
        *(
            changed(departments=(first.model_copy(update=change), *ROSTER.departments[1:]))
            for change in (
                {"identity": ed25519()},
                {"sealing": ed25519()},
                {"flower": "ecdsa-sha2-nistp384 BBBB"},
                {"alignment_key_sealed": b"another"},
            )
        ),
    ]
    assert len({roster.digest() for roster in [ROSTER, *variants]}) == len(variants) + 1
    assert open_roster(SIGNED, ROOT.public_key()).digest() == ROSTER.digest()


def test_a_department_outside_the_roster_has_no_keys() -> None:
    assert ROSTER.keys_of("risk") == ROSTER.departments[2]
    with pytest.raises(NotInRoster) as refusal:
        ROSTER.keys_of("sales")
    assert refusal.value.department == "sales"


def test_a_roster_needs_two_departments_sorted_and_named_once() -> None:
    advisory, research, risk = ROSTER.departments
    for departments in ((), (risk,), (risk, advisory), (risk, risk), (advisory, risk, research)):
        with pytest.raises(ValidationError):
            changed(departments=departments)


def test_no_two_members_may_share_a_key() -> None:
    advisory, research, _ = ROSTER.departments
    for name in ("identity", "sealing", "flower"):
        twin = research.model_copy(update={name: getattr(advisory, name)})
        with pytest.raises(ValidationError, match="share a key"):
            changed(departments=(advisory, twin))
    for role in ("coordinator", "consent"):
        with pytest.raises(ValidationError, match="share a key"):
            changed(**{role: advisory.identity})


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValidationError):
        changed(coordinator=bytes(31))
