"""Lines of figures that draw one of several runs.

The lines of the other runs are there too, invisible: so the traces of a figure keep their places
when another run is chosen.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from reweightviz.core.runlog import RunLog
from reweightviz.figures.axes import Axis
from reweightviz.figures.lines import LineSpec, is_empty
from reweightviz.figures.runs import Colors, color_domains, name_runs

__all__ = ["RunDomain", "explain_empty_run", "iterate_domains", "style_line"]


class RunDomain(NamedTuple):
    """One domain of one run: number of the run, its name and log, place of the domain, its name."""

    r: int
    run: str
    log: RunLog
    k: int
    domain: str
    color: str

    def specify(self, role: str, axis: Axis, unit: str) -> LineSpec:
        """Return the line of that role."""
        return LineSpec(self.r, self.run, self.domain, role, axis, unit, self.color)


def iterate_domains(logs: Sequence[RunLog], colors: Colors) -> Iterator[RunDomain]:
    """Yield every domain of every run."""
    paint = color_domains(logs, colors)
    for r, (run, log) in enumerate(zip(name_runs(logs), logs, strict=True)):
        for name, color in paint.items():
            if name in log.domains:
                yield RunDomain(r, run, log, log.domains.index(name), name, color)


def style_line(trace: go.Scatter, *, width: float, dash: str = "solid") -> go.Scatter:
    """Give a line another width and dash: without several runs no dash is theirs."""
    return trace.update(line={"width": width, "dash": dash})


def explain_empty_run(
    traces: Sequence[go.Scatter], log: RunLog, why: str, hidden: Collection[str]
) -> str:
    """Return why the figure of one run has nothing to see: no step, or the reason that is given."""
    if not is_empty(traces, hidden):
        return ""
    if not len(log):
        return f"No step is recorded yet in {log.name!r}."
    return f"{log.name}: {why}."
