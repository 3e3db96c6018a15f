"""DataFlex's ``*_weights.jsonl``: a line an update of the mixture, by DoReMi, ODM or dynamic MoE.

https://github.com/OpenDCAI/DataFlex, ``dataflex/train/mixer``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from reweightviz.core.records import Records
from reweightviz.readers.logs._times import seconds_of
from reweightviz.readers.logs.json_rows import JsonRows

__all__ = ["DataFlex"]


class DataFlex(JsonRows):
    """DataFlex's weights, and for DoReMi the excess losses that moved them."""

    name = "dataflex"
    title = "DataFlex *_weights.jsonl"
    files: ClassVar[tuple[str, ...]] = ("*_weights.jsonl",)

    @classmethod
    def fits(cls, row: Mapping[str, Any]) -> bool:
        """Return whether it is one of its lines."""
        has_weights = "domain_weights" in row or "new_weights" in row
        return has_weights and {"step", "domain_names"} <= row.keys()

    def feed(self, records: Records, rows: list[Mapping[str, Any]]) -> None:
        """Feed one row an update, with rewards and the mixer's exploration as scalars."""
        if "perdomain_scores" in rows[0]:
            records.extend_meta(
                notes=[
                    "DoReMi's weights here count in the loss; DataFlex draws its domains uniformly."
                ]
            )
        for row in rows:
            step = self.read_step(records, row["step"])
            if step is None:
                continue
            domains = list(map(str, row["domain_names"]))
            weights = row.get("new_weights")
            if not weights:
                weights = dict(zip(domains, row["domain_weights"], strict=True))
            signals = {}
            if row.get("perdomain_scores") is not None:
                scores = row["perdomain_scores"]
                signals["excess_loss"] = dict(zip(domains, scores, strict=True))
            records.add(
                step,
                weights=weights,
                signals=signals,
                scalars=_scalars(row, domains),
                time=seconds_of(row.get("timestamp")),
            )


def _scalars(row: Mapping[str, Any], domains: list[str]) -> dict[str, float]:
    rewards = zip(domains, row.get("estimated_rewards", ()), strict=False)
    scalars = {f"reward/{domain}": reward for domain, reward in rewards}
    for name in ("delta", "alpha"):
        if isinstance(row.get(name), Mapping):
            scalars |= {f"{name}/{domain}": value for domain, value in row[name].items()}
    if "exploration_rate" in row:
        scalars["exploration_rate"] = row["exploration_rate"]
    return scalars
