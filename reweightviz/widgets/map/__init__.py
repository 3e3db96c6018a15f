"""The embedding map, drawn by the weights of a mixture."""

from reweightviz.widgets.map.map import Map

__all__ = ["Map"]
