"""Hugging Face datasets: a folder with ``mixture.yaml`` and a script that hands it to ``interleave_datasets``.

``interleave_datasets`` draws examples, so a probability is a share of documents: p_i is proportional to
w_i / (mean tokens per document of i), Lingua's 100-word and 10-word documents being why it matters. Where the
examples are packed to one length, ``unit="tokens"`` writes the weights as they are. Checked with datasets 5.2.
"""

from __future__ import annotations

import io
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.errors import ReweightvizError, listed, unknown_name
from reweightviz.core.files import write_atomically
from reweightviz.core.mixture import SUM_TOLERANCE, Mixture
from reweightviz.core.sources import Sources
from reweightviz.exporters import provenance

FORMAT = "reweightviz.huggingface/1"
UNIT = "a probability is a share of examples (documents)"
UNITS = {"examples": UNIT, "tokens": "a probability is a share of examples of one fixed length, which is a share of tokens"}
STRATEGIES = ("first_exhausted", "all_exhausted")
BUILDERS = {".parquet": "parquet", ".json": "json", ".jsonl": "json", ".ndjson": "json", ".csv": "csv", ".txt": "text",
            ".arrow": "arrow"}
COMPRESSED = (".gz", ".zst", ".bz2", ".xz")
COARSE, FINE = 2**20, 2**40
"""Probabilities are multiples of 1/COARSE, or of 1/FINE where one is so small that rounding would show."""

LOADER = '''"""Load mixture.yaml with Hugging Face datasets: `from load_mixture import load; data = load()`."""

from pathlib import Path

import yaml
from datasets import interleave_datasets, load_dataset

HERE = Path(__file__).parent


def load(datasets=None, *, streaming=True, file=HERE / "mixture.yaml"):
    """One interleaved dataset. `datasets` maps names to datasets that are at hand already."""
    config = yaml.safe_load(Path(file).read_text("utf-8"))
    parts = [(datasets or {}).get(entry["name"]) for entry in config["datasets"]]
    parts = [_open(entry, streaming) if part is None else part for entry, part in zip(config["datasets"], parts)]
    probabilities = [entry["probability"] for entry in config["datasets"]]
    return interleave_datasets(parts, probabilities=probabilities, seed=config["seed"],
                               stopping_strategy=config["stopping_strategy"])


def _open(entry, streaming):
    if "path" not in entry:
        raise ValueError(f"mixture.yaml has no path for {entry['name']!r}: pass it as load({{name: dataset}}).")
    return load_dataset(entry["path"], data_files=entry.get("data_files"), split=entry["split"], streaming=streaming)


if __name__ == "__main__":
    for row, example in zip(range(3), load()):
        print(row, example)
'''


def write(mixture: Mixture, path: str | os.PathLike[str], *, sources: Sources | Mapping[str, Any] | None = None,
          tokens: float | None = None, overwrite: bool = False, unit: str = "examples", seed: int = 42,
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
        stopping_strategy: "first_exhausted" or "all_exhausted" (which repeats the smaller ones).
        split: of every dataset.
        max_epochs: warn above it.

    Returns:
        The folder.

    Raises:
        ReweightvizError: one sentence; nothing was replaced.
    """
    _check_options(unit, stopping_strategy, seed)
    sources = provenance.as_sources(sources)
    kept = {domain: weight for domain, weight in mixture.items() if weight}
    for domain in mixture:
        _check_name(domain)
    means = _means(kept, sources) if unit == "examples" else dict.fromkeys(kept, 1.0)
    ratio = np.array([kept[domain] / means[domain] for domain in kept])
    probabilities = dict(zip(kept, exact_shares(ratio / ratio.sum()).tolist(), strict=True))
    found = provenance.record("huggingface", UNITS[unit], mixture, sources=sources, tokens=tokens, max_epochs=max_epochs)
    found["digest"] = provenance.digest(probabilities)
    entries = []
    for domain, probability in probabilities.items():
        entry = {"name": domain} | _place(domain, sources, split) | {"probability": probability}
        entry |= {"mean_tokens": means[domain]} if unit == "examples" else {}
        entries.append(entry | ({"epochs": found["epochs"][domain]} if "epochs" in found else {}))
    content = {"format": FORMAT, "unit": unit, "seed": int(seed), "stopping_strategy": stopping_strategy,
               "datasets": entries, "provenance": {key: value for key, value in found.items() if key != "epochs"}}
    text = provenance.comment(found, title="Training mixture for Hugging Face datasets") + _dumped(content)
    return _write_folder(Path(path), {"load_mixture.py": LOADER, "mixture.yaml": text}, overwrite=overwrite)


def read(path: str | os.PathLike[str]) -> Mixture:
    """The mixture, in token shares, that ``mixture.yaml`` (or the folder that holds it) asks for now."""
    file = Path(path) / "mixture.yaml" if Path(path).is_dir() else Path(path)
    content = _loaded(file)
    try:
        names = [str(entry["name"]) for entry in content["datasets"]]
        numbers = [float(entry["probability"]) for entry in content["datasets"]]
        found = dict(content.get("provenance") or {})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ReweightvizError(f"{file} is no mixture for Hugging Face datasets: it needs 'datasets', "
                               f"each with 'name' and 'probability' ({type(error).__name__}: {error}).") from error
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ReweightvizError(f"{file} names {listed(sorted(twice))} more than once.")
    total = math.fsum(numbers)
    if not all(number >= 0 for number in numbers) or not abs(total - 1) <= SUM_TOLERANCE:
        raise ReweightvizError(f"the probabilities in {file} must be >= 0 and sum to 1, or datasets refuses them; "
                               f"they sum to {total:.6g}.")
    probabilities = dict(zip(names, numbers, strict=True))
    shares = probabilities
    if content.get("unit", "examples") == "examples":
        absent = [entry["name"] for entry in content["datasets"] if not _above_zero(entry.get("mean_tokens"))]
        if absent:
            raise ReweightvizError(f"{file} counts examples, so token shares need 'mean_tokens' above 0 beside {listed(absent)}.")
        shares = {entry["name"]: probabilities[entry["name"]] * entry["mean_tokens"] for entry in content["datasets"]}
        shares = dict(Mixture.normalized(shares))
    return provenance.restored(probabilities, shares, found, file)


def exact_shares(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares (K,) rounded to a binary grid by largest remainder: any order of adding them gives exactly 1.

    A positive share never becomes 0. Some trainers compare ``sum(p) != 1``, which 0.7 + 0.2 + 0.1 fails.

    >>> sum(exact_shares(np.array([0.7, 0.2, 0.1])))
    1.0
    """
    grid = COARSE if shares[shares > 0].min() >= 2**10 / COARSE else FINE
    wanted = shares / shares.sum() * grid
    units = np.where(shares > 0, np.maximum(np.floor(wanted), 1), 0).astype(np.int64)
    missing = grid - int(units.sum())
    order = np.argsort(-(wanted - units), kind="stable")
    units[order[: max(missing, 0)]] += 1
    units[np.argmax(units)] += min(missing, 0)
    return np.asarray(units / grid, np.float64)


def _check_options(unit: str, stopping_strategy: str, seed: int) -> None:
    if unit not in UNITS:
        raise unknown_name("unit of Hugging Face probabilities", unit, UNITS)
    if stopping_strategy == "all_exhausted_without_replacement":
        raise ReweightvizError("stopping_strategy='all_exhausted_without_replacement' ends at the sizes of the datasets, whatever "
                               "the weights: use 'first_exhausted' or 'all_exhausted'.")
    if stopping_strategy not in STRATEGIES:
        raise unknown_name("stopping_strategy", stopping_strategy, STRATEGIES)
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ReweightvizError(f"seed must be a whole number >= 0; got {seed!r}.")


def _check_name(domain: str) -> None:
    try:
        domain.encode("utf-8")
    except UnicodeEncodeError:
        raise ReweightvizError(f"the domain name {domain[:60]!r} holds half a surrogate pair, which no UTF-8 file can.") from None


def _means(kept: Mapping[str, float], sources: Sources | None) -> dict[str, float]:
    means = {domain: sources[domain].mean_tokens if sources and domain in sources else None for domain in kept}
    absent = [domain for domain, mean in means.items() if not _above_zero(mean)]
    if absent:
        raise ReweightvizError(f"Hugging Face datasets draws examples, so sources= must give tokens and documents of {listed(absent)}; "
                               "unit='tokens' is for examples packed to one length.")
    return {domain: float(mean) for domain, mean in means.items() if mean is not None}


def _above_zero(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value > 0


def _place(domain: str, sources: Sources | None, split: str) -> dict[str, Any]:
    paths = sources[domain].paths if sources is not None and domain in sources else ()
    if not paths:
        return {}
    kinds = {_builder(path) for path in paths}
    if kinds == {None} and len(paths) == 1:
        return {"path": paths[0], "split": split}
    if len(kinds) > 1 or None in kinds:
        raise ReweightvizError(f"the paths of {domain[:60]!r} must be files of one kind ({listed(BUILDERS)}) or one dataset name; "
                               f"got {listed(paths, 4)}.")
    return {"path": kinds.pop(), "data_files": list(paths), "split": split}


def _builder(path: str) -> str | None:
    suffixes = [suffix for suffix in Path(path).suffixes if suffix not in COMPRESSED]
    return BUILDERS.get(suffixes[-1].lower()) if suffixes else None


def _write_folder(folder: Path, files: Mapping[str, str], *, overwrite: bool) -> Path:
    if folder.exists() and not folder.is_dir():
        raise ReweightvizError(f"cannot write the folder {folder}: a file of that name is there.")
    if not folder.parent.is_dir():
        raise ReweightvizError(f"cannot write {folder}: the folder {folder.parent} does not exist; create it first.")
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


def _dumped(content: Mapping[str, Any]) -> str:
    from ruamel.yaml import YAML

    yaml = YAML(pure=True)
    yaml.width = 2**20
    out = io.StringIO()
    yaml.dump(_quoted(content), out)
    return out.getvalue()


def _quoted(value: Any) -> Any:
    """Text in double quotes: readers of YAML 1.1 take a bare ``no`` or ``on`` for a truth value."""
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    if isinstance(value, Mapping):
        return {key if re.fullmatch("[a-z]+_?[a-z]+", key) and key not in _WORDS else DoubleQuotedScalarString(key): _quoted(item)
                for key, item in value.items()}
    if isinstance(value, list):
        return [_quoted(item) for item in value]
    return DoubleQuotedScalarString(value) if isinstance(value, str) else value


_WORDS = ("no", "on", "off", "yes", "true", "false", "null")


def _loaded(file: Path) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(file.read_text("utf-8"))
    except OSError as error:
        raise ReweightvizError(f"cannot read {file}: {error.strerror or error}.") from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise ReweightvizError(f"{file} is no YAML file: {' '.join(str(error).split())[:200]}.") from error
