"""Mixing laws: what loss would this mixture reach? ``fit`` takes a swarm's arrays and returns a law."""

from __future__ import annotations

from reweightviz.laws.olmix import Olmix

__all__ = ["Olmix"]
