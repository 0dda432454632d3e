"""Run a command that the kernel kills when its parent dies: ``leash.py PARENT-PID COMMAND…``.

A script by path, not a module: it starts in milliseconds, imports nothing of ours, and needs no
code between fork and exec in a parent with threads. Off Linux it only runs the command.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    """Tie this process to its parent, keep its files to its user, then become the command."""
    os.umask(0o077)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the line above
            sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
