"""The mixture editor: one row a domain."""

from reweightviz.widgets.editor.mixture_editor import MixtureEditor

__all__ = ["MixtureEditor"]
