"""Aim's local repository, the folder ``.aim``: the metrics of its runs.

Gor Arakelyan et al., "Aim", 2020, https://github.com/aimhubio/aim; aim 3.29.1 wrote and read the
repository of the tests. The words of a metric's context are parts of its tag: ``loss`` in
``{"subset": "train", "domain": "web"}`` is ``train/loss/web``. What Aim tracks of the machine is
left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from reweightviz.core.errors import MissingPackage, WrongContent
from reweightviz.core.records import Records
from reweightviz.core.types import Array
from reweightviz.readers.logs._log_reader import LogReader
from reweightviz.readers.logs._naming import Pattern

__all__ = ["Aim", "AimRun"]


FOLDER = ".aim"
OF_THE_MACHINE = "__"
"""How the names begin that Aim gives by itself."""


class AimRun(NamedTuple):
    """The place of a run: the folder of the repository, and the run's hash."""

    folder: Path
    name: str


class Aim(LogReader):
    """One run of a repository."""

    name = "aim"
    title = "Aim's local repository"
    needs = "aim"
    files: ClassVar[tuple[str, ...]] = (FOLDER,)

    def __init__(self, where: AimRun, pattern: Pattern | None = None) -> None:
        super().__init__(where, pattern)
        try:
            import aim
        except ImportError as error:
            raise MissingPackage(package="aim", extra="aim", who="an Aim repository") from error
        self._aim = aim
        self._last: dict[str, int] = {}

    @classmethod
    def runs(cls, path: Path) -> dict[str, AimRun]:
        """Return the runs of the repository at or in a folder, by their hashes."""
        folder = path if path.name == FOLDER else path / FOLDER
        chunks = folder / "meta" / "chunks"
        if not chunks.is_dir():
            return {}
        hashes = sorted(chunk.name for chunk in chunks.iterdir() if chunk.is_dir())
        return {name: AimRun(folder, name) for name in hashes}

    def poll(self, records: Records) -> bool:
        """Feed the steps that each metric has beyond those that were fed."""
        folder, name = self.where
        if not folder.is_dir():
            return False
        # Not from_path, which keeps a repository as it was when it was first opened.
        repository = self._aim.Repo(str(folder.parent))
        run = self._aim.Run(name, repo=repository, read_only=True)
        is_indexed = False
        for tag, steps, values, times in _metrics_of(run):
            is_indexed = True
            new = steps > self._last.get(tag, -1)
            for step, value, time in zip(steps[new], values[new], times[new], strict=True):
                self.series.add_point(tag, int(step), float(value), float(time))
                self._last[tag] = int(step)
        if not is_indexed and self.is_over:
            raise WrongContent(
                path=folder,
                reason=f"holds no metric of {name} that Aim has indexed; 'aim storage reindex', or "
                "'aim up', indexes what was tracked",
            )
        return self.series.flush(records)


def _metrics_of(run: Any) -> Iterator[tuple[str, Array, Array, Array]]:
    """Yield tag, steps (n,), values (n,) and Unix seconds (n,) of each metric."""
    for name, context, _ in run.iter_metrics_info():
        metric = None
        if not name.startswith(OF_THE_MACHINE):
            metric = run.get_metric(name, context)
        if metric is not None:
            steps, (values, _, times) = metric.data.numpy()
            yield _tag_of(name, context.to_dict()), np.asarray(steps), values, times


def _tag_of(name: str, context: Mapping[str, Any]) -> str:
    """Return the name with the context's words: the subset before it, others behind.

    >>> _tag_of("loss", {"subset": "train", "domain": "web"}), _tag_of("lr", {})
    ('train/loss/web', 'lr')
    """
    before = [str(context[key]) for key in ("subset",) if key in context]
    behind = [str(value) for key, value in context.items() if key != "subset"]
    return "/".join([*before, name, *behind])
