"""What an explorer's widgets are set to, beside its mixture, selection and hidden domains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reweightviz.apps.explorer.explorer import Explorer

__all__ = ["SAVED", "View", "apply_view", "merge_views", "read_view"]


View = dict[str, Any]
"""``reference`` and ``locked`` by domain, and each other setting by its name."""
SAVED = ("reference", "reference_name", "budget", "max_epochs", "locked")
"""Traits of the editor; the map's ``color_by`` comes beside them."""
_BY_DOMAIN = ("reference", "locked")


def read_view(explorer: Explorer) -> View:
    """Return the present settings, as JSON holds them."""
    editor = explorer.editor
    view = {name: getattr(editor, name) for name in SAVED}
    for name in _BY_DOMAIN:
        view[name] = dict(zip(editor.domains, view[name], strict=True))
    view["color_by"] = explorer.map.color_by if explorer.map else "domain"
    return view


def apply_view(explorer: Explorer, view: Mapping[str, Any]) -> None:
    """Set what a view holds."""
    editor = explorer.editor
    for name in SAVED:
        if name not in view:  # an older file
            continue
        value = view[name]
        if name in _BY_DOMAIN:
            value = [value[domain] for domain in editor.domains]
        setattr(editor, name, value)
    # The column may have been of a corpus that has more of them.
    if explorer.map is not None and view["color_by"] in explorer.map.color_options:
        explorer.map.color_by = view["color_by"]


def merge_views(base: Mapping[str, Any], ours: View, theirs: Mapping[str, Any]) -> View:
    """Return what another changed since ``base``, and our own where we changed the same."""
    merged = dict(ours)
    for name, value in theirs.items():
        if ours.get(name) == base.get(name):
            merged[name] = value
        elif name == "locked":
            merged[name] = merge_views(base.get(name, {}), ours[name], value)
    return merged
