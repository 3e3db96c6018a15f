"""Provenance: what every exported file says of itself, and the warnings that go with it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
import re
import unicodedata
from collections.abc import Collection, Mapping
from typing import Any

from reweightviz.core.errors import ReweightvizError, listed, warn
from reweightviz.core.jsonable import to_jsonable
from reweightviz.core.mixture import SUM_TOLERANCE, Mixture
from reweightviz.core.sources import Sources
from reweightviz.core.version import VERSION

MAX_EPOCHS = 4.0
"""Passes over one domain after which repeating it is worth a warning (Muennighoff et al., 2023)."""


def stamp(framework: str, unit: str) -> dict[str, Any]:
    """Who wrote a file, when, in which format, and what its numbers count."""
    created = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "written_by": f"reweightviz {VERSION}",
        "created": created,
        "framework": framework,
        "unit": unit,
    }


def record(
    framework: str,
    unit: str,
    mixture: Mixture,
    *,
    sources: Sources | None,
    tokens: float | None,
    max_epochs: float | None = None,
) -> dict[str, Any]:
    """What a file says of itself, ready for JSON.

    Args:
        framework: the registry's name of the format.
        unit: one sentence, what a number in the file counts.
        mixture: (K,) weights, shares of training tokens.
        sources: tokens available in each domain; needed for epochs only.
        tokens: budget of the run, in tokens; adds the epochs of each domain.
        max_epochs: a domain that is passed over more often is refused; None warns above
            ``MAX_EPOCHS``.

    Raises:
        ReweightvizError: ``tokens`` without ``sources``, a weight on a domain that holds nothing,
            or more than ``max_epochs``.
    """
    found: dict[str, Any] = stamp(framework, unit) | {
        "source": to_jsonable(mixture.source),
        "domains": list(mixture.domains),
        "dropped": [domain for domain, weight in mixture.items() if not weight],
    }
    if tokens is not None:
        epochs = _epochs(mixture, sources, tokens)
        _check_epochs(epochs, mixture, sources, tokens, max_epochs)
        counted = (
            f"tokens as counted by {sources.tokenizer}"
            if sources is not None and sources.tokenizer
            else "tokens"
        )
        found |= {
            "tokens": tokens,
            "counted": counted,
            "max_epochs": max_epochs or MAX_EPOCHS,
            "epochs": epochs,
        }
    return found


def comment(found: Mapping[str, Any], *, title: str) -> str:
    """A record as ``#`` lines; names are quoted so that none can leave its line."""
    lines = [
        f"{title}, written by {found['written_by']} at {found['created']}.",
        f"Unit: {found['unit']}.",
    ]
    if found["source"]:
        lines.append(f"Mixture: {_short(found['source'])}")
    if found["dropped"]:
        lines.append(f"Left out, their weight is 0: {listed(found['dropped'])}.")
    if "epochs" in found:
        lines.append(f"Epochs at {found['tokens']:.6g} tokens:")
        limit = found["max_epochs"]
        lines += [
            f"  {name[:60]!r} {passes:.4g}" + (f" (above {limit:g})" if passes > limit else "")
            for name, passes in found["epochs"].items()
        ]
    return "".join(f"# {line}\n" for line in lines)


def digest(weights: Mapping[str, float]) -> str:
    """A short hash of names and numbers, to see later whether a file was edited."""
    pairs = [[name, float(weight).hex()] for name, weight in sorted(weights.items())]
    return hashlib.blake2b(json.dumps(pairs).encode(), digest_size=8).hexdigest()


def restore_mixture(
    shares: Mapping[str, float], found: Mapping[str, Any], path: object, *, edited: bool
) -> Mixture:
    """The mixture that a file holds: its own weights, with the domains that were left out at 0.

    Args:
        shares: domain to share of tokens, on any scale.
        found: the record beside the file; may be empty.
        path: the file, for the source of the mixture.
        edited: the numbers in the file are not those that the record was written with.
    """
    dropped = [str(name) for name in found.get("dropped", ()) if name not in shares]
    order = [str(name) for name in found.get("domains", ()) if name in shares or name in dropped]
    weights = dict.fromkeys(order, 0.0) | dict.fromkeys(dropped, 0.0) | dict(shares)
    before = dict(found.get("source") or {})
    source = ({"method": "edited by hand", "before": before} if edited else before) | {
        "read_from": str(path)
    }
    exact = abs(math.fsum(weights.values()) - 1) <= SUM_TOLERANCE
    return Mixture(weights, source=source) if exact else Mixture.normalized(weights, source=source)


def slug(name: str, taken: Collection[str] = ()) -> str:
    """A short ASCII name that is safe in a path; a name that had to change ends in a hash of itself.

    ``taken`` holds slugs in lower case, for disks that do not tell Web from web.

    >>> slug("web"), slug("Côde / C++")
    ('web', 'Code-C-599e56')
    """
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    short = re.sub(r"[^A-Za-z0-9._-]+", "-", ascii_name)[:60].strip("-._")
    if short and short == name and short.lower() not in taken:
        return short
    mark = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=3).hexdigest()
    return f"{short}-{mark}" if short else f"domain-{mark}"


def _short(source: Mapping[str, Any]) -> str:
    text = json.dumps(source)
    return text if len(text) <= 300 else text[:300] + " ... (whole in the provenance)"


def _epochs(mixture: Mixture, sources: Sources | None, tokens: float) -> dict[str, float]:
    if sources is None:
        raise ReweightvizError(
            "epochs at a budget need sources=, the tokens of each domain; got none."
        )
    drawn = Mixture({domain: weight for domain, weight in mixture.items() if weight})
    epochs = drawn.epochs(sources.token_table, tokens)
    empty = [domain for domain, passes in epochs.items() if math.isinf(passes)]
    if empty:
        raise ReweightvizError(
            f"{listed(empty)} has a weight above 0 but no tokens: set its weight to 0."
        )
    return epochs


def _check_epochs(
    epochs: Mapping[str, float],
    mixture: Mixture,
    sources: Sources | None,
    tokens: float,
    max_epochs: float | None,
) -> None:
    limit = MAX_EPOCHS if max_epochs is None else max_epochs
    often = [
        f"{domain[:60]!r} {passes:.3g}"
        for domain, passes in epochs.items()
        if passes > limit * (1 + 1e-6)
    ]
    if not often:
        return
    sentence = f"more than {limit:g} epochs at {tokens:.4g} tokens: {', '.join(often[:12])}"
    if max_epochs is None:
        warn(f"{sentence}.")
        return
    there = limit * float(
        sum(sources[d].tokens for d in mixture if sources is not None and mixture[d])
    )
    whole = f" (all its data {limit:g} times is {there:.4g} tokens)" if there < tokens else ""
    raise ReweightvizError(
        f"{sentence}{whole}: lower their weights or tokens=, or raise max_epochs."
    )
