"""Checkpoints: the log's signed tree heads and its witnesses' cosignatures, as C2SP notes. Pure.

Formats: C2SP signed-note v1.0.0, tlog-checkpoint v1.0.0 and tlog-cosignature v1.0.0 with Ed25519
keys, so that other tools can verify them. A note is a text, an empty line and signature lines. Its
text is the log's origin, the tree's size and its root, a line each. The log signs the text; a
witness signs the text under a line with the time, and so says: at that time this was the largest
tree of this log I had seen, and it continued every earlier one.

Narrower than the formats: one log key; no extension lines, which nobody could audit.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from consent.log_errors import CheckpointInvalid
from consent.merkle import HASH_BYTES, LARGEST_TREE

ED25519 = 0x01
COSIGNATURE = 0x04
MAXIMUM_NOTE = 100_000
"""Most characters of a note; a cosignature takes about 200."""
_KEY_ID_BYTES, _TIME_BYTES, _SIGNATURE_BYTES, _PUBLIC_BYTES = 4, 8, 64, 32
_NAME = re.compile(r"[^\s+]+")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_DASH = "\N{EM DASH} "


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteKey:
    """A pinned public key of a log (``kind`` ED25519) or a witness (COSIGNATURE).

    name: without white space and "+", such as "infosandbox/firm/risk". public: raw, 32 bytes.
    """

    name: str
    kind: int
    public: bytes

    def __post_init__(self) -> None:
        """Refuse what is no key of a note with CheckpointInvalid."""
        if not self.name.isprintable() or not _NAME.fullmatch(self.name):
            raise CheckpointInvalid("a key's name is empty or has white space or a plus sign")
        if self.kind not in (ED25519, COSIGNATURE) or len(self.public) != _PUBLIC_BYTES:
            raise CheckpointInvalid("a key is no Ed25519 key of a log or a witness")

    @property
    def id(self) -> bytes:
        """The 4 bytes that name the key in a signature line."""
        hashed = sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public)
        return hashed.digest()[:_KEY_ID_BYTES]

    @property
    def text(self) -> str:
        """The key as people copy it: a C2SP verifier key."""
        encoded = base64.b64encode(bytes([self.kind]) + self.public).decode()
        return f"{self.name}+{self.id.hex()}+{encoded}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a checkpoint says: which log, how many entries, which root (32 bytes). Public."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The note's text, which is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosignature:
    """A witness saw this as the log's largest tree at ``at``, in seconds since the Unix epoch."""

    witness: str
    at: int
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A checkpoint under the log's valid signature, and the known witnesses' cosignatures."""

    checkpoint: Checkpoint
    cosignatures: tuple[Cosignature, ...]


def public_key(name: str, key: Ed25519PublicKey | Ed25519PrivateKey, kind: int) -> NoteKey:
    """Return the note key of an Ed25519 key; CheckpointInvalid for an unusable name."""
    public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    return NoteKey(name=name, kind=kind, public=public.public_bytes(Encoding.Raw, PublicFormat.Raw))


def read_key(text: str) -> NoteKey:
    """Read a verifier key as ``NoteKey.text`` writes it; CheckpointInvalid if it is none."""
    parts = text.split("+", 2)
    if len(parts) != 3:  # noqa: PLR2004 - name, id, key
        raise CheckpointInvalid("a verifier key is name+id+key")
    material = _decoded(parts[2])
    key = NoteKey(name=parts[0], kind=material[0] if material else 0, public=material[1:])
    if key.text != text:
        raise CheckpointInvalid("a verifier key's id does not match its name and key")
    return key


def sign_checkpoint(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> str:
    """Return the note with the log's signature; the key is named after the origin.

    A log must never sign two trees that do not continue each other: see `Log.publish`.
    """
    name = public_key(checkpoint.origin, key, ED25519)
    signature = key.sign(checkpoint.text.encode())
    return f"{checkpoint.text}\n{_line(name, signature)}\n"


def cosign(checkpoint: Checkpoint, name: str, key: Ed25519PrivateKey, *, at: int) -> str:
    """Return a witness's signature line (without newline) for a checkpoint it has checked.

    Args:
        checkpoint: consistent with every earlier one, see `federation.witness`.
        name: the witness's.
        key: the witness's, used for no other cosigner (sensitive).
        at: seconds since the Unix epoch.
    """
    signature = key.sign(_cosigned(checkpoint, at))
    return _line(public_key(name, key, COSIGNATURE), at.to_bytes(_TIME_BYTES, "big") + signature)


def open_checkpoint(note: str, log: NoteKey, witnesses: Sequence[NoteKey] = ()) -> Opened:
    """Check a note against pinned keys and return what it says.

    Lines of unknown keys are ignored, as the format demands. One false signature under a known key
    refuses the whole note.

    Args:
        note: as it arrived; not trusted.
        log: the log's pinned key.
        witnesses: the pinned keys of the witnesses one knows.

    Raises:
        CheckpointInvalid: it is no checkpoint of this log, or a signature is false.
    """
    text, signatures = _split(note)
    checkpoint = _checkpoint(text)
    if checkpoint.origin != log.name:
        raise CheckpointInvalid("it is another log's")
    by_log = [each for each in signatures if each.by(log)]
    if not by_log:
        raise CheckpointInvalid("the log has not signed it")
    for each in by_log:
        _verify(log, each.value, text.encode())
    found: dict[str, Cosignature] = {}
    for witness in witnesses:
        for each in filter(lambda each: each.by(witness), signatures):
            at = int.from_bytes(each.value[:_TIME_BYTES], "big")
            _verify(witness, each.value[_TIME_BYTES:], _cosigned(checkpoint, at))
            found[witness.name] = Cosignature(witness=witness.name, at=at, line=each.line)
    return Opened(checkpoint=checkpoint, cosignatures=tuple(found.values()))


class _Signature(NamedTuple):
    line: str
    name: str
    key_id: bytes
    value: bytes

    def by(self, key: NoteKey) -> bool:
        """Say whether the line names this key."""
        return (self.name, self.key_id) == (key.name, key.id)


def _cosigned(checkpoint: Checkpoint, at: int) -> bytes:
    if not 0 <= at < 2**63:
        raise CheckpointInvalid("a cosignature's time is out of range")
    return f"cosignature/v1\ntime {at}\n{checkpoint.text}".encode()


def _line(key: NoteKey, signature: bytes) -> str:
    return f"{_DASH}{key.name} {base64.b64encode(key.id + signature).decode()}"


def _split(note: str) -> tuple[str, list[_Signature]]:
    """Cut a note at its last empty line into the text and the signatures."""
    if len(note) > MAXIMUM_NOTE or _CONTROL.search(note) or not note.endswith("\n"):
        raise CheckpointInvalid("it is too long, has control characters or no end")
    text, cut, lines = note.removesuffix("\n").rpartition("\n\n")
    if not cut:
        raise CheckpointInvalid("it is no signed note")
    return text + "\n", [_signature(line) for line in lines.split("\n")]


def _signature(line: str) -> _Signature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not name or not space:
        raise CheckpointInvalid("it is no signed note")
    blob = _decoded(encoded)
    return _Signature(line, name, blob[:_KEY_ID_BYTES], blob[_KEY_ID_BYTES:])


def _checkpoint(text: str) -> Checkpoint:
    lines = text.removesuffix("\n").split("\n")
    if len(lines) != 3 or not _NUMBER.fullmatch(lines[1]):  # noqa: PLR2004 - origin, size, root
        raise CheckpointInvalid("its text is not an origin, a size and a root")
    if not lines[0].isprintable():
        raise CheckpointInvalid("its origin has unprintable characters")
    found = Checkpoint(origin=lines[0], size=int(lines[1]), root=_decoded(lines[2]))
    if len(found.root) != HASH_BYTES or found.size > LARGEST_TREE:
        raise CheckpointInvalid("its size or root is out of range")
    return found


def _verify(key: NoteKey, signature: bytes, message: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, message)
    except InvalidSignature:
        raise CheckpointInvalid(f"the signature of {key.name} is false") from None


def _decoded(encoded: str) -> bytes:
    """Decode base64 that has one spelling: padded, without stray bits."""
    try:
        data = base64.b64decode(encoded.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if not data or base64.b64encode(data).decode() != encoded:
        raise CheckpointInvalid("it holds what is no base64")
    return data
