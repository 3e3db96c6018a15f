"""Paths of a domain, as the sources give them."""

from __future__ import annotations

from reweightviz.core.sources import Sources


def find_paths(domain: str, sources: Sources | None) -> tuple[str, ...]:
    """Return the paths of a domain, () where the sources do not name it."""
    if sources is None or domain not in sources:
        return ()
    return sources[domain].paths


def find_documents(domain: str, sources: Sources | None) -> float | None:
    """Return the number of documents of a domain, None where it is not known."""
    if sources is None or domain not in sources:
        return None
    return sources[domain].documents
