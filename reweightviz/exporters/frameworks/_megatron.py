"""Megatron's indexed datasets: prefixes of .bin and .idx files, blended by weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reweightviz.core.errors import RefusedByFramework, ReweightvizError, list_names
from reweightviz.core.sources import Sources
from reweightviz.exporters import provenance
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks._megatron_blend import read_weight
from reweightviz.exporters.plan import Entry, source_paths
from reweightviz.exporters.text.encoding import check_utf8

__all__ = ["MOST_DATASETS", "SUFFIX", "IndexedBlend"]


MOST_DATASETS = 32766
"""megatron-core indexes datasets by 16 bits with a sign."""
SUFFIX = "_text_document"
"""Megatron's preprocess_data.py appends it to an output prefix."""


class IndexedBlend(Exporter):
    """A framework that blends Megatron's indexed datasets, each known by its prefix."""

    by_path = True
    prepared_data = "indexed datasets (.bin and .idx) by their prefix"

    def holds_spaces(self, options: Mapping[str, Any]) -> bool:
        """Return whether a prefix may have white space in it."""
        return True

    def guess_domain(self, name: str) -> str:
        """Return the last part of a prefix, without what preprocess_data.py appends."""
        return Path(name).name.removesuffix(SUFFIX)

    def make_entries(
        self, domains: Sequence[str], sources: Sources | None, options: Mapping[str, Any]
    ) -> dict[str, Entry]:
        """Return prefix to domain; a domain with several is shared out by their .bin files."""
        prefixes = self._find_prefixes(domains, sources, options.get("prefix_dir"))
        entries: dict[str, Entry] = {}
        for domain, found in prefixes.items():
            for prefix, part in zip(found, _find_parts(domain, found), strict=True):
                _check_prefix(prefix, domain, holds_spaces=self.holds_spaces(options))
                if prefix in entries:
                    raise ReweightvizError(
                        f"{list_names([entries[prefix].domain, domain])} have one prefix, "
                        f"{prefix!r}; "
                        "each needs its own."
                    )
                entries[prefix] = Entry(domain, part, (prefix,))
        return entries

    def _find_prefixes(
        self, domains: Sequence[str], sources: Sources | None, prefix_dir: str | None
    ) -> dict[str, list[str]]:
        prefixes = {domain: _strip_endings(source_paths(domain, sources)) for domain in domains}
        absent = [domain for domain, found in prefixes.items() if not found]
        if absent and prefix_dir is None:
            raise RefusedByFramework(
                framework=self.title,
                reason="needs a prefix for each indexed dataset: sources= has no paths for "
                f"{list_names(absent)} (Sources.with_paths sets them, prefix_dir= makes "
                "them)",
            )
        taken: set[str] = set()
        for domain in absent:
            short = provenance.slug(domain, taken)
            # Not every file system tells upper case from lower case.
            taken.add(short.lower())
            prefixes[domain] = [f"{prefix_dir}/{short}{SUFFIX}"]
        count = sum(map(len, prefixes.values()))
        if count > MOST_DATASETS:
            raise RefusedByFramework(
                framework=self.title,
                reason=f"blends at most {MOST_DATASETS:,} datasets; got {count:,}",
            )
        return prefixes


def _strip_endings(paths: Sequence[str]) -> list[str]:
    # Both files of a dataset may be named; they are one prefix.
    return list(dict.fromkeys(path.removesuffix(".bin").removesuffix(".idx") for path in paths))


def _find_parts(domain: str, prefixes: Sequence[str]) -> list[float]:
    # By bytes, so that no shard of a domain is seen more often than another.
    if len(prefixes) == 1:
        return [1.0]
    try:
        sizes = [Path(prefix + ".bin").stat().st_size for prefix in prefixes]
    except (OSError, ValueError) as error:
        raise ReweightvizError(
            f"{domain[:60]!r} has {len(prefixes)} prefixes, to be shared out by the sizes "
            f"of their .bin files, which cannot be read: {error}."
        ) from error
    if not all(sizes):
        raise ReweightvizError(
            f"{prefixes[sizes.index(0)]}.bin of {domain[:60]!r} is empty; leave it out."
        )
    return [size / sum(sizes) for size in sizes]


def _check_prefix(prefix: str, domain: str, *, holds_spaces: bool) -> None:
    who = f"the prefix {prefix!r} of {domain[:60]!r}"
    if not prefix.strip() or prefix != prefix.strip():
        raise ReweightvizError(f"{who} begins or ends in white space, which Megatron cuts off.")
    if not holds_spaces and len(prefix.split()) > 1:
        raise ReweightvizError(
            f"{who} has white space, where Megatron cuts; form='per_split' can hold it."
        )
    if read_weight(prefix) is not None:
        raise ReweightvizError(
            f"{who} reads as a number, which Megatron may take for a weight; "
            f"give it as {'./' + prefix!r}."
        )
    if prefix.startswith("--"):
        raise ReweightvizError(
            f"{who} reads as an option of the command line; give it as {'./' + prefix!r}."
        )
    check_utf8(prefix)
