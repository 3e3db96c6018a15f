"""fms-acceleration's ``odm_rank_*.jsonl``: a line a sample or an update of the mixture.

https://github.com/foundation-model-stack/fms-acceleration, ``fms_acceleration_odm/odm/dataset.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from reweightviz.core.records import Records
from reweightviz.readers.logs.json_rows import JsonRows

__all__ = ["FmsOdm"]


class FmsOdm(JsonRows):
    """fms-acceleration's sampling ratios."""

    name = "fms_odm"
    title = "fms-acceleration odm_rank_*.jsonl"
    files: ClassVar[tuple[str, ...]] = ("odm_rank_*.jsonl",)

    @classmethod
    def fits(cls, row: Mapping[str, Any]) -> bool:
        """Return whether it is one of its lines."""
        return {"current_sampling_ratio", "samples_produced_so_far"} <= row.keys()

    def feed(self, records: Records, rows: list[Mapping[str, Any]]) -> None:
        """Feed the first row and every update; the steps are the samples drawn so far."""
        given = self.series.naming.extras.get("domains")
        categories = [f"category {arm}" for arm in range(len(rows[0]["current_sampling_ratio"]))]
        domains = list(given or categories)
        if not len(records):
            records.extend_meta(
                notes=[
                    "Steps are samples drawn, weights are shares of samples: this log has no "
                    "others.",
                    "It names no categories; pattern={'domains': [...]} gives them (fms "
                    "sorts them by name).",
                ]
            )
        for row in rows:
            # Most lines are single samples; only updates change the ratios.
            if row["action"] != "update" and len(records):
                continue
            step = self.read_step(records, row["samples_produced_so_far"])
            if step is None:
                continue
            counts = zip(domains, row["category_level_counts_so_far"], strict=True)
            scalars = {f"samples/{domain}": count for domain, count in counts}
            rewards = zip(domains, row["rewards"], strict=True)
            scalars |= {f"reward/{domain}": reward for domain, reward in rewards}
            records.add(
                step,
                weights=dict(zip(domains, row["current_sampling_ratio"], strict=True)),
                scalars=scalars,
            )
