"""Scorers: the worth of a document. ``score`` names the columns it needs and returns (N,)."""

from __future__ import annotations

from reweightviz.scorers.loss import Loss

__all__ = ["Loss"]
