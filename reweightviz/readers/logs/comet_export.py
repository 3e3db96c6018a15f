"""Comet's offline experiment, a zip, or ``APIExperiment.get_metrics()`` saved as JSON.

Comet ML, "Comet: Build better models faster", 2017, https://www.comet.com; comet_ml 3.58.8 wrote
the archives of the tests, of ``get_metrics`` only the documentation was read. A metric that was
logged in a context has its name behind the context's, as Comet shows it: ``train_loss``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from reweightviz.readers.logs._log_reader import head_of
from reweightviz.readers.logs._point_export import (
    PointExport,
    json_lines,
    member_of,
    members_of,
    point_of,
)
from reweightviz.readers.logs._series import Point

__all__ = ["Comet"]


MESSAGES = "messages.json"


class Comet(PointExport):
    """One experiment."""

    name = "comet"
    title = "Comet's offline experiment or exported metrics"
    files: ClassVar[tuple[str, ...]] = ("*.zip", "*.json")

    @classmethod
    def is_one(cls, file: Path) -> bool:
        """Return whether it is an experiment's archive, or a list of its metrics."""
        if file.suffix == ".zip":
            return {MESSAGES, "experiment.json"} <= members_of(file)
        head = head_of(file).lstrip()
        return head.startswith(b"[") and b'"metricName":' in head and b'"metricValue":' in head

    def points(self, file: Path) -> Iterator[Point | None]:
        """Yield the messages that hold a metric, or the rows of the list."""
        if file.suffix != ".zip":
            rows = json.loads(file.read_bytes())
            # The service returns the newest first, or in no order.
            ordered = sorted(
                rows, key=lambda row: (row.get("timestamp") or 0, row.get("step") or 0)
            )
            for row in ordered:
                yield _point(row, row.get("timestamp"))
            return
        for message in json_lines(member_of(file, MESSAGES)):
            payload = message.get("payload", {})
            if message.get("type") == "metric_msg":
                yield _point(
                    payload["metric"], payload.get("local_timestamp"), payload.get("context")
                )


def _point(metric: Mapping[str, Any], time: Any, context: str | None = None) -> Point | None:
    name = metric.get("metricName")
    if context:
        name = f"{context}_{name}"
    return point_of(name, metric.get("step"), metric.get("metricValue"), time)
