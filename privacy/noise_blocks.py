"""Blocks of noise on disk: encrypted, and opened once. What is drawn when is `noise_pool`'s.

Noise that was drawn ahead is a secret like a key: whoever reads it, or sees it added to two sums,
reads what is under it. A folder holds

    index               16 random bytes that name the pool, 16 that prove its key,
                        then 16 for every claim: sigma and a block's number, both uint64
    SIGMA-NUMBER.noise  one block: time of writing, nonce, 4096 draws under ChaCha20-Poly1305

**Once.** A claim writes (sigma, number) to the index and waits for the disk *before* a block is
read: from then on every block of this sigma up to this number is used, whatever happens. Numbers
only grow. A crash loses noise and brings none back. Claims of several processes wait for each other
(flock), and a lost index makes every block unreadable, for its name is part of the key.

**Copies.** A folder that comes back from a backup would hold noise that was used since. Its files
are new to the file system: a block whose inode changed a minute after it was written is refused.
What cannot be told apart is a whole disk that is set back under the node (a virtual machine's
snapshot): delete the folder then, before the node starts.
"""

import errno
import fcntl
import os
import re
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_bytes

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from privacy.errors import NoisePoolRefused
from privacy.lattice import IntVector

BLOCK = 4096
"""Draws in one block."""

KEY_BYTES = 32
SETTLED_NS = 60 * 10**9
"""How long after its time of writing a block's inode may still change, in nanoseconds."""

_INFO = b"infosandbox/noise-pool/v1"
_NAME_BYTES = 16
_HEADER_BYTES = 32
_CLAIM = struct.Struct(">QQ")
_PLACE = struct.Struct(">QQQ")
_PREFIX = struct.Struct(">Q12s")
_FILE_BYTES = _PREFIX.size + 8 * BLOCK + 16
_FILE = re.compile(r"(\d{1,18})-(\d{1,18})\.noise")
_LARGEST_NUMBER = 10**18 - 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Claimed:
    """What a claim brought: the draws of all blocks that opened, and how many blocks did not."""

    noise: IntVector = field(repr=False)
    refused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Index:
    """The index while this process alone holds it."""

    file: int
    cipher: ChaCha20Poly1305 = field(repr=False)
    used: dict[int, int]

    def mark(self, sigma: int, number: int) -> None:
        """Put on disk that every block of sigma up to a number is used."""
        _append(self.file, _CLAIM.pack(sigma, number))
        self.used[sigma] = number


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseBlocks:
    """One department's blocks. Several processes may share the folder.

    Attributes:
        folder: made with mode 0700 when the first block is stored.
        key: 32 bytes from which the pool's own key is derived; secret.
        clock: nanoseconds since the Unix epoch, the clock of the file system.
    """

    folder: Path
    key: bytes = field(repr=False)
    clock: Callable[[], int]

    def check(self) -> None:
        """Refuse a pool that this key did not make, before anything is asked of it.

        Raises:
            NoisePoolRefused: the index was made with another key, or was altered.
        """
        if self._place("index").exists():
            with self._locked():
                pass

    def stored(self) -> Counter[int]:
        """Return the number of blocks on disk by sigma, as the file names say."""
        return Counter(sigma for sigma, _ in self._files())

    def store(self, sigma: int, noise: IntVector) -> None:
        """Encrypt one block of fresh draws and put it on disk.

        Args:
            sigma: standard deviation of the draws, in lattice points. Public.
            noise: int64[BLOCK], drawn for this and nothing else. SENSITIVE.

        Raises:
            NoisePoolRefused: as check; or the index or a file's name was altered.
            OSError: the disk is full, or the folder cannot be written.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked() as index:
            number = 1 + max([*index.used.values(), *(n for _, n in self._files())], default=0)
            if number > _LARGEST_NUMBER:  # its name would not be found, and refilling never end
                raise NoisePoolRefused("holds a number that no node has drawn")
            written, nonce = self.clock(), token_bytes(12)
            place = _PLACE.pack(sigma, number, written)
            sealed = index.cipher.encrypt(nonce, noise.astype("<i8").tobytes(), place)
            part = self._place("part")
            _write_durably(part, _PREFIX.pack(written, nonce) + sealed)
            part.rename(self._block(sigma, number))

    def claim(self, sigma: int, count: int) -> Claimed:
        """Take up to `count` of the oldest blocks of one sigma off the disk, marked as used first.

        A block that was altered, cut, moved to another name, copied or made with another key is
        refused: it is used up, and no draw of it comes out.

        Raises:
            NoisePoolRefused: as check.
            OSError: the mark could not be written; nothing was opened.
        """
        taken: list[IntVector | None] = []
        if self.stored()[sigma]:
            with self._locked() as index:
                numbers = sorted(n for s, n in self._files() if s == sigma)
                fresh = [n for n in numbers if n > index.used.get(sigma, 0)][:count]
                if fresh:
                    index.mark(sigma, fresh[-1])
                taken = [self._opened(index, sigma, n) for n in fresh]
                for stale in set(numbers).difference(fresh):
                    if stale <= index.used.get(sigma, 0):
                        self._block(sigma, stale).unlink()
        opened = [noise for noise in taken if noise is not None]
        noise = np.concatenate([np.zeros(0, np.int64), *opened])
        return Claimed(noise=noise, refused=len(taken) - len(opened))

    def _opened(self, index: _Index, sigma: int, number: int) -> IntVector | None:
        path = self._block(sigma, number)
        with path.open("rb") as file:
            data, changed = file.read(_FILE_BYTES + 1), os.fstat(file.fileno()).st_ctime_ns
        path.unlink()
        if len(data) != _FILE_BYTES:
            return None
        written, nonce = _PREFIX.unpack_from(data)
        if changed > written + SETTLED_NS:
            return None
        try:
            place = _PLACE.pack(sigma, number, written)
            plain = index.cipher.decrypt(nonce, data[_PREFIX.size :], place)
        except InvalidTag:
            return None
        return np.frombuffer(plain, dtype="<i8").astype(np.int64)

    def _files(self) -> list[tuple[int, int]]:
        paths = self.folder.iterdir() if self.folder.is_dir() else ()
        found = (_FILE.fullmatch(path.name) for path in paths)
        return [(int(match[1]), int(match[2])) for match in found if match]

    def _place(self, name: str) -> Path:
        return self.folder / name

    def _block(self, sigma: int, number: int) -> Path:
        return self._place(f"{sigma}-{number}.noise")

    @contextmanager
    def _locked(self) -> Iterator[_Index]:
        """Hold the index alone; make it if it is not there; cut a claim that a crash tore off."""
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        file = os.open(self._place("index"), flags, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            data = _all_of(file)
            if len(data) < _HEADER_BYTES:
                data = self._new_header(file)
            name, proof = data[:_NAME_BYTES], data[_NAME_BYTES:_HEADER_BYTES]
            key, expected = self._derived(name)
            if proof != expected:
                raise NoisePoolRefused("was made with another key, or its index was altered")
            whole = len(data) - (len(data) - _HEADER_BYTES) % _CLAIM.size
            if whole < len(data):
                os.ftruncate(file, whole)
            used: dict[int, int] = {}
            for sigma, number in _CLAIM.iter_unpack(data[_HEADER_BYTES:whole]):
                used[sigma] = max(number, used.get(sigma, 0))
            yield _Index(file=file, cipher=ChaCha20Poly1305(key), used=used)
        finally:
            os.close(file)

    def _new_header(self, file: int) -> bytes:
        name = token_bytes(_NAME_BYTES)
        header = name + self._derived(name)[1]
        os.ftruncate(file, 0)
        _append(file, header)
        return header

    def _derived(self, name: bytes) -> tuple[bytes, bytes]:
        """Return the pool's key, and 16 bytes that show it without giving it away."""
        hkdf = HKDF(hashes.SHA256(), length=KEY_BYTES + 16, salt=name, info=_INFO)
        both = hkdf.derive(self.key)
        return both[:KEY_BYTES], both[KEY_BYTES:]


def _all_of(file: int) -> bytes:
    return os.pread(file, os.fstat(file).st_size, 0)


def _append(file: int, data: bytes) -> None:
    if os.write(file, data) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(file)


def _write_durably(path: Path, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
