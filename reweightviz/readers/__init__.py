"""Readers: one file a source, giving a Corpus, a Swarm or a RunLog."""
