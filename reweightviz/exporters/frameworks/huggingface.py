"""Hugging Face datasets: a folder with ``mixture.yaml`` and a script that loads it.

``interleave_datasets`` draws examples, so a probability is a share of documents: p_i is
proportional to w_i / (mean tokens per document of i). Where the examples are packed to one length,
``unit="tokens"`` writes the weights as they are. Checked with datasets 5.2.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reweightviz.core.errors import (
    ReweightvizError,
    UnknownName,
    WrongContent,
    listed,
    warn,
)
from reweightviz.core.mixture import SUM_TOLERANCE
from reweightviz.core.validation import whole_number
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.plan import Config, Numbers, Plan, to_number
from reweightviz.exporters.text import python_file, yaml_edit
from reweightviz.exporters.text.encoding import check_utf8
from reweightviz.exporters.units import EXAMPLES, TOKENS

FORMAT = "reweightviz.huggingface/2"
STRATEGIES = ("first_exhausted", "all_exhausted")
LOSES = "all_exhausted_without_replacement"
BUILDERS = {
    ".parquet": "parquet",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".csv": "csv",
    ".txt": "text",
    ".arrow": "arrow",
}
HUB = re.compile(r"([\w.-]+(?:/[\w.-]+)?)(?::([\w.-]*))?(?::([^/]+))?")
"""A dataset of the Hub, its configuration and its split: ``org/name``, ``org/name:en``, ``org/name::validation``."""
COMPRESSED = (".gz", ".zst", ".bz2", ".xz")

LOADER = '''"""Load mixture.yaml with Hugging Face datasets: `from load_mixture import load`."""

from pathlib import Path

import yaml
from datasets import interleave_datasets, load_dataset

HERE = Path(__file__).parent


def load(datasets=None, *, streaming=True, file=HERE / "mixture.yaml"):
    """One interleaved dataset. `datasets` maps names to datasets that are at hand already."""
    config = yaml.safe_load(Path(file).read_text("utf-8"))
    ready = datasets or {}
    parts = [ready[e["name"]] if e["name"] in ready else _open(e, streaming) for e in config["datasets"]]
    probabilities = [entry["probability"] for entry in config["datasets"]]
    return interleave_datasets(parts, probabilities=probabilities, seed=config["seed"],
                               stopping_strategy=config["stopping_strategy"])


def _open(entry, streaming):
    if "path" not in entry:
        raise ValueError(f"mixture.yaml has no path for {entry['name']!r}: call load({{name: dataset}}).")
    files = entry.get("data_files")
    return load_dataset(entry["path"], entry.get("config"), data_files=files, split=entry["split"], streaming=streaming)


if __name__ == "__main__":
    for row, example in zip(range(3), load()):
        print(row, example)
'''


class HuggingFace(Exporter):
    """Hugging Face datasets: a folder with `mixture.yaml` and a script that loads it through `interleave_datasets`."""

    name = "huggingface"
    aliases = ("hf", "datasets", "hugging face", "interleave-datasets")
    title = "Hugging Face datasets"
    units = (EXAMPLES, TOKENS)
    main_file = "mixture.yaml"
    exact = True
    merges = True
    traps = (
        "'all_exhausted' repeats a dataset that is used up, as often as its probability "
        "asks, and says nothing.",
    )

    def render(
        self,
        plan: Plan,
        old: Document | None,
        *,
        seed: int = 42,
        stopping_strategy: str | None = None,
        split: str = "train",
    ) -> dict[str, str]:
        """The YAML and its loader.

        Args:
            plan: what to write.
            old: a ``mixture.yaml`` of ours to merge into.
            seed: of the draws.
            stopping_strategy: "first_exhausted" ends with the first dataset that is used up,
                "all_exhausted" repeats it until all were; without it the first, or the second
                where the budget asks for more than one epoch of something.
            split: of every dataset.
        """
        strategy = stopping_strategy or _strategy(plan)
        _check_strategy(strategy)
        seed = whole_number("seed", seed)
        if strategy == "first_exhausted":
            _warn_of_early_end(plan.record)
        sizes = plan.record.get("sizes") or {}

        def fill(root: Any) -> None:
            if old is None:
                for key, value in (
                    ("format", FORMAT),
                    ("unit", plan.unit.key),
                    ("seed", seed),
                    ("stopping_strategy", strategy),
                ):
                    yaml_edit.put(root, [key], value)
            for name, entry in yaml_edit.match_entries(
                root,
                ["datasets"],
                plan.numbers,
                lambda entry: entry.get("name"),
                dropped=plan.dropped_names,
            ):
                if not entry:
                    domain, _, paths = plan.entries[name]
                    yaml_edit.put_all(entry, {"name": name} | place(domain, paths, split))
                yaml_edit.put(entry, ["probability"], plan.numbers[name])
                if plan.entries[name].domain in sizes:
                    yaml_edit.put(entry, ["mean_tokens"], sizes[plan.entries[name].domain])

        return {self.main_file: self.render_yaml(plan, old, fill), "load_mixture.py": LOADER}

    def parse(self, document: Document) -> Config:
        """``mixture.yaml``, or the first call of ``interleave_datasets`` in a Python file."""
        if document.path.suffix == ".py":
            return _python(document)
        try:
            entries = [dict(entry) for entry in document.mapping["datasets"]]
            numbers = {str(entry["name"]): to_number(entry["probability"]) for entry in entries}
        except (KeyError, TypeError, ValueError) as error:
            raise WrongContent(
                path=document.path,
                reason="is no mixture for Hugging Face datasets: it needs 'datasets', each "
                f"with 'name' and 'probability' ({type(error).__name__}: {error})",
            ) from error
        repeated = len(entries) - len(numbers)
        refused = (f"each name may stand once; {repeated} came again.",) if repeated else ()
        sizes = {
            str(entry["name"]): entry["mean_tokens"]
            for entry in entries
            if entry.get("mean_tokens")
        }
        strategy = str(document.mapping.get("stopping_strategy"))
        paths = {str(entry["name"]): _places(entry) for entry in entries if "path" in entry}
        return Config(
            {0: numbers},
            unit=document.mapping.get("unit"),
            paths=paths,
            sizes=sizes,
            refused=refused + _faults(numbers),
            traps=_strategy_traps(strategy),
        )

    def recognises(self, document: Document) -> bool:
        """Our YAML, or a Python file that interleaves datasets."""
        own = str(document.mapping.get("format")).startswith("reweightviz.huggingface/")
        return own or bool(document.python.calls("interleave_datasets"))


def place(domain: str, paths: Sequence[str], split: str) -> dict[str, Any]:
    """What ``load_dataset`` takes for files of one kind, or for one ``org/name:config:split``; nothing without paths."""
    if not paths:
        return {}
    for path in paths:
        check_utf8(path)
    kinds = {builder(path) for path in paths}
    if kinds == {None} and len(paths) == 1:
        hub = HUB.fullmatch(paths[0])
        name, config, own = hub.groups() if hub else (paths[0], None, None)
        return {"path": name} | ({"config": config} if config else {}) | {"split": own or split}
    if len(kinds) > 1 or None in kinds:
        raise ReweightvizError(
            f"the paths of {domain[:60]!r} must be files of one kind ({listed(BUILDERS)}) "
            f"or one dataset name; got {listed(paths, 4)}."
        )
    return {"path": kinds.pop(), "data_files": list(paths), "split": split}


def builder(path: str) -> str | None:
    """The builder of a file by its ending; None for what is no file."""
    suffixes = [
        suffix.lower() for suffix in Path(path).suffixes if suffix.lower() not in COMPRESSED
    ]
    return BUILDERS.get(suffixes[-1]) if suffixes else None


def _places(entry: Mapping[str, Any]) -> list[str]:
    files = entry.get("data_files") or ":".join(
        [str(entry["path"]), *([str(entry["config"])] if entry.get("config") else [])]
    )
    return [str(file) for file in files] if isinstance(files, list) else [str(files)]


def _strategy(plan: Plan) -> str:
    return "all_exhausted" if plan.has_repeats else "first_exhausted"


def _faults(numbers: Numbers) -> tuple[str, ...]:
    bad = [name for name, value in numbers.items() if not value >= 0]
    if bad:
        return (
            "the probabilities must be numbers >= 0, or datasets refuses them; that of "
            f"{listed(bad)} is not.",
        )
    total = math.fsum(numbers.values())
    return (
        ()
        if abs(total - 1) <= SUM_TOLERANCE
        else (
            "the probabilities must be >= 0 and sum to 1, or datasets refuses them; they "
            f"sum to {total:.6g}.",
        )
    )


def _strategy_traps(strategy: str) -> tuple[str, ...]:
    return (
        (
            f"stopping_strategy={LOSES!r} ends at the sizes of the datasets, whatever the "
            "probabilities.",
        )
        if strategy == LOSES
        else ()
    )


def _python(document: Document) -> Config:
    found = document.python.calls("interleave_datasets")
    for call in found:
        given = document.python.arguments(call)
        names = [
            python_file.to_text(item)
            for item in document.python.items(given.get("datasets", given.get(0)))
        ]
        weights = document.python.items(given.get("probabilities", given.get(1)))
        if len(weights) == len(names) > 0:
            numbers: Numbers = {}
            for name, weight in zip(names, weights, strict=True):
                numbers[name] = numbers.get(name, 0.0) + to_number(weight)
            traps = _strategy_traps(
                str(given.get("stopping_strategy"))
            ) + python_file.mention_others(found, call, "interleave_datasets")
            return Config({0: numbers}, refused=_faults(numbers), traps=traps)
    why = document.python.explain_calls(found, "datasets", "probabilities", 0, 1)
    raise WrongContent(
        path=document.path,
        reason="has no interleave_datasets with datasets and probabilities that can "
        f"be read without running it{why}",
    )


def _check_strategy(stopping_strategy: str) -> None:
    if stopping_strategy == LOSES:
        raise ReweightvizError(
            f"stopping_strategy={LOSES!r} loses the weights, it ends at the sizes of the "
            "datasets: "
            "use 'first_exhausted' or 'all_exhausted'."
        )
    if stopping_strategy not in STRATEGIES:
        raise UnknownName(kind="stopping_strategy", name=stopping_strategy, known=STRATEGIES)


def _warn_of_early_end(found: Mapping[str, Any]) -> None:
    epochs, tokens = found.get("epochs", {}), found.get("tokens", 0)
    first = max(epochs, key=lambda domain: epochs[domain], default="")
    if epochs.get(first, 0) > 1 + 1e-6:
        warn(
            f"stopping_strategy='first_exhausted' ends when {first[:60]!r} is used up, at "
            f"{tokens / epochs[first]:.4g} of {tokens:.4g} tokens; 'all_exhausted' repeats it."
        )
