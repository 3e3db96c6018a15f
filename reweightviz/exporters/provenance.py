"""Provenance: the record that stands beside every exported file, made and read back."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from reweightviz.core.errors import UnreadableFile, list_names
from reweightviz.core.jsonable import to_jsonable
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Sources
from reweightviz.core.version import VERSION
from reweightviz.exporters.epochs import MAX_EPOCHS, count_epochs
from reweightviz.exporters.text.encoding import read_text

__all__ = [
    "FIELDS",
    "FOLDER_RECORD",
    "MEND",
    "MOST_BYTES",
    "comment",
    "hash_text",
    "read_record",
    "record",
    "slug",
    "stamp",
]


FOLDER_RECORD = "provenance.json"
"""Name of the record of a folder; a single file has its own, ``<file>.provenance.json``."""
MOST_BYTES = 64 * 2**20
"""A larger file is no provenance, though one names every domain several times."""
MEND = "mend it, or delete it to go by the names in the file"


def stamp(framework: str, unit: str) -> dict[str, Any]:
    """Return the version, the time, the format, and what a number in it counts."""
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
    """Make the record of a file, ready for JSON.

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
        counted = "tokens"
        if sources is not None and sources.tokenizer:
            counted = f"tokens as counted by {sources.tokenizer}"
        found |= {
            "tokens": tokens,
            "counted": counted,
            "max_epochs": max_epochs or MAX_EPOCHS,
            "epochs": count_epochs(mixture, sources, tokens, max_epochs),
        }
    return found


def comment(found: Mapping[str, Any], *, title: str) -> str:
    """Return a record as ``#`` lines; names are quoted so that none can leave its line."""
    lines = [
        f"{title}, written by {found['written_by']} at {found['created']}.",
        f"Unit: {found['unit']}.",
    ]
    if found["source"]:
        lines.append(f"Mixture: {_short(found['source'])}")
    if found["dropped"]:
        lines.append(f"Left out, their weight is 0: {list_names(found['dropped'])}.")
    if "epochs" in found:
        lines.append(f"Epochs at {found['tokens']:.6g} tokens:")
        limit = found["max_epochs"]
        for name, passes in found["epochs"].items():
            line = f"  {name[:60]!r} {passes:.4g}"
            if passes > limit:
                line += f" (above {limit:g})"
            lines.append(line)
    return "".join(f"# {line}\n" for line in lines)


def slug(name: str, taken: Collection[str] = ()) -> str:
    """Return a short ASCII name that is safe in a path.

    A name that had to change ends in a hash of itself. ``taken`` holds slugs in lower case, for
    disks on which Web and web are one file.

    >>> slug("web"), slug("Côde / C++")
    ('web', 'Code-C-599e56')
    """
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    short = re.sub(r"[^A-Za-z0-9._-]+", "-", ascii_name)[:60].strip("-._")
    if short and short == name and short.lower() not in taken:
        return short
    mark = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=3).hexdigest()
    return f"{short or 'domain'}-{mark}"


def hash_text(text: str) -> str:
    """Hash a file that belongs to a config, whichever line ends it has."""
    text = text.replace("\r\n", "\n")
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def read_record(sidecar: Path, name: str) -> dict[str, Any]:
    """Read the provenance that stands beside a file.

    Args:
        sidecar: where it may stand; in ``provenance.json`` it must name the file.
        name: of the file.

    Returns:
        The record; {} where there is none, or only another file's.

    Raises:
        UnreadableFile: it is damaged.
    """
    # A link that leads nowhere is a damaged record, not a missing one, so Path.exists will not do.
    if not os.path.lexists(sidecar):
        return {}
    shared = sidecar.name == FOLDER_RECORD
    content = ""
    try:
        content = read_text(sidecar, MOST_BYTES)
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        # A damaged provenance.json matters only to the file that it is about.
        if shared and json.dumps(name) not in content:
            return {}
        if isinstance(error, UnreadableFile):
            raise type(error)(path=sidecar, reason=f"{error.reason}: {MEND}") from error
        raise _damaged(sidecar, str(error)) from error
    if shared and not (isinstance(found, dict) and found.get("file") == name):
        return {}
    if not isinstance(found, dict):
        raise _damaged(sidecar, "it must hold a mapping")
    for key, (kind, fits) in FIELDS.items():
        if found.get(key) is not None and not fits(found[key]):
            raise _damaged(sidecar, f"its {key!r} must be {kind}; got {found[key]!r:.60}")
    return found


def _damaged(sidecar: Path, reason: str) -> UnreadableFile:
    return UnreadableFile(path=sidecar, reason=f"the provenance is damaged, {reason}: {MEND}")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_list_of_text(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_mapping(value: object) -> bool:
    return isinstance(value, dict)


def _is_mapping_to_text(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_text, value.values()))


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_record(value: object) -> bool:
    """Check the fields of the record before; it has none before itself."""
    return (
        isinstance(value, dict)
        and "before" not in value
        and all(fits(value[key]) for key, (_, fits) in FIELDS.items() if value.get(key) is not None)
    )


def _is_mapping_to_numbers(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_number, value.values()))


FIELDS: dict[str, tuple[str, Callable[[object], bool]]] = {
    "file": ("text", _is_text),
    "framework": ("text", _is_text),
    "unit_key": ("text", _is_text),
    "digest": ("text", _is_text),
    "names": ("names to domains", _is_mapping_to_text),
    "domains": ("a list of names", _is_list_of_text),
    "dropped": ("a list of names", _is_list_of_text),
    "sizes": ("domains to numbers", _is_mapping_to_numbers),
    "epochs": ("domains to numbers", _is_mapping_to_numbers),
    "source": ("a mapping", _is_mapping),
    "how": ("a mapping", _is_mapping),
    "tokens": ("a number", _is_number),
    "max_epochs": ("a number", _is_number),
    "files": ("names to digests", _is_mapping_to_text),
    "edited": ("true or false", _is_flag),
    "before": ("a record", _is_record),
}
"""The fields of a provenance that are read back; each may be missing, or null."""


def _short(source: Mapping[str, Any]) -> str:
    text = json.dumps(source)
    if len(text) <= 300:
        return text
    return text[:300] + " ... (whole in the provenance)"
