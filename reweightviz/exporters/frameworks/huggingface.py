"""Hugging Face datasets: a folder with ``mixture.yaml`` and a script that loads it.

``interleave_datasets`` draws examples, so a probability is a share of documents: p_i is
proportional to w_i / (mean tokens per document of i). Where the examples are packed to one length,
``unit="tokens"`` writes the weights as they are. Checked with datasets 5.2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from reweightviz.core.errors import (
    ReweightvizError,
    UnknownName,
    WrongContent,
    list_names,
)
from reweightviz.core.mixture import SUM_TOLERANCE
from reweightviz.core.validation import whole_number
from reweightviz.exporters.document import Document
from reweightviz.exporters.epochs import Stop
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks._entries import merge_entries
from reweightviz.exporters.frameworks._foreign import Item
from reweightviz.exporters.frameworks._hub import find_place
from reweightviz.exporters.frameworks._interleave import (
    LOSES,
    STRATEGIES,
    choose_strategy,
    find_never_drawn,
    find_stop,
)
from reweightviz.exporters.frameworks._weights import add_up, find_invalid
from reweightviz.exporters.plan import Config, Numbers, Plan, to_number
from reweightviz.exporters.text import python_file, yaml_edit
from reweightviz.exporters.units import EXAMPLES, TOKENS

__all__ = ["FORMAT", "LOADER", "HuggingFace"]


FORMAT = "reweightviz.huggingface/2"
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
'''  # noqa: E501  the written file has a width of its own


class HuggingFace(Exporter):
    """Hugging Face datasets: a folder, `mixture.yaml` and a script with `interleave_datasets`."""

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
        """Return the YAML and its loader.

        Args:
            plan: what to write.
            old: a ``mixture.yaml`` of ours to merge into.
            seed: of the draws.
            stopping_strategy: "first_exhausted" ends with the first dataset that is used up,
                "all_exhausted" repeats it until all were; without it the first, or the second
                where the budget asks for more than one epoch of something.
            split: of every dataset.
        """
        strategy = stopping_strategy or choose_strategy(plan)
        _check_strategy(strategy)
        seed = whole_number("seed", seed)
        head = {
            "format": FORMAT,
            "unit": plan.unit.key,
            "seed": seed,
            "stopping_strategy": strategy,
        }
        sizes = plan.record.get("sizes") or {}

        def fill(root: Any) -> None:
            if old is None:
                yaml_edit.put_all(root, head)
            for name, entry in merge_entries(root, ["datasets"], plan, _name):
                domain, _, paths = plan.entries[name]
                if not entry:
                    yaml_edit.put_all(entry, {"name": name} | find_place(domain, paths, split))
                yaml_edit.put(entry, ["probability"], plan.numbers[name])
                # With them, shares of documents can be read back as shares of tokens.
                if domain in sizes:
                    yaml_edit.put(entry, ["mean_tokens"], sizes[domain])

        return {self.main_file: self.render_yaml(plan, old, fill), "load_mixture.py": LOADER}

    def parse(self, document: Document) -> Config:
        """Read ``mixture.yaml``, or the first call of ``interleave_datasets`` in a Python file."""
        if document.path.suffix == ".py":
            return _read_python(document)
        try:
            entries = [dict(entry) for entry in document.mapping["datasets"]]
            numbers = add_up((str(one["name"]), to_number(one["probability"])) for one in entries)
        except (KeyError, TypeError, ValueError) as error:
            raise WrongContent(
                path=document.path,
                reason="is no mixture for Hugging Face datasets: it needs 'datasets', each "
                f"with 'name' and 'probability' ({type(error).__name__}: {error})",
            ) from error
        strategy = document.mapping.get("stopping_strategy")
        sizes = {str(entry["name"]): entry.get("mean_tokens") for entry in entries}
        return Config(
            {0: numbers},
            unit=document.mapping.get("unit"),
            paths={str(entry["name"]): _places(entry) for entry in entries if "path" in entry},
            sizes={name: size for name, size in sizes.items() if size},
            stop=_find_stop(strategy),
            refused=tuple(_find_faults(numbers, strategy)),
            traps=tuple(_find_strategy_traps(strategy)),
        )

    def recognises(self, document: Document) -> bool:
        """Return whether it is our YAML, or a Python file that interleaves datasets."""
        own = str(document.mapping.get("format")).startswith("reweightviz.huggingface/")
        return own or bool(document.python.calls("interleave_datasets"))


def _places(entry: Item) -> list[str]:
    files = entry.get("data_files")
    if isinstance(files, list):
        return [str(file) for file in files]
    if files:
        return [str(files)]
    return [":".join(str(entry[key]) for key in ("path", "config") if entry.get(key))]


def _name(entry: Item) -> str:
    return str(entry.get("name", ""))


def _find_stop(strategy: object) -> Stop | None:
    return find_stop(strategy, f"stopping_strategy={strategy!r}", STRATEGIES[1])


def _find_faults(numbers: Numbers, strategy: object) -> Iterator[str]:
    bad = find_invalid(numbers)
    total = math.fsum(numbers.values())
    if bad:
        yield (
            "the probabilities must be numbers >= 0, or datasets refuses them; that of "
            f"{list_names(bad)} is not."
        )
    elif abs(total - 1) > SUM_TOLERANCE:
        yield (
            "the probabilities must be >= 0 and sum to 1, or datasets refuses them; they "
            f"sum to {total:.6g}."
        )
    yield from find_never_drawn(numbers, strategy, f"stopping_strategy={strategy!r}")


def _find_strategy_traps(stopping_strategy: object) -> Iterator[str]:
    if stopping_strategy == LOSES:
        yield (
            f"stopping_strategy={LOSES!r} ends at the sizes of the datasets, whatever the "
            "probabilities."
        )


def _find_turns(*, turns: bool) -> Iterator[str]:
    if turns:
        yield "without probabilities the datasets take turns: all have one share of the examples."


def _read_python(document: Document) -> Config:
    found = document.python.calls("interleave_datasets")
    for call in document.python.outermost(found):
        given = document.python.arguments(call)
        names = [
            python_file.to_text(item)
            for item in document.python.items(given.get("datasets", given.get(0)))
        ]
        probabilities = given.get("probabilities", given.get(1))
        weights = document.python.weights(probabilities)
        # Without them the datasets take turns; behind a * they may be given.
        turns = probabilities is None and not python_file.has_spread(call)
        if turns:
            weights = [1 / len(names) for _ in names]
        if len(weights) == len(names) > 0:
            numbers = add_up(zip(names, map(to_number, weights), strict=True))
            # The default of the signature, unless a ** may hold another.
            usual = "" if python_file.has_spread(call) else STRATEGIES[0]
            strategy = given.get("stopping_strategy", given.get(5, usual))
            others = python_file.mention_others(found, call, "interleave_datasets")
            return Config(
                {0: numbers},
                stop=_find_stop(strategy),
                refused=tuple(_find_faults(numbers, strategy)),
                traps=(*_find_strategy_traps(strategy), *_find_turns(turns=turns), *others),
            )
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
