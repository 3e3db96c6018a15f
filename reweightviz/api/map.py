"""Step 1, map: documents on a plane, with their domains and clusters."""

from __future__ import annotations

from reweightviz.core.corpus import Corpus, open_corpus
from reweightviz.features import cluster, duplicates, embed, project
from reweightviz.readers.read_corpus import read_corpus

__all__ = [  # noqa: RUF022  in the order of the journey
    "demo_corpus",
    "read_corpus",
    "open_corpus",
    "embed",
    "project",
    "cluster",
    "duplicates",
]


def demo_corpus() -> Corpus:
    """Read the demo: real text from the packages installed beside reweightviz.

    It needs no network, is the same for the same environment, and is cached.
    """
    from reweightviz.readers.demo import corpus as demo

    return demo.read()
