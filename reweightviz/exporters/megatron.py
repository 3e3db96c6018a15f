"""Megatron-core: a file for ``--data-args-path``, or the JSON of ``--per-split-data-args-path``.

Megatron blends sequences of one fixed length, so its weights are shares of tokens and are written in full.
The file has room for weights and prefixes only; names and provenance, never the weights, stand beside it in
``<file>.provenance.json``. Checked with megatron-core 0.16.1.
"""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reweightviz.core.errors import ReweightvizError, listed, unknown_name
from reweightviz.core.files import write_atomically
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Sources
from reweightviz.exporters import provenance
from reweightviz.exporters.provenance import PathLike, SourcesLike

FORMAT = "reweightviz.megatron/1"
UNIT = "a weight is a share of training sequences of one fixed length, which is a share of tokens"
FORMS = ("text", "per_split")
MOST = 32766
SUFFIX = "_text_document"
"""What Megatron's preprocess_data.py appends to an output prefix."""


def write(mixture: Mixture, path: PathLike, *, sources: SourcesLike = None, tokens: float | None = None,
          overwrite: bool = False, form: str = "text", prefix_dir: str | None = None,
          max_epochs: float = provenance.MAX_EPOCHS) -> Path:
    """Write the blend ``path``, and ``<path>.provenance.json`` beside it.

    Args:
        mixture: (K,) weights, shares of training tokens. Domains of weight 0 are left out (Megatron asserts
            that each is above 0), and said so.
        path: the file; its folder must be there.
        sources: the prefix of the indexed dataset as the path of each domain, with or without .bin or .idx.
            A domain with several is shared out by the sizes of their .bin files.
        tokens: budget of the run; adds the epochs of each domain.
        overwrite: replace files that exist.
        form: "text" for ``--data-args-path``, "per_split" for ``--per-split-data-args-path`` (train only).
        prefix_dir: where domains without paths lie, as ``<prefix_dir>/<name>_text_document``.
        max_epochs: warn above it.

    Returns:
        The blend file.

    Raises:
        ReweightvizError: one sentence; nothing was replaced.
    """
    if form not in FORMS:
        raise unknown_name("form of a Megatron blend", form, FORMS)
    table = provenance.as_sources(sources)
    blend, names = _blend({d: w for d, w in mixture.items() if w}, table, prefix_dir, form)
    found = provenance.record("megatron", UNIT, mixture, sources=table, tokens=tokens, max_epochs=max_epochs)
    sidecar = {"format": FORMAT, "prefixes": names} | found | {"digest": provenance.digest(blend)}
    if form == "text":
        content = "".join(f"{weight!r} {prefix}\n" for prefix, weight in blend.items())
    else:
        words = [word for prefix, weight in blend.items() for word in (repr(weight), prefix)]
        content = json.dumps({"train": words, "valid": None, "test": None}, indent=1) + "\n"
    if Path(path).exists() and not overwrite:
        raise ReweightvizError(f"{path} exists already; pass overwrite=True to replace it.")
    write_atomically(_sidecar(path), json.dumps(sidecar, indent=2) + "\n", overwrite=overwrite)
    return write_atomically(path, content, overwrite=overwrite)


def read(path: PathLike) -> Mixture:
    """The mixture that Megatron would train on; names from the sidecar, else the ends of the prefixes."""
    blend = _parsed(Path(path))
    found = _record(_sidecar(path))
    known = {str(prefix): str(name) for prefix, name in (found.get("prefixes") or {}).items()}
    guesses = {prefix: Path(prefix).name.removesuffix(SUFFIX) for prefix in blend if prefix not in known}
    count = Counter((*guesses.values(), *set(known.values())))
    shares: dict[str, float] = {}
    for prefix, weight in blend.items():
        guess = guesses.get(prefix, "")
        name = known.get(prefix, guess if guess and count[guess] == 1 else prefix)
        shares[name] = shares.get(name, 0.0) + weight
    return provenance.restored(blend, shares, found, path)


def _blend(kept: Mapping[str, float], sources: Sources | None, prefix_dir: str | None,
           form: str) -> tuple[dict[str, float], dict[str, str]]:
    """Prefix to weight, and prefix to domain."""
    prefixes = {domain: _prefixes(domain, sources) for domain in kept}
    if prefix_dir is not None:
        taken: set[str] = set()
        for domain in [domain for domain, found in prefixes.items() if not found]:
            short = provenance.slug(domain, taken)
            taken.add(short.lower())
            prefixes[domain] = [f"{prefix_dir}/{short}{SUFFIX}"]
    absent = [domain for domain, found in prefixes.items() if not found]
    if absent:
        raise ReweightvizError(f"Megatron needs a prefix for each indexed dataset: sources= has no paths for "
                               f"{listed(absent)} (Sources.with_paths sets them, prefix_dir= makes them).")
    total = sum(map(len, prefixes.values()))
    if total > MOST:
        raise ReweightvizError(f"Megatron blends at most {MOST:,} datasets; got {total:,}.")
    blend: dict[str, float] = {}
    names: dict[str, str] = {}
    for domain, found in prefixes.items():
        for prefix, share in zip(found, _parts(domain, found), strict=True):
            _check_prefix(prefix, domain, form)
            if prefix in names:
                raise ReweightvizError(f"{listed([names[prefix], domain])} have one prefix, {prefix!r}; "
                                       "each needs its own.")
            blend[prefix], names[prefix] = kept[domain] * share, domain
    return blend, names


def _prefixes(domain: str, sources: Sources | None) -> list[str]:
    paths = sources[domain].paths if sources is not None and domain in sources else ()
    return list(dict.fromkeys(path.removesuffix(".bin").removesuffix(".idx") for path in paths))


def _parts(domain: str, prefixes: Sequence[str]) -> list[float]:
    # By bytes, so that no shard of a domain is seen more often than another.
    if len(prefixes) == 1:
        return [1.0]
    try:
        sizes = [Path(prefix + ".bin").stat().st_size for prefix in prefixes]
    except (OSError, ValueError) as error:
        raise ReweightvizError(f"{domain[:60]!r} has {len(prefixes)} prefixes, to be shared out by the sizes "
                               f"of their .bin files, which cannot be read: {error}.") from error
    if not all(sizes):
        raise ReweightvizError(f"{prefixes[sizes.index(0)]}.bin of {domain[:60]!r} is empty; leave it out.")
    return [size / sum(sizes) for size in sizes]


def _check_prefix(prefix: str, domain: str, form: str) -> None:
    who = f"the prefix {prefix!r} of {domain[:60]!r}"
    if not prefix.strip() or prefix != prefix.strip():
        raise ReweightvizError(f"{who} begins or ends in white space, which Megatron cuts off.")
    if form == "text" and len(prefix.split()) > 1:
        raise ReweightvizError(f"{who} has white space, where Megatron cuts; form='per_split' can hold it.")
    if _number(prefix) is not None:
        raise ReweightvizError(f"{who} reads as a number, which Megatron may take for a weight; "
                               f"give it as {'./' + prefix!r}.")
    try:
        prefix.encode("utf-8")
    except UnicodeEncodeError:
        raise ReweightvizError(f"{who} holds half of a surrogate pair, which no UTF-8 file can.") from None


def _number(word: object) -> float | None:
    try:
        return float(word) if isinstance(word, str | int | float) else None
    except ValueError:
        return None


def _parsed(path: Path) -> dict[str, float]:
    """Prefix to weight, as megatron.core.datasets.utils.get_blend_from_list reads it."""
    words = _words(path)
    weights = [_number(word) for word in words[::2]]
    prefixes = [str(word).strip() for word in words[1::2]]
    if not words or len(words) % 2 or None in weights:
        raise ReweightvizError(f"{path} must hold weights and prefixes in turn; "
                               "as it is, Megatron would take every word for a dataset.")
    blend = {prefix: float(weight or 0) for prefix, weight in zip(prefixes, weights, strict=True)}
    bad = [prefix for prefix, weight in blend.items() if not 0 < weight < math.inf]
    if bad or len(blend) < len(prefixes):
        fault = f"that of {listed(bad)} is not" if bad else "a prefix stands there twice"
        raise ReweightvizError(f"{path} must give each prefix once, with a finite weight above 0; {fault}.")
    return blend


def _words(path: Path) -> list[Any]:
    try:
        text = path.read_text("utf-8")
        if not text.lstrip().startswith("{"):
            return text.split()
        train = json.loads(text)["train"]
    except OSError as error:
        raise ReweightvizError(f"cannot read {path}: {error.strerror or error}.") from error
    except (ValueError, KeyError) as error:
        raise ReweightvizError(f"{path} is no Megatron blend, neither weights and prefixes nor JSON with "
                               f"'train': {error}.") from error
    return train.split() if isinstance(train, str) else list(train or ())


def _sidecar(path: PathLike) -> Path:
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
