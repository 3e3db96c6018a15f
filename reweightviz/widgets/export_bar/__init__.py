"""The export bar: choose a framework, see what would be written, write it."""

from reweightviz.widgets.export_bar.export_bar import ExportBar

__all__ = ["ExportBar"]
