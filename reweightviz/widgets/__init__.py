"""Widgets: a folder each, usable alone; joined by :class:`reweightviz.Explorer`."""
