"""Explorer: map, mixture editor and curves around one state."""

from reweightviz.apps.explorer.explorer import Explorer

__all__ = ["Explorer"]
