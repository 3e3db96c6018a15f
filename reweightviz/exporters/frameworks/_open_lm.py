"""open_lm's arguments: manifests of shards, and the weights that are asked of them.

At training time open_lm takes one shard of every manifest in turn, whatever
``--train-data-mix-weights`` asks for, so there only the sizes of the shards mix.
"""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reweightviz.core.errors import RefusedByFramework, ReweightvizError, WrongContent
from reweightviz.exporters.document import Document
from reweightviz.exporters.plan import Config, Numbers, Plan, to_number
from reweightviz.exporters.units import TOKENS

__all__ = ["NEAR", "read_arguments", "read_mixture", "render_arguments"]


NEAR = 0.005
"""How far the shares that manifests give may be from those asked for."""


def render_arguments(plan: Plan, samples: int | None) -> str:
    """Return the arguments for manifests whose shards hold the mixture already.

    Args:
        plan: by the paths of the manifests.
        samples: sequences between two checkpoints.

    Raises:
        RefusedByFramework: the shards hold another mixture.
    """
    names = list(plan.numbers)
    weights = list(plan.numbers.values())
    shards = [_read_shards(name, Path()) for name in names]
    shares = _draw_shares(shards, weights, samples, workers=1)
    if not _are_near(shares, weights):
        raise RefusedByFramework(
            framework="open_lm",
            reason="takes one shard of every manifest in turn, whatever the weights: "
            f"these manifests give {_to_percent(shares)}, not {_to_percent(weights)}. Use "
            "form='frequencies', or cut shards in proportion",
        )
    lines = [
        f"# Shares that the shards give: {_to_percent(shares)}.",
        f"--dataset-manifest {shlex.join(names)}",
        f"--train-data-mix-weights {' '.join(map(repr, weights))}",
    ]
    if samples:
        lines.append(f"--train-num-samples {samples}")
    return plan.comment("open_lm arguments") + "".join(f"{line}\n" for line in lines)


def read_arguments(document: Document) -> dict[str, list[str]]:
    """Return flag to its words, from a script, or from the YAML of ``--config``."""
    if document.mapping and not document.has_commands:
        return {
            str(key).replace("_", "-"): _to_words(value)
            for key, value in document.mapping.items()
            if value is not None
        }
    try:
        # shlex takes a line feed behind a backslash for a letter of the word.
        words = shlex.split(document.text.replace("\\\n", " "), comments=True)
    except ValueError as error:
        raise WrongContent(
            path=document.path, reason=f"cannot be read as arguments: {error}"
        ) from error
    found: dict[str, list[str]] = {}
    flag = ""
    for word in words:
        value = word
        if word.startswith("--"):
            flag, _, value = word.removeprefix("--").partition("=")
        values = found.setdefault(flag.replace("_", "-"), [])
        if value:
            values.append(value)
    return found


def read_mixture(document: Document) -> Config:
    """Return what open_lm would really train on, by its arguments."""
    arguments = read_arguments(document)
    names = arguments.get("dataset-manifest") or arguments.get("train-data") or []
    if not names:
        raise WrongContent(
            path=document.path,
            reason="has neither sampling_frequencies nor --dataset-manifest or --train-data",
        )
    weights = [to_number(word) for word in arguments.get("train-data-mix-weights", ())]
    if not weights:
        weights = [1.0] * len(names)
    if len(weights) != len(names) or not all(weight >= 0 for weight in weights):
        sentence = (
            f"--train-data-mix-weights must be one number >= 0 for each of {len(names)} sources."
        )
        return _make_config(dict.fromkeys(names, math.nan), refused=(sentence,))
    if "dataset-manifest" in arguments:
        return _read_manifests(document, weights, names, arguments)
    asked = dict(zip(names, weights, strict=True))
    if _read_count(arguments, "train-num-samples") is None:
        return _make_config(
            asked,
            refused=(
                "without --train-num-samples open_lm goes by the sizes of the "
                "sources, whatever the weights.",
            ),
        )
    return _make_config(asked)


def _read_manifests(
    document: Document,
    weights: Sequence[float],
    names: Sequence[str],
    arguments: Mapping[str, Sequence[str]],
) -> Config:
    samples = _read_count(arguments, "train-num-samples")
    workers = _read_count(arguments, "workers") or 1
    try:
        shards = [_read_shards(name, document.path.parent) for name in names]
        shares = _draw_shares(shards, weights, samples, workers)
    except ReweightvizError as error:
        sentence = f"open_lm trains on what the manifests hold, whatever the weights: {error}"
        return _make_config(dict(zip(names, weights, strict=True)), refused=(sentence,))
    asked = [weight / math.fsum(weights) for weight in weights]
    numbers = dict(zip(names, shares, strict=True))
    if _are_near(shares, asked):
        return _make_config(numbers)
    sentence = (
        "open_lm takes one shard of every manifest in turn, so it trains on "
        f"{_to_percent(shares)}, not on {_to_percent(asked)}."
    )
    return _make_config(numbers, traps=(sentence,))


def _make_config(
    numbers: Numbers, *, refused: tuple[str, ...] = (), traps: tuple[str, ...] = ()
) -> Config:
    return Config({0: numbers}, unit=TOKENS.key, refused=refused, traps=traps)


def _to_words(value: object) -> list[str]:
    if isinstance(value, list):
        return [str(item) for item in value]
    return [str(value)]


def _read_count(arguments: Mapping[str, Sequence[str]], flag: str) -> int | None:
    """Return the first number above 0 of a flag, None where it has none."""
    for word in arguments.get(flag, ()):
        if to_number(word) > 0:
            return int(float(word))
    return None


def _read_shards(path: str, folder: Path) -> list[int]:
    """Return the sequences in each shard of a manifest."""
    file = Path(path) if Path(path).exists() else folder / path
    # open_lm counts the last line only where it ends in a line feed.
    lines = Document.open(file).text.split("\n")[:-1]
    try:
        rows = [json.loads(line) for line in lines]
        sizes = [_read_size(row) for row in rows]
    except (ValueError, KeyError, TypeError) as error:
        raise WrongContent(
            path=path,
            reason=f"is no manifest, lines of JSON with 'shard' and 'num_sequences': {error!r}",
        ) from error
    if not sizes or min(sizes) <= 0:
        raise WrongContent(path=path, reason="needs at least one shard, and sequences in each")
    return sizes


def _read_size(row: Mapping[str, Any]) -> int:
    # Older manifests count chunks.
    key = "num_sequences" if "num_sequences" in row else "num_chunks"
    return int(row[key])


def _draw_shares(
    shards: Sequence[Sequence[int]], weights: Sequence[float], samples: int | None, workers: int
) -> list[float]:
    """Return the shares of sequences that open_lm takes until the first checkpoint.

    As in ``get_string_for_epoch``: as many shards of each source, until every source has the
    sequences that its weight asks for.

    Args:
        shards: sequences of each shard, by source.
        weights: of the sources, on any scale.
        samples: sequences until the checkpoint; None is all there are.
        workers: of the data loader, to which the shards are dealt out evenly.
    """
    most = min(map(len, shards))
    rounds = most
    if samples is not None:
        needs = [math.ceil(weight * samples / math.fsum(weights)) for weight in weights]
        rounds = _count_rounds(shards, needs, range(workers, most + 1))
    # open_lm deals whole rounds out to the workers; the rest is not read.
    rounds -= rounds % workers
    if not rounds:
        raise ReweightvizError(
            f"the shortest manifest has {most} shards, too few for {samples or 'any'} "
            f"samples and {workers} workers."
        )
    totals = [sum(sizes[:rounds]) for sizes in shards]
    return [total / sum(totals) for total in totals]


def _count_rounds(
    shards: Sequence[Sequence[int]], needs: Sequence[int], choices: Sequence[int]
) -> int:
    """Return the first number of shards that gives each source what it needs; 0 where none does."""
    for rounds in choices:
        totals = [sum(sizes[:rounds]) for sizes in shards]
        if all(total >= need for total, need in zip(totals, needs, strict=True)):
            return rounds
    return 0


def _are_near(shares: Sequence[float], asked: Sequence[float]) -> bool:
    return max(abs(one - two) for one, two in zip(shares, asked, strict=True)) <= NEAR


def _to_percent(shares: Sequence[float]) -> str:
    return ", ".join(f"{100 * share:.3g} %" for share in shares)
