"""The front between targets."""

from reweightviz.widgets.front.pareto import ParetoFront

__all__ = ["ParetoFront"]
