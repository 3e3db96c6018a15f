"""Map: documents on an embedding map, drawn as the mixture would see them."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import numpy as np
import traitlets as t
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import (
    InvalidArgument,
    InvalidValue,
    ReweightvizError,
    UnknownName,
    UnmetNeed,
    WrongDomains,
    listed,
)
from reweightviz.core.mixture import Mixture
from reweightviz.core.selection import Selection
from reweightviz.figures.map_picture import draw_map
from reweightviz.figures.palette import choose_colors
from reweightviz.widgets.common.assemble import assemble
from reweightviz.widgets.common.reported_errors import ReportedErrors
from reweightviz.widgets.map.points import points_of

_HERE = Path(__file__).parent
EXCERPT = 600
PICTURE = (600, 400)


def _raw(**keywords: Any) -> Any:
    # Buffers arrive from the page as memoryview, which Bytes refuses without from_json.
    return t.Bytes(b"", **keywords).tag(sync=True, from_json=lambda value, _: bytes(value))


class Map(ReportedErrors, anywidget.AnyWidget):
    """Documents on their embedding map; size and opacity of a point follow its domain's emphasis.

    The emphasis of domain k is ``w_k / natural_k``: neutral at 1, gone at 0. Drag to pan, wheel to
    zoom, lasso or rectangle to select (shift adds, alt subtracts); click a legend entry to hide
    it, shift-click to isolate it. Maps and editors with the same ``link`` share weights, hidden
    domains and focus.

    Args:
        corpus_or_xy: a corpus with column ``xy``, or places (N, 2).
        domains: with places, the domain of each document (N,).
        natural: share of tokens that each domain holds; a corpus knows its own, places count
            documents.
        mixture: weights to draw, shares of training tokens; natural when not given.
        color_by: ``"domain"``, ``"cluster"`` or a numeric column.
        texts: with places, texts (N,) or a function from rows to texts, shown on hover.
        ids: with places, ids (N,); row numbers when not given.
        columns: more numeric columns (N,) to colour by.
        selection: rows, ids or a mask to start with.
        link: name of the channel this map shares with other widgets; its own when not given.
        height: of the map, in pixels.
        static: whether the notebook also keeps a picture, for pages where no widget runs.

    Raises:
        ReweightvizError: nothing to draw, places that are not finite, lengths that differ, unknown
            names.

    Example:
        >>> m = Map([[0, 0], [1, 1], [2, 0]], domains=["web", "web", "code"])
        >>> m.selection = [2]
        >>> m.selected_rows.tolist()
        [2]
        >>> m.mixture = {"web": 0.5, "code": 0.5}
    """

    _esm = assemble(_HERE / "map.js")
    _css = _HERE / "map.css"

    points = _raw(help="(N, 3) uint16 little-endian, in drawing order: x, y (upwards), domain")
    values = _raw(
        help="(N,) uint8 in drawing order: place of the point's colour on the ramp; empty by domain"
    )
    ramp = _raw(help="(256, 3) uint8 colours; the first is that of missing values")
    selection_bits = _raw(
        help="one bit a point in drawing order, lowest bit first; empty when nothing is selected"
    )
    domains = t.List(t.Unicode(), help="(K,) names").tag(sync=True)
    palette = t.List(t.Unicode(), help="(K,) hex colours").tag(sync=True)
    natural = t.List(t.Float(), help="(K,) share of tokens that draws a domain neutrally").tag(
        sync=True
    )
    weights = t.List(t.Float(), help="(K,) share of training tokens").tag(sync=True)
    hidden = t.List(t.Unicode(), help="names of the domains that are not drawn").tag(sync=True)
    color_by = t.Unicode("domain", help="what the colours show").tag(sync=True)
    color_options = t.List(t.Unicode(), help="what color_by may be").tag(sync=True)
    legend = t.Dict(help="kind, title, and what the kind needs").tag(sync=True)
    summary = t.Dict(help="selected: documents, share: of the tokens or None, serial").tag(
        sync=True
    )
    link = t.Unicode(help="widgets with the same link share weights, hidden domains and focus").tag(
        sync=True
    )
    height = t.Int(480, min=120, help="pixels").tag(sync=True)

    # TraitType, unlike Any, also hands None to the validators.
    mixture = t.TraitType(
        (),
        help="the Mixture that is drawn; set it to any mapping of domain to weight, None "
        "is natural",
    )
    selection = t.TraitType(
        (), help="the Selection; set it to rows, ids, a mask (N,), a Selection or None"
    )

    _count: ClassVar[int] = 0

    def __init__(
        self,
        corpus_or_xy: Any,
        *,
        domains: Sequence[str] | None = None,
        natural: Mapping[str, float] | None = None,
        mixture: Mapping[str, float] | None = None,
        color_by: str = "domain",
        texts: Any = None,
        ids: Sequence[Any] | None = None,
        columns: Mapping[str, ArrayLike] | None = None,
        selection: Any = None,
        link: str | None = None,
        height: int = 480,
        static: bool = True,
    ) -> None:
        points = points_of(
            corpus_or_xy, domains=domains, natural=natural, texts=texts, ids=ids, columns=columns
        )
        self._points, self._static = points, static
        # Shuffled once: any prefix is a fair sample, and no domain lies on top.
        self._order = np.random.default_rng(0).permutation(len(points))
        shuffled = np.column_stack([points.xy, points.codes]).astype("<u2")[self._order]
        coloring = points.coloring(color_by)
        Map._count += 1
        super().__init__(
            points=shuffled.tobytes(),
            values=self._in_drawing_order(coloring.values),
            ramp=coloring.ramp,
            legend=coloring.legend,
            domains=list(points.domains),
            palette=choose_colors(len(points.domains)),
            natural=points.natural.tolist(),
            weights=points.natural.tolist(),
            color_by=color_by,
            color_options=points.color_options,
            link=link or f"map-{id(self):x}-{Map._count}",
            height=height,
        )
        self.mixture = mixture
        self.selection = selection
        self.on_msg(self._answer)

    def __len__(self) -> int:
        return len(self._points)

    # ---- weights and colours

    @t.validate("mixture")
    def _checked_mixture(self, proposal: t.Bunch) -> Mixture:
        value = proposal["value"]
        if value is None:
            return Mixture(
                zip(self.domains, self.natural, strict=True), source={"method": "natural"}
            )
        if not isinstance(value, Mapping):
            raise InvalidArgument(
                name="map.mixture",
                value=value,
                expected="a mapping of domain to weight",
                got=type(value).__name__,
            )
        strangers = [name for name in value if name not in self.domains]
        if strangers:
            raise WrongDomains(
                who="the mixture", asked=strangers, other="the map", there=self.domains, part=True
            )
        return value if isinstance(value, Mixture) else Mixture(value)

    @t.observe("mixture")
    def _draw_mixture(self, change: t.Bunch) -> None:
        self.weights = [change["new"].get(name, 0.0) for name in self.domains]

    @t.validate("color_by")
    def _checked_color_by(self, proposal: t.Bunch) -> str:
        self._points.coloring(proposal["value"])
        return proposal["value"]

    @t.observe("color_by")
    def _recolor(self, change: t.Bunch) -> None:
        coloring = self._points.coloring(change["new"])
        with self.hold_sync():
            self.values, self.ramp = self._in_drawing_order(coloring.values), coloring.ramp
            self.legend = coloring.legend

    @t.validate("hidden")
    def _checked_hidden(self, proposal: t.Bunch) -> list[str]:
        strangers = [name for name in proposal["value"] if name not in self.domains]
        if strangers:
            raise UnknownName(kind="domain", name=strangers[0], known=self.domains)
        return proposal["value"]

    def _in_drawing_order(self, values: bytes) -> bytes:
        return np.frombuffer(values, np.uint8)[self._order].tobytes() if values else b""

    # ---- selection

    @property
    def selected_rows(self) -> NDArray[np.int64]:
        """Rows of the selected documents, sorted."""
        return np.sort(self.selection.rows)

    @t.validate("selection")
    def _checked_selection(self, proposal: t.Bunch) -> Selection:
        value = proposal["value"]
        if isinstance(value, Selection):
            self._rows(value.rows)
            return value
        rows = self._rows([] if value is None else value)
        return Selection(rows, self._points.ids[rows], {"how": "set"})

    def _rows(self, value: Any) -> NDArray[np.int64]:
        n = len(self._points)
        chosen = np.asarray(value)
        if chosen.ndim != 1:
            raise InvalidArgument(
                name="map.selection",
                value=chosen.shape,
                expected=f"rows, ids or a mask ({n:,},)",
                got=f"shape {chosen.shape}",
            )
        if not len(chosen):
            return np.zeros(0, np.int64)
        if chosen.dtype == bool:
            if len(chosen) != n:
                raise ReweightvizError(
                    f"a mask must have one entry a document, {n:,}; got {len(chosen):,}."
                )
            return np.flatnonzero(chosen)
        if chosen.dtype.kind not in "iu":
            return self._rows_of_ids(chosen)
        if chosen.min() < 0 or chosen.max() >= n:
            raise InvalidValue(
                name="rows of this map",
                value=(int(chosen.min()), int(chosen.max())),
                expected=f"0 to {n - 1:,}",
                got=f"{int(chosen.min()):,} to {int(chosen.max()):,}",
            )
        return np.unique(chosen).astype(np.int64)

    def _rows_of_ids(self, ids: NDArray[Any]) -> NDArray[np.int64]:
        if not hasattr(self, "_row_of"):
            self._row_of = {name: row for row, name in enumerate(self._points.ids)}
        absent = [name for name in ids if name not in self._row_of]
        if absent:
            raise ReweightvizError(f"no document {listed(absent, 3)} on this map of {len(self):,}.")
        return np.unique(np.fromiter((self._row_of[name] for name in ids), np.int64, len(ids)))

    @t.observe("selection")
    def _show_selection(self, change: t.Bunch) -> None:
        rows = change["new"].rows
        mask = np.zeros(len(self), bool)
        mask[rows] = True
        tokens = self._points.tokens
        share = (
            None if tokens is None or not tokens.sum() else float(tokens[rows].sum() / tokens.sum())
        )
        with self.hold_sync():
            self.selection_bits = (
                np.packbits(mask[self._order], bitorder="little").tobytes() if len(rows) else b""
            )
            self.summary = {
                "selected": len(rows),
                "share": share,
                "serial": self.summary.get("serial", 0) + 1,
            }

    @t.validate("selection_bits")
    def _checked_bits(self, proposal: t.Bunch) -> bytes:
        expected = (len(self) + 7) // 8
        if len(proposal["value"]) not in (0, expected):
            raise InvalidValue(
                name="selection_bits",
                value=len(proposal["value"]),
                expected=f"{expected:,} bytes or none",
                got=f"{len(proposal['value']):,}",
            )
        return proposal["value"]

    @t.observe("selection_bits")
    def _read_selection(self, change: t.Bunch) -> None:
        bits = (
            np.unpackbits(
                np.frombuffer(change["new"], np.uint8), count=len(self), bitorder="little"
            )
            if change["new"]
            else np.zeros(len(self), np.uint8)
        )
        rows = np.sort(self._order[bits.astype(bool)])
        if not np.array_equal(rows, self.selected_rows):
            self.selection = Selection(rows, self._points.ids[rows], {"how": "drawn on the map"})

    # ---- questions of the page

    def _answer(self, _: Any, content: Any, __: Any) -> None:
        if not isinstance(content, dict) or content.get("type") != "hover":
            return
        reply = {"id": content.get("id"), "type": "hover"}
        try:
            self.send(reply | self._document(int(self._order[content["point"]])))
        except Exception as error:  # noqa: BLE001  a reader's failure is shown where the person looks
            self.send(reply | {"error": f"{type(error).__name__}: {error}"})

    def _document(self, row: int) -> dict[str, Any]:
        points = self._points
        text = str(points.text([row])[0]) if points.text else ""
        scores = {
            name: float(column[row]) for name, column in points.columns.items() if name != "cluster"
        }
        shown = {name: value if np.isfinite(value) else None for name, value in scores.items()}
        return {
            "text": text[:EXCERPT] + ("…" if len(text) > EXCERPT else ""),
            "scores": shown,
            "name": str(points.ids[row]),
        }

    # ---- the static picture

    def picture(self, width: int = 800, height: int = 500) -> bytes:
        """A transparent PNG of the map under the present mixture, drawn without a browser; hidden domains are left out."""
        if min(width, height) < 1:
            raise UnmetNeed(
                name="a picture",
                value=(width, height),
                expected="a width and a height of at least 1 pixel",
                got=f"{width} and {height}",
            )
        drawn = np.where([name in self.hidden for name in self.domains], 0.0, self.weights)
        return draw_map(
            self._points.xy,
            self._points.codes,
            self.palette,
            weights=drawn,
            natural=self._points.natural,
            width=width,
            height=height,
        )

    def _repr_mimebundle_(self, **keywords: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        bundle = super()._repr_mimebundle_(**keywords)
        if bundle is not None and self._static:
            bundle[0]["image/png"] = base64.b64encode(self.picture(*PICTURE)).decode()
        return bundle
