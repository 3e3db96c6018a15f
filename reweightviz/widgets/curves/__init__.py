"""Curves of training runs by domain."""

from reweightviz.widgets.curves.curves import LossCurves, WeightTrajectories

__all__ = ["LossCurves", "WeightTrajectories"]
