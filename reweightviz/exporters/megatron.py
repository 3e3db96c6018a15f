"""Megatron-core: the words of ``--data-path`` in a file for ``--data-args-path``, or the JSON of ``--per-split-data-args-path``.

Megatron blends sequences of one fixed length, so its weights are shares of tokens and are written in full. The file has
room for weights and prefixes only; names and provenance stand beside it in ``<file>.provenance.json``, never the weights.
Checked with megatron-core 0.16.1.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reweightviz.core.errors import ReweightvizError, listed, unknown_name
from reweightviz.core.files import write_atomically
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Sources
from reweightviz.exporters import provenance

FORMAT = "reweightviz.megatron/1"
UNIT = "a weight is a share of training sequences of one fixed length, which is a share of tokens"
FORMS = ("text", "per_split")
MOST = 32766
SUFFIX = "_text_document"
"""What Megatron's preprocess_data.py appends to an output prefix."""


def write(mixture: Mixture, path: str | os.PathLike[str], *, sources: Sources | Mapping[str, Any] | None = None,
          tokens: float | None = None, overwrite: bool = False, form: str = "text", prefix_dir: str | None = None,
          max_epochs: float = provenance.MAX_EPOCHS) -> Path:
    """Write the blend ``path`` and ``path.provenance.json`` beside it.

    Args:
        mixture: (K,) weights, shares of training tokens. Domains of weight 0 are left out (Megatron asserts > 0), and said so.
        path: the file; its folder must be there.
        sources: prefixes of the indexed datasets as ``paths`` of each domain (with or without .bin or .idx). A domain with several is
            shared out by the sizes of their .bin files.
        tokens: budget of the run; adds the epochs of each domain.
        overwrite: replace files that exist.
        form: "text" for ``--data-args-path``, "per_split" for ``--per-split-data-args-path`` (only train is set).
        prefix_dir: where domains without paths lie, as ``prefix_dir/<name>_text_document``.
        max_epochs: warn above it.

    Returns:
        The blend file.

    Raises:
        ReweightvizError: one sentence; nothing was replaced.
    """
    if form not in FORMS:
        raise unknown_name("form of a Megatron blend", form, FORMS)
    sources = provenance.as_sources(sources)
    found = provenance.record("megatron", UNIT, mixture, sources=sources, tokens=tokens, max_epochs=max_epochs)
    blend, names = _blend({d: w for d, w in mixture.items() if w}, sources, prefix_dir, form)
    words = [word for prefix, weight in blend.items() for word in (repr(weight), prefix)]
    lines = "".join(f"{weight} {prefix}\n" for weight, prefix in zip(words[::2], words[1::2], strict=True))
    content = lines if form == "text" else json.dumps({"train": words, "valid": None, "test": None}, indent=1) + "\n"
    sidecar = {"format": FORMAT, "prefixes": names} | found | {"digest": provenance.digest(blend)}
    if not overwrite and Path(path).exists():
        raise ReweightvizError(f"{path} exists already; pass overwrite=True to replace it.")
    write_atomically(_sidecar(path), json.dumps(sidecar, indent=2) + "\n", overwrite=overwrite)
    return write_atomically(path, content, overwrite=overwrite)


def read(path: str | os.PathLike[str]) -> Mixture:
    """The mixture that Megatron would train on; domain names from the sidecar, else from the ends of the prefixes."""
    blend = _parsed(Path(path))
    found = _record(_sidecar(path))
    known = {str(prefix): str(name) for prefix, name in (found.get("prefixes") or {}).items()}
    names = {prefix: known.get(prefix) or Path(prefix).name.removesuffix(SUFFIX) for prefix in blend}
    fresh = [names[prefix] for prefix in blend if prefix not in known]
    shares: dict[str, float] = {}
    for prefix, weight in blend.items():
        clash = prefix not in known and (fresh.count(names[prefix]) > 1 or names[prefix] in known.values())
        name = prefix if clash else names[prefix]
        shares[name] = shares.get(name, 0.0) + weight
    return provenance.restored(blend, shares, found, path)


def _blend(kept: Mapping[str, float], sources: Sources | None, prefix_dir: str | None,
           form: str) -> tuple[dict[str, float], dict[str, str]]:
    """Prefix to weight, and prefix to domain."""
    blend: dict[str, float] = {}
    names: dict[str, str] = {}
    taken: list[str] = []
    absent = []
    for domain, weight in kept.items():
        prefixes = _prefixes(domain, sources)
        if not prefixes and prefix_dir is not None:
            taken.append(provenance.slug(domain, taken))
            prefixes = [f"{prefix_dir}/{taken[-1]}{SUFFIX}"]
        absent += [] if prefixes else [domain]
        for prefix, share in zip(prefixes, _parts(domain, prefixes), strict=True):
            _check_prefix(prefix, domain, form)
            if prefix in names:
                raise ReweightvizError(f"{domain[:60]!r} and {names[prefix][:60]!r} have the same prefix {prefix!r}; each needs its own.")
            blend[prefix], names[prefix] = weight * share, domain
    if absent:
        raise ReweightvizError(f"Megatron needs the prefix of each indexed dataset: sources= has no paths for {listed(absent)} "
                               "(Sources.with_paths sets them, prefix_dir= derives them from the names).")
    if len(blend) > MOST:
        raise ReweightvizError(f"Megatron blends at most {MOST:,} datasets; this mixture has {len(blend):,}.")
    return blend, names


def _prefixes(domain: str, sources: Sources | None) -> list[str]:
    paths = sources[domain].paths if sources is not None and domain in sources else ()
    return list(dict.fromkeys(path.removesuffix(".bin").removesuffix(".idx") for path in paths))


def _parts(domain: str, prefixes: Sequence[str]) -> list[float]:
    """How a domain's weight is shared over its prefixes: by bytes, so that no shard is seen more often."""
    if len(prefixes) <= 1:
        return [1.0] * len(prefixes)
    try:
        sizes = [Path(prefix + ".bin").stat().st_size for prefix in prefixes]
    except OSError as error:
        raise ReweightvizError(f"{domain[:60]!r} has {len(prefixes)} prefixes, shared out by the sizes of their .bin files, "
                               f"but {error.filename} cannot be read.") from error
    if not all(sizes):
        raise ReweightvizError(f"{prefixes[sizes.index(0)]}.bin is empty; leave it out of {domain[:60]!r}.")
    return [size / sum(sizes) for size in sizes]


def _check_prefix(prefix: str, domain: str, form: str) -> None:
    spaced = prefix != prefix.strip() or (form == "text" and len(prefix.split()) != 1) or not prefix
    if spaced:
        raise ReweightvizError(f"the prefix {prefix!r} of {domain[:60]!r} has spaces, where Megatron would cut it; move the data"
                               + (", or use form='per_split'." if prefix.strip() and prefix == prefix.strip() else "."))
    if _number(prefix) is not None:
        raise ReweightvizError(f"the prefix {prefix!r} of {domain[:60]!r} reads as a number, which Megatron may take for a weight; "
                               f"write {'./' + prefix!r}.")


def _number(word: object) -> float | None:
    try:
        return float(word) if isinstance(word, str | int | float) else None
    except ValueError:
        return None


def _parsed(path: Path) -> dict[str, float]:
    """Prefix to weight, as get_blend_from_list reads it."""
    words = _words(path)
    weights = [_number(word) for word in words[::2]]
    prefixes = [str(word).strip() for word in words[1::2]]
    if not words or len(words) % 2 or any(weight is None for weight in weights):
        raise ReweightvizError(f"{path} is no blend of weights and prefixes in turn: Megatron would take every word for a dataset.")
    bad = [prefix for prefix, weight in zip(prefixes, weights, strict=True) if not (weight and 0 < weight < math.inf)]
    if bad:
        raise ReweightvizError(f"the weights in {path} must be finite and above 0; that of {listed(bad)} is not.")
    if len(set(prefixes)) != len(prefixes):
        raise ReweightvizError(f"{path} names a prefix more than once.")
    return {prefix: float(weight) for prefix, weight in zip(prefixes, weights, strict=True) if weight}


def _words(path: Path) -> list[Any]:
    try:
        text = path.read_text("utf-8")
        if not text.lstrip().startswith("{"):
            return text.split()
        train = json.loads(text)["train"]
    except OSError as error:
        raise ReweightvizError(f"cannot read {path}: {error.strerror or error}.") from error
    except (ValueError, KeyError) as error:
        raise ReweightvizError(f"{path} is no Megatron blend: neither weights and prefixes nor JSON with 'train' ({error}).") from error
    return train.split() if isinstance(train, str) else list(train or ())


def _sidecar(path: str | os.PathLike[str]) -> Path:
    return Path(f"{os.fspath(path)}.provenance.json")


def _record(sidecar: Path) -> dict[str, Any]:
    try:
        found = json.loads(sidecar.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ReweightvizError(f"cannot read {sidecar}, which names the domains of the blend: {error}; "
                               "mend it, or delete it to go by the prefixes.") from error
    return found if isinstance(found, dict) else {}
