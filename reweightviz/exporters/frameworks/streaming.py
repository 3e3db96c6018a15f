"""MosaicML Streaming: a YAML of ``streams``, each with its ``proportion``.

A sample is what was written into the MDS folder. Packed to one length, a proportion is a share of
tokens; for samples of one document each take ``unit="examples"``, and ``unit="copies"`` writes
``repeat``, passes at a budget, instead. In Python: ``StreamingDataset(streams=[Stream(**one) for
one in config.pop("streams").values()], **config)``. Checked with mosaicml-streaming 0.13.0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from reweightviz.core.errors import RefusedByFramework, UnknownName, WrongContent
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks import _streams as shared
from reweightviz.exporters.frameworks._foreign import as_mapping
from reweightviz.exporters.plan import Config, Plan, to_number
from reweightviz.exporters.text import yaml_edit
from reweightviz.exporters.units import COPIES

__all__ = ["Streaming"]


class Streaming(Exporter):
    """MosaicML Streaming: a YAML of `streams` with proportions, of samples packed to one length."""

    name = "streaming"
    aliases = ("mosaicml-streaming", "mosaic")
    title = "MosaicML Streaming"
    units = shared.UNITS
    name_pattern = shared.NAME_PATTERN
    merges = True
    prepared_data = shared.PREPARED
    traps = (shared.REPEATS,)

    def render(
        self,
        plan: Plan,
        old: Document | None,
        *,
        cache_dir: str = "cache",
        split: str | None = None,
        epoch_size: int | None = None,
        batching_method: str | None = None,
    ) -> dict[str, str]:
        """Return the YAML: ``streams``, and what else a ``StreamingDataset`` takes.

        Args:
            plan: what to write.
            old: a YAML with ``streams`` to merge into.
            cache_dir: where streams with a remote path, or with none, lie on the machine that
                trains, each in a folder of its name.
            split: the sub-folder of every stream that is new in the file.
            epoch_size: samples of an epoch; Streaming's own choice is as many as there are.
            batching_method: "random", "stratified", or "per_stream" and "device_per_stream" for
                batches of one stream each.
        """
        if batching_method is not None and batching_method not in shared.BATCHING:
            raise UnknownName(kind="batching_method", name=batching_method, known=shared.BATCHING)
        if epoch_size is not None and plan.unit is COPIES:
            raise RefusedByFramework(
                framework="Streaming",
                reason="takes no epoch_size beside repeat: the copies alone tell how long an "
                "epoch is",
            )
        there: Mapping[str, Any] = {}
        settings: Mapping[str, Any] = {"batching_method": batching_method or "random"}
        shuffle = True
        if old is not None:
            there = as_mapping(old.mapping.get("streams"))
            given = {} if batching_method is None else settings
            settings = {**old.mapping, **given}
            shuffle = shared.must_shuffle(settings, plan.numbers)
        streams = shared.make_streams(plan, plan.numbers, there, cache_dir, split)
        if epoch_size is None and plan.unit is not COPIES:
            # Chosen samples add up to the length of an epoch, which proportions leave open.
            epoch_size = _count_chosen(there)

        def fill(root: Any) -> None:
            yaml_edit.put(root, ["streams"], streams)
            if epoch_size:
                yaml_edit.put(root, ["epoch_size"], epoch_size)
            if old is None or batching_method:
                yaml_edit.put(root, ["batching_method"], settings["batching_method"])
            if shuffle:
                yaml_edit.put(root, [shared.SHUFFLE], True)

        return {"": self.render_yaml(plan, old, fill)}

    def parse(self, document: Document) -> Config:
        """Read ``streams``."""
        streams = as_mapping(document.mapping.get("streams"))
        if not streams:
            raise WrongContent(
                path=document.path,
                reason="has no streams: it must map names to what a Stream takes",
            )
        return shared.read_streams(streams, document.mapping)

    def recognises(self, document: Document) -> bool:
        """Return whether there are top-level ``streams`` by name, each with a place."""
        streams = as_mapping(document.mapping.get("streams"))
        places = {"local", "remote"}
        return bool(streams) and all(places & set(as_mapping(one)) for one in streams.values())


def _count_chosen(streams: Mapping[str, Any]) -> int | None:
    """Return the samples that streams choose in all, which proportions of them do not give."""
    if not streams or any(shared.find_stream_faults(streams)):
        return None
    chosen = sum(to_number(stream.get("choose")) for stream in streams.values())
    return None if math.isnan(chosen) else int(chosen)
