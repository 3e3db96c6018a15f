"""Work of one law on all processors."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Job = TypeVar("Job")
Answer = TypeVar("Answer")


def at_once(work: Callable[[Job], Answer], jobs: Sequence[Job]) -> list[Answer]:
    """``work`` over the jobs, one a processor, in order; for work that lets go of Python's lock.

    >>> at_once(abs, [-1, 2, -3])
    [1, 2, 3]
    """
    threads = min(_processors(), len(jobs))
    if threads < 2:
        return [work(job) for job in jobs]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, jobs))


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
