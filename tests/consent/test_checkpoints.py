import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from consent import checkpoints
from consent.checkpoints import (
    COSIGNATURE,
    ED25519,
    Checkpoint,
    NoteKey,
    cosign,
    open_checkpoint,
    public_key,
    read_key,
    sign_checkpoint,
)
from consent.log_errors import CheckpointInvalid

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/c2sp_signed_note.json").read_text())
ORIGIN = "infosandbox/示範"
LOG_KEY = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
RISK_KEY = Ed25519PrivateKey.from_private_bytes(b"\x02" * 32)
ADVISORY_KEY = Ed25519PrivateKey.from_private_bytes(b"\x03" * 32)
LOG = public_key(ORIGIN, LOG_KEY, ED25519)
RISK = public_key(f"{ORIGIN}/risk", RISK_KEY, COSIGNATURE)
ADVISORY = public_key(f"{ORIGIN}/advisory", ADVISORY_KEY, COSIGNATURE)
TREE = Checkpoint(origin=ORIGIN, size=23, root=b"r" * 32)
NOTE = sign_checkpoint(TREE, LOG_KEY)
RISKS_LINE = cosign(TREE, RISK.name, RISK_KEY, at=1_700_000_000)
COSIGNED = NOTE + RISKS_LINE + "\n"


# Published vectors


def test_the_go_packages_note_is_signed_byte_for_byte() -> None:
    case = VECTORS["note"]
    seed = base64.b64decode(case["private"].split("+", 4)[4])[1:]
    key = Ed25519PrivateKey.from_private_bytes(seed)
    assert public_key(case["name"], key, ED25519) == read_key(case["public"])
    line = checkpoints._line(read_key(case["public"]), key.sign(case["text"].encode()))
    assert line == case["signature"]


def test_a_public_logs_checkpoint_opens_with_its_witnesses() -> None:
    case = VECTORS["checkpoint"]
    witnesses = [read_key(text) for text in case["witnesses"]]
    opened = open_checkpoint(case["note"], read_key(case["log"]), witnesses)
    assert opened.checkpoint.origin == "arche2025h1.staging.ct.transparency.dev"
    assert opened.checkpoint.size == 1432088532
    assert [each.witness for each in opened.cosignatures] == [each.name for each in witnesses]
    assert {each.at for each in opened.cosignatures} == {1779573024}


def test_a_public_logs_checkpoint_of_another_size_is_refused() -> None:
    case = VECTORS["checkpoint"]
    with pytest.raises(CheckpointInvalid, match="is false"):
        open_checkpoint(case["note"].replace("1432088532", "1432088533"), read_key(case["log"]))


def test_the_cosignature_of_the_specification_has_its_time() -> None:
    case = VECTORS["cosignature"]
    _, signatures = checkpoints._split(case["note"])
    assert len(signatures[1].value) == 8 + 64
    assert int.from_bytes(signatures[1].value[:8], "big") == case["time"]


# Our own notes


def test_a_signed_checkpoint_opens_under_the_logs_key() -> None:
    opened = open_checkpoint(NOTE, LOG)
    assert opened.checkpoint == TREE
    assert opened.cosignatures == ()


def test_a_note_is_its_text_an_empty_line_and_signatures() -> None:
    root = base64.b64encode(TREE.root).decode()
    assert NOTE.startswith(f"{ORIGIN}\n23\n{root}\n\n— {ORIGIN} ")
    assert NOTE.count("\n") == 5


def test_known_witnesses_are_heard_and_others_ignored() -> None:
    note = COSIGNED + cosign(TREE, ADVISORY.name, ADVISORY_KEY, at=3) + "\n"
    opened = open_checkpoint(note, LOG, [RISK])
    assert [(each.witness, each.at) for each in opened.cosignatures] == [(RISK.name, 1_700_000_000)]
    assert opened.cosignatures[0].line == RISKS_LINE
    assert len(open_checkpoint(note, LOG, [RISK, ADVISORY]).cosignatures) == 2


def test_a_witness_is_counted_once() -> None:
    note = COSIGNED + cosign(TREE, RISK.name, RISK_KEY, at=1_700_000_009) + "\n"
    opened = open_checkpoint(note, LOG, [RISK])
    assert [each.at for each in opened.cosignatures] == [1_700_000_009]


def test_a_cosignature_of_another_tree_refuses_the_note() -> None:
    other = Checkpoint(origin=ORIGIN, size=24, root=TREE.root)
    note = NOTE + cosign(other, RISK.name, RISK_KEY, at=1) + "\n"
    with pytest.raises(CheckpointInvalid, match="risk is false"):
        open_checkpoint(note, LOG, [RISK])
    assert open_checkpoint(note, LOG).checkpoint == TREE


def test_a_log_does_not_pass_for_a_witness_nor_a_witness_for_the_log() -> None:
    as_witness = public_key(RISK.name, RISK_KEY, ED25519)
    plain = checkpoints._line(as_witness, RISK_KEY.sign(TREE.text.encode()))
    assert open_checkpoint(f"{NOTE}{plain}\n", LOG, [RISK]).cosignatures == ()
    alone = f"{TREE.text}\n{cosign(TREE, ORIGIN, LOG_KEY, at=1)}\n"
    with pytest.raises(CheckpointInvalid, match="has not signed"):
        open_checkpoint(alone, LOG)


def test_another_logs_checkpoint_is_refused() -> None:
    other = Checkpoint(origin="infosandbox/other", size=23, root=TREE.root)
    with pytest.raises(CheckpointInvalid, match="another log"):
        open_checkpoint(sign_checkpoint(other, LOG_KEY), LOG)


def test_the_same_origin_under_another_key_is_refused() -> None:
    with pytest.raises(CheckpointInvalid, match="has not signed"):
        open_checkpoint(sign_checkpoint(TREE, RISK_KEY), LOG)


def test_no_flipped_bit_opens() -> None:
    """A bit in the witness's name or key id makes its line a stranger's; others refuse the note."""
    signed = len(NOTE.encode()) * 8
    for bit in range(len(COSIGNED.encode()) * 8):
        flipped = bytearray(COSIGNED.encode())
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            opened = open_checkpoint(flipped.decode(errors="surrogateescape"), LOG, [RISK])
        except CheckpointInvalid:
            continue
        assert bit >= signed
        assert opened.checkpoint == TREE
        assert opened.cosignatures == ()


@given(st.text() | st.binary().map(lambda data: data.decode(errors="surrogateescape")))
def test_whatever_is_no_note_is_refused(note: str) -> None:
    with pytest.raises(CheckpointInvalid):
        open_checkpoint(note, LOG)


ROOT = base64.b64encode(TREE.root).decode()
TEXTS = {
    "a leading zero": f"{ORIGIN}\n023\n{ROOT}\n",
    "a sign": f"{ORIGIN}\n+23\n{ROOT}\n",
    "no ASCII digits": f"{ORIGIN}\n２３\n{ROOT}\n",
    "a tree that is too large": f"{ORIGIN}\n{2**62 + 1}\n{ROOT}\n",
    "a short root": f"{ORIGIN}\n23\n{base64.b64encode(b'r' * 31).decode()}\n",
    "a root with stray bits": f"{ORIGIN}\n23\n{ROOT[:-2]}K=\n",
    "an extension line": f"{ORIGIN}\n23\n{ROOT}\nmore\n",
    "an empty line": f"{ORIGIN}\n23\n\n{ROOT}\n",
    "a missing line": f"{ORIGIN}\n23\n",
    "a carriage return": f"{ORIGIN}\r\n23\n{ROOT}\n",
    "an unprintable origin": f"{ORIGIN}\u2028\n23\n{ROOT}\n",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_even_a_signed_text_must_be_a_checkpoint(text: str) -> None:
    line = checkpoints._line(LOG, LOG_KEY.sign(text.encode()))
    with pytest.raises(CheckpointInvalid):
        open_checkpoint(f"{text}\n{line}\n", LOG)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "no dash",
        "— name",
        "— name ",
        "— name !!!!",
        "—  AAAA",
        "— name AAAA AAAA",
        "x" * 100_000,
    ],
)
def test_a_malformed_signature_line_refuses_the_note(line: str) -> None:
    with pytest.raises(CheckpointInvalid):
        open_checkpoint(f"{NOTE}{line}\n", LOG)


@pytest.mark.parametrize("at", [-1, 2**63])
def test_a_cosignature_has_a_time(at: int) -> None:
    with pytest.raises(CheckpointInvalid):
        cosign(TREE, RISK.name, RISK_KEY, at=at)


# Keys


@given(st.sampled_from([LOG, RISK, ADVISORY]))
def test_a_key_is_read_back_from_its_text(key: NoteKey) -> None:
    assert read_key(key.text) == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PeterNeumann",
        "PeterNeumann+c74f20a3",
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10T",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+!!!!",
    ],
)
def test_a_malformed_key_is_refused(text: str) -> None:
    with pytest.raises(CheckpointInvalid):
        read_key(text)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u3000b", "a\nb", "\ud800"])
def test_a_key_has_a_usable_name(name: str) -> None:
    with pytest.raises(CheckpointInvalid):
        public_key(name, LOG_KEY, ED25519)
