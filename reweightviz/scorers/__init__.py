"""Scorers: how much is this document worth? ``score`` names the columns it needs and returns (N,)."""

from __future__ import annotations

from reweightviz.scorers.loss import Loss

__all__ = ["Loss"]
