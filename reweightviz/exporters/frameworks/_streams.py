"""Streams of MosaicML Streaming, as a ``StreamingDataset`` takes them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sized
from typing import Any

from reweightviz.core.errors import RefusedByFramework, list_names, warn
from reweightviz.exporters.frameworks._foreign import Item, as_mapping
from reweightviz.exporters.frameworks._weights import is_mixture
from reweightviz.exporters.plan import Config, Entry, Numbers, Plan, to_number
from reweightviz.exporters.text import endings
from reweightviz.exporters.units import COPIES, EXAMPLES, TOKENS

__all__ = [
    "BATCHING",
    "NAME_PATTERN",
    "PREPARED",
    "REPEATS",
    "SHUFFLE",
    "UNITS",
    "UNMIXED",
    "WEIGHTS",
    "find_stream_faults",
    "is_mixed",
    "make_streams",
    "must_shuffle",
    "read_streams",
]


BATCHING = ("random", "stratified", "per_stream", "device_per_stream")
SHUFFLE = "shuffle"
"""The key that mixes an epoch; StreamingDataset's own default is false."""
WEIGHTS = ("proportion", "repeat", "choose")
"""The keys of a stream's weight, of which it takes one."""
UNITS = (TOKENS, EXAMPLES, COPIES)
# A name may become a folder of the cache.
NAME_PATTERN = r"(?!.*\.$)[\w.-]{1,100}"
PREPARED = "folders of MDS shards"
REPEATS = (
    "Streaming repeats a stream that is smaller than its share of the epoch, and says nothing."
)
UNMIXED = (
    "without shuffle: true, which is not Streaming's default, an epoch passes through one stream "
    "after the other: the weights hold for a whole epoch only."
)


def make_streams(
    plan: Plan, numbers: Numbers, there: object, cache_dir: str, split: str | None
) -> dict[str, Any]:
    """Return name to the arguments of a ``Stream``: those that stand there, with a new weight.

    Args:
        plan: with the paths of new streams.
        numbers: of the streams.
        there: streams of the config, by name.
        cache_dir: folder of the folders in which new streams lie on the machine that trains.
        split: sub-folder of new streams.
    """
    known = {str(name): stream for name, stream in as_mapping(there).items()}
    weight = "repeat" if plan.unit is COPIES else "proportion"
    streams = {}
    for name, value in numbers.items():
        places = known.get(name)
        if not isinstance(places, Mapping):
            places = _find_places(plan.entries[name], f"{cache_dir}/{name}", split)
        # A stream takes one of the three weights, so the one that stands there must go.
        kept = {key: item for key, item in places.items() if key not in WEIGHTS}
        streams[name] = kept | {weight: value}
    return streams


def is_mixed(dataset: Mapping[str, Any]) -> bool:
    """Return whether an epoch mixes its streams, rather than passing them one after the other.

    Every batching method but "random" makes its batches of all streams in turn, shuffled or not.

    Args:
        dataset: the arguments of a ``StreamingDataset``.
    """
    return bool(dataset.get(SHUFFLE)) or dataset.get("batching_method", "random") != "random"


def must_shuffle(dataset: Mapping[str, Any], streams: Sized) -> bool:
    """Return whether a config that is merged into lacks the ``shuffle`` that mixes its streams.

    Warns where a person wrote false, which is theirs to change.

    Args:
        dataset: the arguments of a ``StreamingDataset`` that stand there.
        streams: that it is to have.
    """
    if len(streams) < 2 or is_mixed(dataset):
        return False
    if dataset.get(SHUFFLE) is None:
        return True
    warn(UNMIXED)
    return False


def read_streams(
    streams: Mapping[str, Any], dataset: Mapping[str, Any], unit: str | None = None
) -> Config:
    """Return the mixture that a ``StreamingDataset`` makes of its streams.

    Args:
        streams: by name.
        dataset: other arguments.
        unit: key of the unit of proportions and choices, where it is known.
    """
    refused = list(find_stream_faults(streams))
    if refused:
        # What Streaming raises before it looks at the numbers leaves them open.
        unknown = dict.fromkeys(map(str, streams), math.nan)
        return Config({0: unknown}, refused=tuple(refused))
    weights = {str(name): _find_weight(stream) for name, stream in streams.items()}
    kinds = {kind for kind, _ in weights.values()}
    numbers = {name: value for name, (_, value) in weights.items()}
    paths = {
        str(name): [str(stream.get("remote") or stream.get("local"))]
        for name, stream in streams.items()
    }
    return Config(
        {0: numbers},
        # A stream without a weight is passed over once, as with repeat: 1.
        unit=COPIES.key if kinds <= {"repeat", ""} else unit,
        paths=paths,
        refused=tuple(_find_faults(kinds, numbers, dataset)),
        traps=tuple(_find_traps(numbers, dataset)),
    )


def find_stream_faults(streams: Mapping[str, Any]) -> Iterator[str]:
    """Return a sentence where Streaming would raise before it looks at the numbers."""
    odd = [str(name) for name, stream in streams.items() if not isinstance(stream, Mapping)]
    if odd:
        yield f"each stream must map the arguments of a Stream; {list_names(odd)} does not."
        return
    given = {str(name): _weight_keys(stream) for name, stream in streams.items()}
    several = [name for name, keys in given.items() if len(keys) > 1]
    without = [name for name, keys in given.items() if keys != ["proportion"]]
    shared = _find_shared_folder(streams)
    if several:
        names = list_names(several)
        yield f"a stream takes one of proportion, repeat and choose; {names} has more."
    elif 0 < len(without) < len(given):
        yield (
            "proportion cannot be mixed with repeat, choose or neither; "
            f"{list_names(without)} has no proportion, others do."
        )
    elif shared is not None:
        yield f"streams share the local folder {shared!r}; each needs its own."


def _weight_keys(stream: Item) -> list[str]:
    return [key for key in WEIGHTS if stream.get(key) is not None]


def _find_weight(stream: Item) -> tuple[str, float]:
    """Return the key of a stream's weight and its number; a stream without one counts once."""
    for key in _weight_keys(stream):
        return key, to_number(stream[key])
    return "", 1.0


def _find_faults(kinds: set[str], numbers: Numbers, dataset: Mapping[str, Any]) -> Iterator[str]:
    if "choose" in kinds and len(kinds) > 1:
        yield (
            "some streams say choose and others do not: how many samples those have, "
            "only their folders tell."
        )
    if not is_mixture(numbers):
        yield "the weights of streams must be numbers >= 0, one of them above 0."
    if kinds & {"choose", "repeat"} and dataset.get("epoch_size"):
        yield (
            "epoch_size stands beside choose or repeat: Streaming takes it with proportions only."
        )
    if dataset.get("local") or dataset.get("remote"):
        yield "local or remote stands beside streams: Streaming takes the one or the other."
    batching = dataset.get("batching_method", "random")
    if batching not in BATCHING:
        yield f"batching_method must be one of {list_names(BATCHING)}; it is {batching!r}."
    empty = [name for name, value in numbers.items() if value == 0]
    if empty and batching in BATCHING[1:]:
        yield (
            f"batching_method {batching} needs samples of every stream in its batches; that of "
            f"{list_names(empty)} has weight 0."
        )


def _find_traps(numbers: Numbers, dataset: Mapping[str, Any]) -> Iterator[str]:
    if len(numbers) > 1 and not is_mixed(dataset):
        yield UNMIXED


def _find_shared_folder(streams: Mapping[str, Any]) -> str | None:
    # Streams may share a folder where they read other splits of it.
    places = Counter(
        (str(stream["local"]), str(stream.get("split") or ""))
        for stream in streams.values()
        if stream.get("local")
    )
    return next((local for (local, _), count in places.items() if count > 1), None)


def _find_places(entry: Entry, cache: str, split: str | None) -> dict[str, Any]:
    if len(entry.paths) > 1:
        raise RefusedByFramework(
            framework="Streaming",
            reason=f"reads one MDS folder a stream; sources= has {len(entry.paths)} paths for "
            f"{list_names([entry.domain])}",
        )
    path = next(iter(entry.paths), "")
    if endings.is_data_file(path):
        raise RefusedByFramework(
            framework="Streaming",
            reason=f"reads one MDS folder a stream; sources= has the file {path[:80]!r} for "
            f"{list_names([entry.domain])}",
        )
    places = {"local": path or cache}
    # Two letters at least: C:/ is a drive.
    if re.match(r"\w{2,}:/", path):
        places = {"remote": path, "local": cache}
    if split:
        places["split"] = split
    return places
