"""Step 4, watch: logs of training runs, other mixers on them, and findings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from reweightviz.core.protocols import check_options, needs
from reweightviz.core.runlog import RunLog
from reweightviz.diagnostics.diagnose import diagnose
from reweightviz.diagnostics.replay import replay
from reweightviz.diagnostics.sensitivity import sensitivity

if TYPE_CHECKING:
    from reweightviz.readers.tail import Tail

__all__ = [  # noqa: RUF022  in the order of the journey
    "demo_log",
    "read_log",
    "replay",
    "diagnose",
    "sensitivity",
]


def demo_log(name: str = "doremi") -> RunLog:
    """Read a real training run on the demo corpus.

    Args:
        name: "natural", "uniform", "doremi", or "signals", with every signal that one model gives.
    """
    from reweightviz.readers.demo import runs

    return runs.read_log(name)


def read_log(
    path: str | os.PathLike[str], *, follow: bool = False, **options: Any
) -> RunLog | Tail:
    """Read the log of a training run, in any format of ``rv.methods("reader")``.

    Args:
        path: a file, or the folder of a run; its format is found by its content.
        follow: return a :class:`reweightviz.readers.tail.Tail` instead, whose ``poll()``
            reads what is new and whose ``log`` is the run so far; the file need not be there yet.
        **options: ``pattern``, which tag is which domain, as in "train/{domain}/loss"; ``name``,
            which of several runs; ``format``. See :func:`reweightviz.readers.read_log.read_log`.
    """
    from reweightviz.readers import read_log as logs

    check_options(read_log, options, needs(logs.read_log))
    if follow:
        return logs.follow_log(path, **options)
    return logs.read_log(path, **options)
