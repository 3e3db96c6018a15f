"""LLaMA-Factory's ``dataset`` and ``dataset_info.json``, which DataFlex reads too."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from reweightviz.core.errors import RefusedByFramework, UnreadableFile, WrongContent, list_names
from reweightviz.core.validation import find_repeated
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks._foreign import as_mapping
from reweightviz.exporters.frameworks._hub import find_builder
from reweightviz.exporters.frameworks._weights import order_like
from reweightviz.exporters.plan import Entry, Plan
from reweightviz.exporters.text.encoding import check_utf8, to_json

__all__ = [
    "DATAFLEX",
    "ENDINGS",
    "INFO",
    "NAME_PATTERN",
    "SWIFT",
    "find_cut_faults",
    "find_cut_traps",
    "find_name_faults",
    "find_name_traps",
    "find_twice",
    "is_dataflex",
    "is_swift",
    "order_names",
    "read_names",
    "render_info",
    "split_words",
    "write_like",
]


NAME_PATTERN = r"(?!.*\.\.)\w[\w./+-]*( [\w./+-]+)*"
INFO = "dataset_info.json"
ENDINGS = (".arrow", ".csv", ".json", ".jsonl", ".parquet", ".txt")
DATAFLEX = {"init_mixture_proportions", "mixture_sample_rule"}
"""Keys by which a config of DataFlex is known; train_type is one of ms-swift's too."""
SWIFT = {"custom_dataset_info", "interleave_prob", "split_dataset_ratio", "tuner_type"}
"""Keys by which a config of ms-swift is known."""


def split_words(value: Any) -> list[str] | None:
    """Return the items of a comma list or of a list of plain values, None for anything else.

    >>> split_words("web, code"), split_words([0.7, 0.3]), split_words(0.5)
    (['web', 'code'], ['0.7', '0.3'], None)
    """
    if isinstance(value, str):
        return [item.strip() for item in value.split(",")]
    if not isinstance(value, list) or not value:
        return None
    if not all(isinstance(item, str | int | float) for item in value):
        return None
    return [str(item) for item in value]


def is_dataflex(content: Mapping[str, Any]) -> bool:
    """Check whether a config has names in ``dataset`` and a key of DataFlex."""
    trains = str(content.get("train_type")).startswith(("dynamic_", "static"))
    return bool(split_words(content.get("dataset"))) and (trains or bool(DATAFLEX & set(content)))


def is_swift(content: Mapping[str, Any]) -> bool:
    """Check whether a config has names in ``dataset`` and a key of ms-swift."""
    words = split_words(content.get("dataset")) or []
    # LLaMA-Factory calls the model model_name_or_path.
    counted = any(re.search(r"#\d+$", word) for word in words)
    trains = isinstance(content.get("model"), str) and (counted or "template" in content)
    return bool(words) and (trains or bool(SWIFT & set(content)))


def write_like(items: Sequence[Any], before: Any) -> Any:
    """Return the items in the form that stands there: a list, else a comma list.

    What stands there stays where it holds the same.
    """
    if split_words(before) == [str(item) for item in items]:
        return before
    if isinstance(before, list):
        return list(items)
    return ",".join(map(str, items))


def order_names(plan: Plan, before: Mapping[str, Any]) -> list[str]:
    """Return the names of the plan, first those that ``dataset`` has already, in its order."""
    return list(order_like(plan.numbers, split_words(before.get("dataset")) or ()))


def read_names(document: Document, title: str) -> list[str]:
    """Return the names in ``dataset``; refuse a config without any."""
    names = split_words(document.mapping.get("dataset"))
    if not names:
        raise WrongContent(
            path=document.path,
            reason=f"is no config of {title}: it needs 'dataset', the names of datasets",
        )
    return names


def find_name_faults(
    document: Document, names: Sequence[str], shares: Sequence[object] | None = None
) -> Iterator[str]:
    """Return sentences where LLaMA-Factory would refuse the names themselves.

    Args:
        document: the config.
        names: in ``dataset``.
        shares: one for each name, where there are any.
    """
    twice = find_twice(names)
    if twice and shares and len(set(names)) > 1:
        yield (
            f"LLaMA-Factory takes {list_names(twice)} once, however often the name stands there, "
            f"and then refuses {len(shares)} shares for {len(set(names))} datasets: add them up."
        )
    info = _read_info(document)
    if info is None:
        return
    unknown = [name for name in names if name not in info]
    if unknown:
        yield (
            f"{INFO} has no entry for {list_names(unknown)}: add it there, or merge into the "
            "folder instead of the file."
        )


def find_name_traps(names: Sequence[str], shares: Sequence[object] | None = None) -> Iterator[str]:
    """Return a sentence where a name stands more than once and LLaMA-Factory goes on."""
    twice = find_twice(names)
    if twice and not (shares and len(set(names)) > 1):
        yield (
            f"LLaMA-Factory takes {list_names(twice)} once, however often the name stands there."
        )


def find_cut_traps(content: Mapping[str, Any]) -> Iterator[str]:
    """Return a sentence where only the first examples of each dataset are loaded."""
    most = content.get("max_samples")
    if most is not None:
        yield (
            f"max_samples keeps the first {most} examples of each dataset: what is repeated, and "
            "how often, is counted on those, not on the sizes in sources=."
        )


def find_cut_faults(content: Mapping[str, Any]) -> Iterator[str]:
    """Return a sentence where LLaMA-Factory refuses to load the first examples only."""
    if content.get("max_samples") is not None and content.get("streaming") is True:
        yield "max_samples beside streaming: true is refused: leave one of them out."


def find_twice(names: Sequence[str]) -> list[str]:
    """Return the names that stand more than once; LLaMA-Factory keeps datasets by name."""
    return sorted(find_repeated(names))


def render_info(plan: Plan, old: Document | None, folder: object, column: str) -> dict[str, str]:
    """Return ``dataset_info.json`` with an entry for each name that it lacks, if any.

    Args:
        plan: with the paths of the datasets.
        old: a config, beside which the file lies already.
        folder: ``dataset_dir`` of the config.
        column: that holds the text of new datasets.
    """
    if _is_elsewhere(str(folder)):
        return {}
    text = "{}"
    try:
        if old is not None:
            text = old.sibling(INFO).text
        there = json.loads(text)
    except ValueError:
        return {}
    if not isinstance(there, dict):
        raise WrongContent(
            path=INFO,
            reason="must map the names of datasets to what they are; here it holds a "
            f"{type(there).__name__}",
        )
    new = {name: entry for name, entry in plan.entries.items() if name not in there}
    if not new:
        return {}
    entries = {name: _make_info(name, entry, column) for name, entry in new.items()}
    return {INFO: _append(text, entries)}


def _append(text: str, entries: Mapping[str, Any]) -> str:
    """Return the text of a JSON object with entries at its end, the rest of it as it was."""
    whole = json.loads(text) | dict(entries)
    body = text.rstrip().removesuffix("}").rstrip()
    comma = "\n" if body.endswith("{") else ",\n"
    longer = body + comma + to_json(entries).removeprefix("{\n")
    # A key that stands there twice, or the like, is beyond what pasting can do.
    if json.loads(longer) != whole:
        return to_json(whole)
    return longer


def _make_info(name: str, entry: Entry, column: str) -> dict[str, Any]:
    domain, _, paths = entry
    if len(paths) > 1:
        raise RefusedByFramework(
            framework="LLaMA-Factory",
            reason=f"reads one file or folder for a dataset; sources= has {len(paths)} "
            f"paths for {list_names([domain])}: put the files into one folder, and give "
            "that",
        )
    path = paths[0] if paths else f"{name}.jsonl"
    check_utf8(path)
    columns = {"prompt": column}
    # A local file of that form would have an ending.
    if re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", path) and find_builder(path) is None:
        return {"hf_hub_url": path, "columns": columns}
    ending = PurePosixPath(path).suffix
    if ending and ending not in ENDINGS and not path.endswith("/"):
        raise RefusedByFramework(
            framework="LLaMA-Factory",
            reason=f"reads files that end in {list_names(ENDINGS)}; got {path!r} for "
            f"{list_names([domain])}",
        )
    return {"file_name": path, "columns": columns}


def _read_info(document: Document) -> Mapping[str, Any] | None:
    """Return the registry of a config, None where there is none to be found."""
    folder = str(document.mapping.get("dataset_dir", "data"))
    if _is_elsewhere(folder):
        return None
    # dataset_dir is seen from where training starts, which may be the folder itself.
    for name in (str(PurePosixPath(folder) / INFO), INFO):
        try:
            text = document.sibling(name).text
        except UnreadableFile:
            continue
        try:
            return as_mapping(json.loads(text))
        except ValueError:
            return {}
    return None


def _is_elsewhere(folder: str) -> bool:
    # LLaMA-Factory's words for a registry that lies on a hub.
    return folder == "ONLINE" or folder.startswith("REMOTE:")
