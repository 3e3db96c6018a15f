"""Bars of progress that leave nothing behind in a notebook."""

from __future__ import annotations

from typing import Any

from tqdm.auto import tqdm as _tqdm

__all__ = ["tqdm"]


class tqdm(_tqdm):  # type: ignore[misc]  # noqa: N801  it is used as the one that it extends
    """tqdm's bar; in a notebook its widgets are closed with it, where tqdm closes their box alone.

    Example:
        >>> sum(tqdm([1, 2], delay=1, leave=False))
        3
    """

    def close(self) -> None:
        """End the bar; one of a loop that failed stays on the page."""
        super().close()
        box: Any = getattr(self, "container", None)
        if box is None or box.comm is not None:
            return
        for part in box.children:
            part.style.close()
            part.layout.close()
            part.close()
        box.layout.close()
