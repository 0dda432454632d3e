"""The file a log is downloaded as: lines of JSON. Reading it believes nothing. Pure.

A header, the checkpoints, the leaf hashes, the entries: {"format": ...}, {"checkpoint": note},
{"leaves": hexadecimal}, {"entry": ..., "index": n}. Entries stand in it as the bytes they are.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from consent.merkle import HASH_BYTES, leaf_hash

FORMAT = "infosandbox/log/v1"
_HEADER = b'{"format": "%s"}' % FORMAT.encode()
_LEAVES_A_LINE = 256
_ENTRY, _INDEX = b'{"entry": ', b', "index": '


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """What the lines say. Nothing in it has been checked.

    notes: the checkpoints. leaves: all leaf hashes. entries: stated index and bytes of each, in the
    order of the file. malformed: numbers, from 1, of the lines that are none of these.
    """

    notes: tuple[str, ...]
    leaves: tuple[bytes, ...]
    entries: tuple[tuple[int, bytes], ...]
    malformed: tuple[int, ...]


def export_log(notes: Iterable[str], entries: Sequence[bytes]) -> Iterator[bytes]:
    """Yield a download line by line.

    Args:
        notes: the published checkpoints, smallest tree first, as `Log.checkpoints` returns them.
        entries: all entries up to the newest of them.
    """
    yield _HEADER + b"\n"
    for note in notes:
        yield json.dumps({"checkpoint": note}, ensure_ascii=False).encode() + b"\n"
    for start in range(0, len(entries), _LEAVES_A_LINE):
        leaves = b"".join(map(leaf_hash, entries[start : start + _LEAVES_A_LINE]))
        yield b'{"leaves": "%s"}\n' % leaves.hex().encode()
    for index, entry in enumerate(entries):
        yield b"%s%s%s%d}\n" % (_ENTRY, entry, _INDEX, index)


def read_export(data: bytes) -> Download:
    """Read a download, whatever it is."""
    notes: list[str] = []
    leaves: list[bytes] = []
    entries: list[tuple[int, bytes]] = []
    lines = data.split(b"\n")
    malformed = [] if lines[0] == _HEADER else [1]
    for number, line in enumerate(lines[1:], start=2):
        if line.startswith(_ENTRY) and (entry := _entry(line)) is not None:
            entries.append(entry)
        elif isinstance(note := _value(line, "checkpoint"), str):
            notes.append(note)
        elif (hashes := _hashes(_value(line, "leaves"))) is not None:
            leaves += hashes
        elif line or number < len(lines):
            malformed.append(number)
    return Download(
        notes=tuple(notes),
        leaves=tuple(leaves),
        entries=tuple(entries),
        malformed=tuple(malformed),
    )


def _entry(line: bytes) -> tuple[int, bytes] | None:
    body, _, index = line.removeprefix(_ENTRY).removesuffix(b"}").rpartition(_INDEX)
    is_number = index.isdigit() and len(index) < 20  # noqa: PLR2004 - digits of a 64-bit integer
    return (int(index), body) if body and is_number and line.endswith(b"}") else None


def _value(line: bytes, key: str) -> object:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found.get(key) if isinstance(found, dict) and len(found) == 1 else None


def _hashes(joined: object) -> list[bytes] | None:
    try:
        found = bytes.fromhex(joined) if isinstance(joined, str) else b""
    except ValueError:
        return None
    if not found or len(found) % HASH_BYTES or found.hex() != joined:
        return None
    return [found[i : i + HASH_BYTES] for i in range(0, len(found), HASH_BYTES)]
