"""Widgets: each one .py and one same-named .js, usable alone; joined by :class:`reweightviz.Explorer`."""
