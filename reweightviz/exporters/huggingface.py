"""Hugging Face datasets: a folder with ``mixture.yaml`` and a script that loads it.

``interleave_datasets`` draws examples, so a probability is a share of documents: p_i is proportional to
w_i / (mean tokens per document of i). Where the examples are packed to one length, ``unit="tokens"`` writes
the weights as they are. Checked with datasets 5.2.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.errors import ReweightvizError, ReweightvizWarning, listed, unknown_name
from reweightviz.core.files import write_atomically
from reweightviz.core.mixture import SUM_TOLERANCE, Mixture
from reweightviz.core.sources import Sources
from reweightviz.exporters import provenance, yaml_text
from reweightviz.exporters.provenance import PathLike, SourcesLike

FORMAT = "reweightviz.huggingface/1"
UNIT = "a probability is a share of examples (documents)"
UNITS = {
    "examples": UNIT,
    "tokens": "a probability is a share of examples of one fixed length, which is a share of tokens",
}
STRATEGIES = ("first_exhausted", "all_exhausted")
BUILDERS = {".parquet": "parquet", ".json": "json", ".jsonl": "json", ".ndjson": "json", ".csv": "csv",
            ".txt": "text", ".arrow": "arrow"}
COMPRESSED = (".gz", ".zst", ".bz2", ".xz")
COARSE, FINE = 2**20, 2**40
"""Probabilities are multiples of 1/COARSE, or of 1/FINE where one is so small that rounding would show."""

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
    return load_dataset(entry["path"], data_files=files, split=entry["split"], streaming=streaming)


if __name__ == "__main__":
    for row, example in zip(range(3), load()):
        print(row, example)
'''


def write(mixture: Mixture, path: PathLike, *, sources: SourcesLike = None, tokens: float | None = None,
          overwrite: bool = False, unit: str = "examples", seed: int = 42,
          stopping_strategy: str = "first_exhausted", split: str = "train",
          max_epochs: float = provenance.MAX_EPOCHS) -> Path:
    """Write the folder ``path`` with ``mixture.yaml`` and ``load_mixture.py``.

    Args:
        mixture: (K,) weights, shares of training tokens. Domains of weight 0 are left out, and said so.
        path: a folder that is there or whose parent is.
        sources: tokens and documents of each domain, and its paths: files of one kind, or one dataset name.
            Without paths the script wants the datasets handed over.
        tokens: budget of the run; adds the epochs of each domain.
        overwrite: replace the two files where they exist.
        unit: "examples", or "tokens" where every example is packed to the same length.
        seed: of the draws.
        stopping_strategy: "first_exhausted" ends with the first dataset that is used up (warned about where
            ``tokens`` is more), "all_exhausted" repeats it until all were.
        split: of every dataset.
        max_epochs: warn above it.

    Returns:
        The folder.

    Raises:
        ReweightvizError: one sentence; nothing was replaced.
    """
    _check_options(unit, stopping_strategy, seed)
    for domain in mixture:
        yaml_text.check_text(domain)
    table = provenance.as_sources(sources)
    kept = {domain: weight for domain, weight in mixture.items() if weight}
    means = _means(kept, table) if unit == "examples" else dict.fromkeys(kept, 1.0)
    ratio = np.array([weight / means[domain] for domain, weight in kept.items()])
    probabilities = dict(zip(kept, exact_shares(ratio).tolist(), strict=True))
    entries = [{"name": domain} | _place(domain, table, split) | {"probability": probability}
               | ({"mean_tokens": means[domain]} if unit == "examples" else {})
               for domain, probability in probabilities.items()]
    found = provenance.record("huggingface", UNITS[unit], mixture, sources=table, tokens=tokens,
                              max_epochs=max_epochs) | {"digest": provenance.digest(probabilities)}
    if stopping_strategy == "first_exhausted":
        _warn_of_early_end(found)
    content = {"format": FORMAT, "unit": unit, "seed": int(seed), "stopping_strategy": stopping_strategy,
               "datasets": entries, "provenance": found}
    text = provenance.comment(found, title="Training mixture for Hugging Face datasets")
    files = {"load_mixture.py": LOADER, "mixture.yaml": text + yaml_text.dumped(content)}
    return _write_folder(Path(path), files, overwrite=overwrite)


def read(path: PathLike) -> Mixture:
    """The mixture, in token shares, that ``mixture.yaml`` (or the folder that holds it) asks for now."""
    file = Path(path) / "mixture.yaml" if Path(path).is_dir() else Path(path)
    content = yaml_text.loaded(file)
    try:
        entries = {str(entry["name"]): dict(entry) for entry in content["datasets"]}
        numbers = {name: float(entry["probability"]) for name, entry in entries.items()}
        found, unit = dict(content.get("provenance") or {}), content.get("unit", "examples")
        repeated = len(content["datasets"]) - len(entries)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ReweightvizError(f"{file} is no mixture for Hugging Face datasets: it needs 'datasets', each "
                               f"with 'name' and 'probability' ({type(error).__name__}: {error}).") from error
    if repeated:
        raise ReweightvizError(f"each name may stand once in {file}; {repeated} came again.")
    total = math.fsum(numbers.values())
    if not all(number >= 0 for number in numbers.values()) or not abs(total - 1) <= SUM_TOLERANCE:
        raise ReweightvizError(f"the probabilities in {file} must be >= 0 and sum to 1, or datasets refuses "
                               f"them; they sum to {total:.6g}.")
    in_examples = unit == "examples"
    lengths = {name: entry.get("mean_tokens") if in_examples else 1.0 for name, entry in entries.items()}
    absent = [name for name, length in lengths.items() if not _above_zero(length)]
    if absent:
        raise ReweightvizError(f"{file} counts examples, so token shares need 'mean_tokens' above 0 beside "
                               f"{listed(absent)}.")
    shares = Mixture.normalized({name: numbers[name] * float(n or 0) for name, n in lengths.items()})
    return provenance.restored(numbers, shares, found, file)


def exact_shares(ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares (K,) proportional to ``ratio``, rounded to a binary grid by largest remainder.

    They sum to exactly 1 in any order, which some trainers ask for and 0.7 + 0.2 + 0.1 does not. A positive
    share never becomes 0.

    >>> sum(exact_shares(np.array([0.7, 0.2, 0.1])).tolist())
    1.0
    """
    scaled = ratio / ratio.max()
    shares = scaled / scaled.sum()
    grid = COARSE if shares[shares > 0].min() >= 2**10 / COARSE else FINE
    units = np.where(ratio > 0, np.maximum(np.floor(shares * grid), 1), 0).astype(np.int64)
    missing = grid - int(units.sum())
    order = np.argsort(units - shares * grid, kind="stable")
    units[order[: max(missing, 0)]] += 1
    units[np.argmax(units)] += min(missing, 0)
    return np.asarray(units / grid, np.float64)


def _check_options(unit: str, stopping_strategy: str, seed: int) -> None:
    if unit not in UNITS:
        raise unknown_name("unit of Hugging Face probabilities", unit, UNITS)
    if stopping_strategy == "all_exhausted_without_replacement":
        raise ReweightvizError("stopping_strategy='all_exhausted_without_replacement' loses the weights, it "
                               "ends at the sizes of the datasets: use 'first_exhausted' or 'all_exhausted'.")
    if stopping_strategy not in STRATEGIES:
        raise unknown_name("stopping_strategy", stopping_strategy, STRATEGIES)
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ReweightvizError(f"seed must be a whole number >= 0; got {seed!r}.")


def _means(kept: Mapping[str, float], sources: Sources | None) -> dict[str, float]:
    means = {d: sources[d].mean_tokens if sources is not None and d in sources else None for d in kept}
    absent = [domain for domain, mean in means.items() if not _above_zero(mean)]
    if absent:
        raise ReweightvizError("Hugging Face draws examples, so sources= must give tokens and documents of "
                               f"{listed(absent)}; unit='tokens' is for examples packed to one length.")
    return {domain: float(mean) for domain, mean in means.items() if mean is not None}


def _warn_of_early_end(found: Mapping[str, Any]) -> None:
    epochs, tokens = found.get("epochs", {}), found.get("tokens", 0)
    first = max(epochs, key=lambda domain: epochs[domain], default="")
    if epochs.get(first, 0) > 1 + 1e-6:
        warnings.warn(f"stopping_strategy='first_exhausted' ends when {first[:60]!r} is used up, at "
                      f"{tokens / epochs[first]:.4g} of {tokens:.4g} tokens; 'all_exhausted' repeats it.",
                      ReweightvizWarning, stacklevel=3)


def _above_zero(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value > 0


def _place(domain: str, sources: Sources | None, split: str) -> dict[str, Any]:
    paths = sources[domain].paths if sources is not None and domain in sources else ()
    if not paths:
        return {}
    for path in paths:
        yaml_text.check_text(path)
    kinds = {_builder(path) for path in paths}
    if kinds == {None} and len(paths) == 1:
        return {"path": paths[0], "split": split}
    if len(kinds) > 1 or None in kinds:
        raise ReweightvizError(f"the paths of {domain[:60]!r} must be files of one kind ({listed(BUILDERS)}) "
                               f"or one dataset name; got {listed(paths, 4)}.")
    return {"path": kinds.pop(), "data_files": list(paths), "split": split}


def _builder(path: str) -> str | None:
    suffixes = [suffix.lower() for suffix in Path(path).suffixes if suffix.lower() not in COMPRESSED]
    return BUILDERS.get(suffixes[-1]) if suffixes else None


def _write_folder(folder: Path, files: Mapping[str, str], *, overwrite: bool) -> Path:
    if folder.exists() and not folder.is_dir():
        raise ReweightvizError(f"cannot write the folder {folder}: a file of that name is there.")
    if not folder.parent.is_dir():
        raise ReweightvizError(f"cannot write {folder}: the folder {folder.parent} does not exist; "
                               "create it first.")
    there = [name for name in files if (folder / name).exists()]
    if there and not overwrite:
        raise ReweightvizError(f"{folder / there[-1]} exists already; pass overwrite=True to replace it.")
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise ReweightvizError(f"cannot write {folder}: {error.strerror or error}.") from error
    for name, content in files.items():
        write_atomically(folder / name, content)
    return folder
