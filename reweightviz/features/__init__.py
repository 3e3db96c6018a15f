"""Verbs on a corpus, one a file: most return it with a column more."""

from __future__ import annotations

from reweightviz.features.cluster import cluster
from reweightviz.features.distil import distil
from reweightviz.features.duplicates import duplicates
from reweightviz.features.embed import embed
from reweightviz.features.grade import grade
from reweightviz.features.gradients import gradients, weight_difference
from reweightviz.features.losses import losses
from reweightviz.features.project import project
from reweightviz.features.score import score
from reweightviz.features.score_weights import score_weights
from reweightviz.features.select import select
from reweightviz.features.split_by_score import split_by_score
from reweightviz.features.split_domain import split_domain

__all__ = [
    "cluster",
    "distil",
    "duplicates",
    "embed",
    "grade",
    "gradients",
    "losses",
    "project",
    "score",
    "score_weights",
    "select",
    "split_by_score",
    "split_domain",
    "weight_difference",
]
