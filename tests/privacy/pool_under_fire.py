"""A program that forks workers on one noise pool, kills them, and says what came out, as JSON.

crash: one worker after another on one folder, each killed with SIGKILL just before its file
operation number 1, 2, 3, …, until one lives. race: four workers at once. fork: a worker that forks
with blocks opened. put-back: as crash, but the folder is set back before every worker.

It forks, so it imports neither torch nor OpenDP and starts no thread.
"""

import json
import os
import secrets
import shutil
import signal
import sys
from pathlib import Path

import numpy as np

from privacy.lattice import IntVector
from privacy.noise_pool import NoisePool

SIGMA, SIZE, TURNS = 8, 5000, 3
FILE_EVENTS = {"open", "os.remove", "os.rename", "os.truncate", "os.mkdir", "fcntl.flock"}


def different(_sigma: int, size: int) -> IntVector:
    """Return integers that no other call returns, in any process, but by a chance of 2^-40."""
    start = secrets.randbelow(2**61)
    return np.arange(start, start + size, dtype=np.int64)


class Fire:
    """A folder, and what every worker on it has drawn."""

    def __init__(self, home: Path) -> None:
        """Make room for the pool and the workers' notes."""
        self.folder = home / "noise"
        self.notes = home / "notes"
        self.notes.mkdir()
        self.killed = 0

    def pool(self) -> NoisePool:
        """Open the pool as a new process does."""
        return NoisePool(self.folder, bytes(range(32)), online=different)

    def worker(self, *, dies_before: int = 0, forks: bool = False) -> int:
        """Fork one; it asks and stocks as a node does, and notes what it drew. Return its id."""
        note = os.open(self.notes / secrets.token_hex(8), os.O_WRONLY | os.O_CREAT)
        if (worker := os.fork()) != 0:
            os.close(note)
            return worker
        if dies_before:
            _killed_before(dies_before)
        pool = self.pool()
        for turn in range(TURNS):
            os.write(note, pool.draw(SIGMA, SIZE).tobytes())
            while pool.refill():
                pass
            if forks and turn == 1:
                os.write(note, pool.draw(SIGMA, 1).tobytes())
                twin = os.fork()
                note = os.open(self.notes / f"{twin}", os.O_WRONLY | os.O_CREAT)
        if forks and twin:
            os.waitpid(twin, 0)
        os._exit(0)

    def lives(self, worker: int) -> bool:
        """Wait for a worker; say whether it came to its end."""
        _, status = os.waitpid(worker, 0)
        if not os.WIFSIGNALED(status):
            assert os.WEXITSTATUS(status) == 0
            return True
        assert os.WTERMSIG(status) == signal.SIGKILL
        self.killed += 1
        return False

    def report(self) -> dict[str, int]:
        """Empty the pool; count the draws there were, and those that came out again."""
        rest = self.pool()
        notes = [np.frombuffer(note.read_bytes(), np.int64) for note in self.notes.iterdir()]
        drawn = np.concatenate([*notes, rest.draw(SIGMA, rest.fill().left.get(SIGMA, 0))])
        return {
            "killed": self.killed,
            "drawn": drawn.size,
            "twice": drawn.size - np.unique(drawn).size,
            "failures": rest.fill().failures,
        }


def _killed_before(number: int) -> None:
    """Die before the file operation of this number, with no chance to clean up."""
    seen = 0

    def count(event: str, _arguments: tuple[object, ...]) -> None:
        nonlocal seen
        seen += event in FILE_EVENTS
        if event in FILE_EVENTS and seen == number:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


def main(mode: str, home: Path) -> None:
    """Do what the mode says and print the report."""
    fire = Fire(home)
    fire.lives(fire.worker())
    if mode == "race":
        for worker in [fire.worker() for _ in range(4)]:
            fire.lives(worker)
    elif mode == "fork":
        fire.lives(fire.worker(forks=True))
    else:
        shutil.copytree(fire.folder, home / "kept")
        number = 1
        while not fire.lives(fire.worker(dies_before=number)):
            number += 1
            if mode == "put-back":
                shutil.rmtree(fire.folder)
                shutil.copytree(home / "kept", fire.folder)
    print(json.dumps(fire.report()))  # noqa: T201 - what the test reads


main(sys.argv[1], Path(sys.argv[2]))
