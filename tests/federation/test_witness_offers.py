"""How a checkpoint is offered to a witness, and how its answer is taken."""

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from consent.checkpoints import Checkpoint, cosign, open_checkpoint, sign_checkpoint
from consent.log_errors import CheckpointInvalid, NotInLog
from consent.log_store import Log, TreeHead
from consent.merkle import EMPTY_ROOT
from federation.errors import ProtocolError
from federation.roster import DepartmentKeys, Roster
from federation.witness import (
    Offer,
    accepted,
    advance,
    log_key,
    offer_of,
    origin_of,
    pack_offer,
    read_offer,
    witness_keys,
)

LOG_PRIVATE = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
IDENTITIES = {
    name: Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
    for number, name in enumerate(("advisory", "risk"), start=2)
}


def department(name: str) -> DepartmentKeys:
    return DepartmentKeys(
        department=name,
        identity=IDENTITIES[name].public_key().public_bytes_raw(),
        sealing=X25519PrivateKey.generate().public_key().public_bytes_raw(),
        flower=f"ecdsa-sha2-nistp384 AAAA {name}",
        alignment_key_sealed=b"sealed for " + name.encode(),
    )


ROSTER = Roster(
    firm="誠信財務顧問 & Co+",
    departments=(department("advisory"), department("risk")),
    coordinator=Ed25519PrivateKey.generate().public_key().public_bytes_raw(),
    consent=LOG_PRIVATE.public_key().public_bytes_raw(),
)
ORIGIN, LOG, RISK = origin_of(ROSTER), log_key(ROSTER), witness_keys(ROSTER)["risk"]
NOTHING = Checkpoint(origin=ORIGIN, size=0, root=EMPTY_ROOT)
ENTRIES = [f"entry {number}".encode() for number in range(9)]


def memory_engine() -> sa.Engine:
    return sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)


def log_of(entries: list[bytes]) -> Log:
    log = Log(memory_engine())
    log.append(entries)
    return log


def sign(head: TreeHead) -> str:
    return sign_checkpoint(Checkpoint(origin=ORIGIN, size=head.size, root=head.root), LOG_PRIVATE)


def offer(entries: list[bytes], size: int, *, old: int) -> Offer:
    log = log_of(entries[:size])
    return offer_of(log, log.publish(sign), size, old=old)


def test_a_log_that_lost_entries_has_no_offer_to_make() -> None:
    log = log_of(ENTRIES[:5])
    with pytest.raises(NotInLog):
        offer_of(log, log.publish(sign), 5, old=9)


@given(st.integers(0, 2**62), st.lists(st.binary(min_size=32, max_size=32), max_size=63), st.text())
def test_an_offer_is_read_back(old: int, proof: list[bytes], note: str) -> None:
    good = Offer(old=old, proof=tuple(proof), note=note)
    assert read_offer(pack_offer(good)) == good


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"old 3",
        b"old 03\n\nnote",
        b"old -3\n\nnote",
        b"new 3\n\nnote",
        b"old 3\n!!!!\n\nnote",
        b"old 3\nAAAA\n\nnote",
        b"old 3\n" + b"A" * 43 + b"=\n" * 64 + b"\nnote",
        b"old 3\n" + (b"A" * 43 + b"=\n") * 64 + b"\nnote",
        b"old \xef\xbc\x93\n\nnote",
        b"\xff\xfe",
    ],
)
def test_a_malformed_offer_is_refused(data: bytes) -> None:
    with pytest.raises((ProtocolError, CheckpointInvalid)):
        advance(NOTHING, read_offer(data), log=LOG)


def test_another_departments_line_is_not_accepted() -> None:
    good = offer(ENTRIES, 9, old=0)
    tree = open_checkpoint(good.note, LOG).checkpoint
    line = cosign(tree, RISK.name, IDENTITIES["risk"], at=1000)
    assert accepted(good.note, line, log=LOG, witness=RISK).line == line
    with pytest.raises(CheckpointInvalid):
        accepted(good.note, line, log=LOG, witness=witness_keys(ROSTER)["advisory"])
    with pytest.raises(CheckpointInvalid):
        accepted(offer(ENTRIES, 8, old=0).note, line, log=LOG, witness=RISK)
    with pytest.raises(CheckpointInvalid):
        accepted(good.note, "", log=LOG, witness=RISK)


def test_the_firms_name_makes_a_usable_key_name() -> None:
    assert "infosandbox/" + ORIGIN.partition("/")[2] == ORIGIN
    assert ORIGIN.isascii()
    assert not set(ORIGIN) & set(" +\n")
    assert {key.name for key in witness_keys(ROSTER).values()} == {
        f"{ORIGIN}/advisory",
        f"{ORIGIN}/risk",
    }
