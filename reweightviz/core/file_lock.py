"""The lock of an open file, which the system takes from a process that ends."""

from __future__ import annotations

import sys
import time

if sys.platform != "win32":
    import fcntl

__all__ = ["release_lock", "take_lock"]


_POLL = 0.005  # seconds between two tries


def take_lock(file: int, patience: float, *, of_process: bool = False) -> bool:
    """Take a lock, or return False where another keeps it all the time.

    Args:
        file: descriptor of the open file.
        patience: seconds for another to give it up; at 0 there is one try.
        of_process: the lock keeps out other processes alone, forks too, and is given up as soon as
            this one closes the file by any descriptor; else it is the descriptor's.

    Raises:
        OSError: nothing can be locked here, as on Windows and on some file systems.
    """
    if sys.platform == "win32":
        raise OSError("an open file has no such lock on Windows")
    until = time.monotonic() + patience
    while True:
        try:
            if of_process:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            else:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            if time.monotonic() >= until:
                return False
            time.sleep(_POLL)
        else:
            return True


def release_lock(file: int) -> None:
    """Give up the lock of a descriptor."""
    if sys.platform != "win32":
        fcntl.flock(file, fcntl.LOCK_UN)
