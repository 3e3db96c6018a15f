"""What two frameworks that change the mixture while they train write of it: DataFlex and fms-acceleration's online data mixing.

DataFlex, https://github.com/OpenDCAI/DataFlex: ``doremi_weights.jsonl``, ``odm_weights.jsonl``,
``dynamic_moe_weights.jsonl``, a line an update (``dataflex/train/mixer``). fms-acceleration,
https://github.com/foundation-model-stack/fms-acceleration: ``odm_rank_0.jsonl``, a line a sample
and a line an update (``fms_acceleration_odm/odm/dataset.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from reweightviz.core.records import Records
from reweightviz.readers.logs.json_rows import JsonRows, seconds


class DataFlex(JsonRows):
    """DataFlex's weights, and for DoReMi the excess losses that moved them."""

    name = "dataflex"
    title = "DataFlex *_weights.jsonl"
    files: ClassVar[tuple[str, ...]] = ("*_weights.jsonl",)

    @classmethod
    def fits(cls, row: Mapping[str, Any]) -> bool:
        """Whether it is one of its lines."""
        return {"step", "domain_names"} <= row.keys() and not row.keys().isdisjoint(
            {"domain_weights", "new_weights"}
        )

    def feed(self, records: Records, rows: list[Mapping[str, Any]]) -> None:
        """One row an update. Rewards, and how far the mixer explores, are scalars."""
        if "perdomain_scores" in rows[0]:
            records.extend_meta(
                notes=[
                    "DoReMi's weights here count in the loss; DataFlex draws its domains uniformly."
                ]
            )
        for row in rows:
            names = list(map(str, row["domain_names"]))
            weights = row.get("new_weights") or dict(zip(names, row["domain_weights"], strict=True))
            excess = row.get("perdomain_scores")
            more = {
                f"reward/{name}": value
                for name, value in zip(names, row.get("estimated_rewards", ()), strict=False)
            }
            more |= {
                f"{what}/{name}": value
                for what in ("delta", "alpha")
                if isinstance(row.get(what), Mapping)
                for name, value in row[what].items()
            }
            if "exploration_rate" in row:
                more["exploration_rate"] = row["exploration_rate"]
            records.add(
                int(row["step"]),
                weights=weights,
                scalars=more,
                time=seconds(row.get("timestamp")),
                signals={}
                if excess is None
                else {"excess_loss": dict(zip(names, excess, strict=True))},
            )


class FmsOdm(JsonRows):
    """fms-acceleration's sampling ratios."""

    name = "fms_odm"
    title = "fms-acceleration odm_rank_*.jsonl"
    files: ClassVar[tuple[str, ...]] = ("odm_rank_*.jsonl",)

    @classmethod
    def fits(cls, row: Mapping[str, Any]) -> bool:
        """Whether it is one of its lines."""
        return {"current_sampling_ratio", "samples_produced_so_far"} <= row.keys()

    def feed(self, records: Records, rows: list[Mapping[str, Any]]) -> None:
        """The first row and every update; the step is the samples drawn so far, as the file knows no other."""
        arms = range(len(rows[0]["current_sampling_ratio"]))
        names = list(self.series.naming.extras.get("domains", ())) or [
            f"category {arm}" for arm in arms
        ]
        if not len(records):
            records.extend_meta(
                notes=[
                    "Steps are samples drawn, weights are shares of samples: this log "
                    "has no others.",
                    "It names no categories; pattern={'domains': [...]} gives them (fms "
                    "sorts them by name).",
                ]
            )
        for row in rows:
            if row["action"] == "update" or not len(records):
                drawn = {
                    f"samples/{name}": count
                    for name, count in zip(names, row["category_level_counts_so_far"], strict=True)
                }
                rewards = {
                    f"reward/{name}": value
                    for name, value in zip(names, row["rewards"], strict=True)
                }
                records.add(
                    int(row["samples_produced_so_far"]),
                    weights=dict(zip(names, row["current_sampling_ratio"], strict=True)),
                    scalars=drawn | rewards,
                )
