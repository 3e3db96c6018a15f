"""Calling several listeners, each whatever the others raise."""

from __future__ import annotations

from collections.abc import Callable, Iterable

__all__ = ["call_all"]


def call_all(calls: Iterable[Callable[[], object]]) -> None:
    """Call each, then raise the first error.

    What one listener raises, a person's own callback say, must not keep the others from following.

    Example:
        >>> call_all([lambda: 1 / 0, lambda: print("still called")])
        Traceback (most recent call last):
        ZeroDivisionError: division by zero
    """
    problems = []
    for call in calls:
        try:
            call()
        except Exception as problem:  # noqa: BLE001  a listener may be anybody's code
            problems.append(problem)
    if problems:
        raise problems[0]
