"""Threads of one law, one a processor."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["Answer", "Job", "map_threads"]


Job = TypeVar("Job")
Answer = TypeVar("Answer")


def map_threads(work: Callable[[Job], Answer], jobs: Sequence[Job]) -> list[Answer]:
    """Return the answers to the jobs in order; for work that lets go of Python's lock.

    >>> map_threads(abs, [-1, 2, -3])
    [1, 2, 3]
    """
    threads = min(_count_processors(), len(jobs))
    if threads < 2:
        return [work(job) for job in jobs]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, jobs))


def _count_processors() -> int:
    # A container or a batch system may allow fewer processors than the machine has.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
