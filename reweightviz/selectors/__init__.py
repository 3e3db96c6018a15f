"""Selectors: documents within a budget. ``select`` returns k unique rows, in pick order."""

from __future__ import annotations

from reweightviz.selectors.top_k import TopK

__all__ = ["TopK"]
