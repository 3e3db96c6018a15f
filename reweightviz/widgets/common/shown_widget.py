"""Widgets that a cell shows: closed whole, and when the cell shows others in their place.

ipywidgets keeps every widget until it is closed, in the kernel and in the page. A cell that is run
again makes new ones; without this each run would leave what the run before it made.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any
from weakref import ref

import ipywidgets

__all__ = ["ShownWidget", "close_parts"]


class ShownWidget(ipywidgets.Widget):
    """Mixin of a widget, named first: it closes with its parts, and with its place on the page.

    A widget that a cell showed is closed when that cell, run again, shows another of its class,
    unless it is shown elsewhere or a variable still holds it: itself, in a list, tuple, set or
    dict, or as an attribute.
    """

    def close(self) -> None:
        """Take it off every page, with all that it is made of."""
        close_parts(self)
        super().close()

    def _repr_mimebundle_(self, **options: Any) -> Any:
        _note_shown(self)
        return super()._repr_mimebundle_(**options)


def close_parts(whole: ipywidgets.Widget) -> None:
    """Close what a widget is made of: its children, layout and style, and their parts."""
    if whole.comm is None:
        return
    for part in list(_list_parts(whole)):
        close_parts(part)
        part.close()


def _list_parts(whole: ipywidgets.Widget) -> Iterator[ipywidgets.Widget]:
    for name in whole.keys:
        value = getattr(whole, name)
        values = value if isinstance(value, list | tuple) else [value]
        yield from (each for each in values if isinstance(each, ipywidgets.Widget))


# ---- cells

_Shown = ref[ShownWidget]
_by_cell: dict[str, list[_Shown]] = {}  # what the last run of each cell shows
_now: list[_Shown] = []  # what the cell that runs has shown


def _note_shown(widget: ShownWidget) -> None:
    shell = _find_shell()
    if shell is None:
        return
    if _end_cell not in shell.events.callbacks["post_run_cell"]:
        shell.events.register("post_run_cell", _end_cell)
    _now.append(ref(widget))


def _end_cell(result: Any) -> None:
    """Close what the cell showed before and shows no more."""
    new = _now.copy()
    _now.clear()
    cell = getattr(getattr(result, "info", None), "cell_id", None)
    if cell is None or not new:
        return
    old = _by_cell.get(cell, [])
    _by_cell[cell] = new
    shown = {id(each()) for cell_shown in _by_cell.values() for each in cell_shown}
    # By name: anywidget gives every widget a class of its own.
    classes = {type(each()).__name__ for each in new}
    for each in old:
        widget = each()
        superseded = id(widget) not in shown and type(widget).__name__ in classes
        if widget is not None and superseded and not _is_held(widget):
            widget.close()
            _forget_output(widget)


def _forget_output(widget: ShownWidget) -> None:
    """Take a closed widget out of IPython's ``Out``, and the pictures of it out of its history.

    They would keep its documents in memory, and 0.1 MB of SVG or PNG for every run of its cell.
    """
    shell = _find_shell()
    outputs = shell.user_ns.get("_oh", {})
    # IPython before 9 keeps no bundles.
    bundles = getattr(shell.history_manager, "outputs", {})
    for number in [number for number, output in outputs.items() if output is widget]:
        del outputs[number]
        if number in bundles:
            bundles[number] = [
                each for each in bundles[number] if each.output_type != "execute_result"
            ]
        for names in (shell.user_ns, shell.user_ns_hidden):
            names.pop(f"_{number}", None)


def _is_held(widget: ShownWidget) -> bool:
    """Return whether a variable of the person's holds it; IPython's own begin with _."""
    shell = _find_shell()
    for name, value in list(shell.user_ns.items()):
        if name.startswith("_") or name in ("In", "Out"):
            continue
        if any(each is widget for each in _list_held(value)):
            return True
    return False


def _list_held(value: Any) -> list[Any]:
    if isinstance(value, list | tuple | set):
        return list(value)
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, type(sys)):
        return [value]
    return [value, *getattr(value, "__dict__", {}).values()]


def _find_shell() -> Any:
    """Return IPython's shell; None outside of it, where nothing is imported for this."""
    ipython = sys.modules.get("IPython")
    return ipython and ipython.get_ipython()
