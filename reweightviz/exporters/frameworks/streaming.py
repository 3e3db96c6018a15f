"""MosaicML Streaming: a YAML of ``streams``, each with its ``proportion``.

A sample is what was written into the MDS folder. Packed to one length, a proportion is a share of
tokens; for samples of one document each take ``unit="examples"``, and ``unit="copies"`` writes
``repeat``, passes at a budget, instead. In Python: ``StreamingDataset(streams=[Stream(**one) for
one in config.pop("streams").values()], **config)``. Checked with mosaicml-streaming 0.13.0.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from reweightviz.core.errors import RefusedByFramework, UnknownName, WrongContent, listed
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.plan import Config, Entry, Numbers, Plan, to_number
from reweightviz.exporters.text import endings, yaml_edit
from reweightviz.exporters.units import COPIES, EXAMPLES, TOKENS

BATCHING = ("random", "stratified", "per_stream", "device_per_stream")
WEIGHTS = ("proportion", "repeat", "choose")
PREPARED = "folders of MDS shards"
REPEATS = (
    "Streaming repeats a stream that is smaller than its share of the epoch, and says nothing."
)


class Streaming(Exporter):
    """MosaicML Streaming: a YAML of `streams` with proportions, of samples packed to one length."""

    name = "streaming"
    aliases = ("mosaicml-streaming", "mosaic")
    title = "MosaicML Streaming"
    units = (TOKENS, EXAMPLES, COPIES)
    name_pattern = r"(?!.*\.$)[\w.-]{1,100}"
    merges = True
    prepared_data = PREPARED
    traps = (REPEATS,)

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
        """The YAML: ``streams``, and what else a ``StreamingDataset`` takes.

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
        if batching_method is not None and batching_method not in BATCHING:
            raise UnknownName(kind="batching_method", name=batching_method, known=BATCHING)
        if epoch_size is not None and plan.unit is COPIES:
            raise RefusedByFramework(
                framework="Streaming",
                reason="takes no epoch_size beside repeat: the copies alone tell how long an "
                "epoch is",
            )
        there = old.mapping.get("streams") if old is not None else None
        streams = filled_streams(plan, plan.numbers, there, cache_dir, split)
        chosen = (
            [to_number(one.get("choose")) for one in there.values()]
            if isinstance(there, Mapping) and not faults(there)
            else [math.nan]
        )
        size = epoch_size or (
            None if plan.unit is COPIES or math.isnan(sum(chosen)) else int(sum(chosen))
        )

        def fill(root: Any) -> None:
            yaml_edit.put(root, ["streams"], streams)
            for key, value in (
                ("epoch_size", size),
                ("batching_method", batching_method or (None if old else "random")),
            ):
                if value is not None:
                    yaml_edit.put(root, [key], value)

        return {"": self.render_yaml(plan, old, fill)}

    def parse(self, document: Document) -> Config:
        """``streams``."""
        streams = document.mapping.get("streams")
        if not isinstance(streams, Mapping) or not streams:
            raise WrongContent(
                path=document.path,
                reason="has no streams: it must map names to what a Stream takes",
            )
        return streams_config(streams, document.mapping)

    def recognises(self, document: Document) -> bool:
        """Top-level ``streams`` by name, each with a place."""
        streams = document.mapping.get("streams")
        return (
            isinstance(streams, Mapping)
            and bool(streams)
            and all(
                isinstance(one, Mapping) and {"local", "remote"} & set(one)
                for one in streams.values()
            )
        )


def filled_streams(
    plan: Plan, numbers: Numbers, there: Any, cache_dir: str, split: str | None
) -> dict[str, Any]:
    """Name to what a ``Stream`` takes: what stood there, or the places of a new one, with its weight."""
    known = {str(name): one for name, one in there.items()} if isinstance(there, Mapping) else {}
    streams = {}
    for name, value in numbers.items():
        before = known.get(name)
        places = (
            dict(before)
            if isinstance(before, Mapping)
            else _places(plan.entries[name], f"{cache_dir}/{name}", split)
        )
        kept = {key: item for key, item in places.items() if key not in WEIGHTS}
        streams[name] = kept | {"repeat" if plan.unit is COPIES else "proportion": value}
    return streams


def streams_config(
    streams: Mapping[str, Any], dataset: Mapping[str, Any], unit: str | None = None
) -> Config:
    """What a ``StreamingDataset`` makes of its streams; ``unit`` is that of proportions and choices, where it is known."""
    refused = list(faults(streams))
    if refused:
        return Config({0: {str(name): math.nan for name in streams}}, refused=tuple(refused))
    given = [
        next((key for key in WEIGHTS if one.get(key) is not None), None) for one in streams.values()
    ]
    kinds = set(given)
    if "choose" in kinds and len(kinds) > 1:
        refused.append(
            "some streams say choose and others do not: how many samples those have, "
            "only their folders tell."
        )
    numbers = {
        str(name): 1.0 if key is None else to_number(one[key])
        for (name, one), key in zip(streams.items(), given, strict=True)
    }
    if not all(value >= 0 for value in numbers.values()) or sum(numbers.values()) <= 0:
        refused.append("the weights of streams must be numbers >= 0, one of them above 0.")
    if kinds & {"choose", "repeat"} and dataset.get("epoch_size"):
        refused.append(
            "epoch_size stands beside choose or repeat: Streaming takes it with proportions only."
        )
    if dataset.get("local") or dataset.get("remote"):
        refused.append(
            "local or remote stands beside streams: Streaming takes the one or the other."
        )
    if dataset.get("batching_method", "random") not in BATCHING:
        refused.append(
            f"batching_method must be one of {listed(BATCHING)}; it is "
            f"{dataset['batching_method']!r}."
        )
    paths = {
        str(name): [str(one.get("remote") or one.get("local"))] for name, one in streams.items()
    }
    counted = COPIES.key if kinds <= {"repeat", None} else unit
    return Config({0: numbers}, unit=counted, paths=paths, refused=tuple(refused))


def faults(streams: Mapping[str, Any]) -> Sequence[str]:
    """Sentences where ``Stream`` or ``StreamingDataset`` would raise before it looks at the numbers."""
    odd = [str(name) for name, one in streams.items() if not isinstance(one, Mapping)]
    if odd:
        return (f"each stream must map the arguments of a Stream; {listed(odd)} does not.",)
    given = {
        str(name): [key for key in WEIGHTS if one.get(key) is not None]
        for name, one in streams.items()
    }
    several = [name for name, keys in given.items() if len(keys) > 1]
    if several:
        return (
            f"a stream takes one of proportion, repeat and choose; {listed(several)} has more.",
        )
    without = [name for name, keys in given.items() if keys != ["proportion"]]
    if 0 < len(without) < len(given):
        return (
            "proportion cannot be mixed with repeat, choose or neither; "
            f"{listed(without)} has no proportion, others do.",
        )
    places = Counter(
        (str(one["local"]), str(one.get("split") or ""))
        for one in streams.values()
        if one.get("local")
    )
    twice = [local for (local, _), count in places.items() if count > 1]
    return (f"streams share the local folder {twice[0]!r}; each needs its own.",) if twice else ()


def _places(entry: Entry, cache: str, split: str | None) -> dict[str, Any]:
    if len(entry.paths) > 1:
        raise RefusedByFramework(
            framework="Streaming",
            reason=f"reads one MDS folder a stream; sources= has {len(entry.paths)} paths for "
            f"{listed([entry.domain])}",
        )
    path = entry.paths[0] if entry.paths else ""
    if endings.is_data_file(path):
        raise RefusedByFramework(
            framework="Streaming",
            reason=f"reads one MDS folder a stream; sources= has the file {path[:80]!r} for "
            f"{listed([entry.domain])}",
        )
    places = (
        {"remote": path, "local": cache}
        if re.match(r"\w{2,}:/", path)
        else {"local": path or cache}
    )
    return places | ({"split": split} if split else {})
