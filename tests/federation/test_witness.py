"""A witness cosigns only growth: no fork, no rollback, no proof that does not fit, at any time."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.checkpoints import Checkpoint, open_checkpoint, sign_checkpoint
from consent.errors import ConsentError
from consent.log_errors import (
    CheckpointInvalid,
    LogForked,
    LogRolledBack,
    ProofInvalid,
    ProofMisplaced,
)
from consent.log_store import Log, TreeHead
from consent.merkle import EMPTY_ROOT
from federation.roster import DepartmentKeys, Roster
from federation.witness import (
    Offer,
    Witnessed,
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
ENTRIES = [f"entry {number}".encode() for number in range(40)]
REWRITTEN = [*ENTRIES[:3], b"another entry 3", *ENTRIES[4:]]


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


def tree(entries: list[bytes], size: int) -> Checkpoint:
    return Checkpoint(origin=ORIGIN, size=size, root=log_of(entries[:size]).head().root)


class Risk:
    """The risk department's witness, on a database in a file or in memory."""

    def __init__(self, url: str = "sqlite://") -> None:
        engine = memory_engine() if url == "sqlite://" else sa.create_engine(url)
        self.memory = Witnessed(engine, LOG)

    def cosign(self, offered: Offer) -> str:
        return self.memory.cosign(offered, name=RISK.name, key=IDENTITIES["risk"], now=1000)


# Growth


def test_a_log_that_grows_is_cosigned_at_every_step() -> None:
    risk, log = Risk(), Log(memory_engine())
    old = 0
    for size in (1, 2, 9, 40):
        log.append(ENTRIES[old:size])
        note = log.publish(sign)
        line = risk.cosign(read_offer(pack_offer(offer_of(log, note, size, old=old))))
        cosignature = accepted(note, line, log=LOG, witness=RISK)
        assert (cosignature.witness, cosignature.at) == (f"{ORIGIN}/risk", 1000)
        log.keep_cosignature(size, cosignature.witness, cosignature.line)
        assert risk.memory.last() == tree(ENTRIES, size)
        old = size
    opened = open_checkpoint(log.checkpoints()[-1], LOG, list(witness_keys(ROSTER).values()))
    assert [each.witness for each in opened.cosignatures] == [f"{ORIGIN}/risk"]


def test_a_witness_that_fell_behind_catches_up_at_once() -> None:
    risk = Risk()
    risk.cosign(offer(ENTRIES, 3, old=0))
    risk.cosign(offer(ENTRIES, 40, old=3))
    assert risk.memory.last().size == 40


def test_the_same_checkpoint_may_be_cosigned_again() -> None:
    risk = Risk()
    assert risk.cosign(offer(ENTRIES, 3, old=0)) == risk.cosign(offer(ENTRIES, 3, old=3))


def test_an_empty_log_may_be_cosigned() -> None:
    assert Risk().cosign(offer([], 0, old=0)).startswith(f"— {ORIGIN}/risk ")


@settings(max_examples=30)
@given(st.data())
def test_only_what_continues_the_last_tree_passes(data: st.DataObject) -> None:
    last = data.draw(st.integers(0, 12))
    size, old = data.draw(st.integers(0, 12)), data.draw(st.integers(0, 12))
    entries = data.draw(st.sampled_from([ENTRIES, REWRITTEN]))
    kept = tree(ENTRIES, last)
    try:
        new = advance(kept, offer(entries, size, old=min(old, size)), log=LOG)
    except ConsentError:
        agrees = entries is ENTRIES or last <= 3
        assert size < last or (old != last and size > last) or not agrees
    else:
        assert new.size >= last
        assert entries[:last] == ENTRIES[:last]


# Refusals


def test_a_fork_of_the_same_size_is_refused_and_kept() -> None:
    risk = Risk()
    good, bad = offer(ENTRIES, 9, old=0), offer(REWRITTEN, 9, old=9)
    risk.cosign(good)
    with pytest.raises(LogForked):
        risk.cosign(bad)
    assert risk.memory.last() == tree(ENTRIES, 9)
    assert risk.memory.evidence() == (good.note, bad.note)


def test_a_rewritten_log_that_has_grown_is_refused_and_kept() -> None:
    risk = Risk()
    risk.cosign(offer(ENTRIES, 9, old=0))
    bad = offer(REWRITTEN, 20, old=9)
    with pytest.raises(ProofInvalid):
        risk.cosign(bad)
    assert risk.memory.last() == tree(ENTRIES, 9)
    assert risk.memory.evidence()[1] == bad.note


def test_a_rollback_is_refused() -> None:
    risk = Risk()
    risk.cosign(offer(ENTRIES, 9, old=0))
    with pytest.raises(LogRolledBack) as caught:
        risk.cosign(offer(ENTRIES, 8, old=3))
    assert (caught.value.size, caught.value.offered) == (9, 8)
    assert risk.memory.last().size == 9
    assert risk.memory.evidence()[1] == ""


def test_a_proof_from_elsewhere_is_answered_with_the_place() -> None:
    risk = Risk()
    risk.cosign(offer(ENTRIES, 9, old=0))
    with pytest.raises(ProofMisplaced) as caught:
        risk.cosign(offer(ENTRIES, 20, old=3))
    assert caught.value.size == 9
    risk.cosign(offer(ENTRIES, 20, old=caught.value.size))


WRONG: dict[str, Callable[[Offer], Offer]] = {
    "without a proof": lambda good: replace(good, proof=()),
    "with one hash more": lambda good: replace(good, proof=(*good.proof, b"\x00" * 32)),
    "with another hash": lambda good: replace(good, proof=(b"\x00" * 32, *good.proof[1:])),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_an_offer_is_refused(wrong: Callable[[Offer], Offer]) -> None:
    risk = Risk()
    risk.cosign(offer(ENTRIES, 9, old=0))
    with pytest.raises(ProofInvalid):
        risk.cosign(wrong(offer(ENTRIES, 20, old=9)))
    assert risk.memory.last().size == 9


def test_a_checkpoint_of_another_signer_is_refused() -> None:
    risk, good = Risk(), offer(ENTRIES, 9, old=0)
    forged = sign_checkpoint(tree(ENTRIES, 9), IDENTITIES["advisory"])
    with pytest.raises(CheckpointInvalid):
        risk.cosign(replace(good, note=forged))
    assert risk.memory.last() == NOTHING
    assert risk.memory.evidence() == ("", "")


def test_a_witness_that_forgets_would_cosign_a_fork() -> None:
    """The saboteur: without the memory the same offer passes."""
    assert advance(NOTHING, offer(REWRITTEN, 9, old=0), log=LOG).size == 9
    with pytest.raises(LogForked):
        advance(tree(ENTRIES, 9), offer(REWRITTEN, 9, old=0), log=LOG)


# Memory


def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'node.db'}"
    Risk(url).cosign(offer(ENTRIES, 9, old=0))
    with pytest.raises(LogForked):
        Risk(url).cosign(offer(REWRITTEN, 9, old=9))
    assert Risk(url).memory.last() == tree(ENTRIES, 9)


COSIGNER = """
import sys
sys.path.insert(0, sys.argv[1])
import test_witness as t
from consent.errors import ConsentError
risk = t.Risk(sys.argv[2])
for size in range(1, 30):
    try:
        risk.cosign(t.offer(t.ENTRIES, size, old=risk.memory.last().size))
    except ConsentError:
        pass
    print(risk.memory.last().size, flush=True)
"""


def test_two_processes_never_take_the_memory_back(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'node.db'}"
    Risk(url)
    command = [sys.executable, "-c", COSIGNER, str(Path(__file__).parent), url]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in both:
        seen = [int(line) for line in process.communicate()[0].split()]
        assert process.returncode == 0
        assert len(seen) == 29
        assert seen == sorted(seen)
    assert Risk(url).memory.last() == tree(ENTRIES, 29)
