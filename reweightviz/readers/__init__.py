"""Readers: one file a source, giving a Corpus, a Swarm or a RunLog."""

from reweightviz.readers.swarms import read as read_swarm
from reweightviz.readers.tables import read as read_corpus

__all__ = ["read_corpus", "read_swarm"]
