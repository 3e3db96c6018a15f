"""One file a column: each verb returns the corpus with that column more."""

from __future__ import annotations

from reweightviz.features.cluster import cluster
from reweightviz.features.embed import embed
from reweightviz.features.losses import losses
from reweightviz.features.project import project

__all__ = ["cluster", "embed", "losses", "project"]
