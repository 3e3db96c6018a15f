"""Map: documents on an embedding map, drawn by the weights of a mixture."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import traitlets as t
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import (
    InvalidArgument,
    InvalidValue,
    UnknownName,
    UnmetNeed,
    WrongDomains,
)
from reweightviz.core.mixture import Mixture
from reweightviz.core.selection import Selection
from reweightviz.figures.domain_colors import color_names
from reweightviz.figures.map_picture import draw_map
from reweightviz.widgets.common.reported_errors import ReportedErrors
from reweightviz.widgets.common.shared_module import SharedModule, read_style
from reweightviz.widgets.common.shown_widget import ShownWidget
from reweightviz.widgets.map.coloring import Coloring, color_documents, list_color_options
from reweightviz.widgets.map.documents import read_documents

__all__ = ["EXCERPT", "PICTURE", "Map"]


_HERE = Path(__file__).parent
EXCERPT = 600
"""Characters of a document's text on hover."""
PICTURE = (760, 400)
"""Pixels of the picture that stands in for the map where no widget runs."""


def _bytes_trait(**keywords: Any) -> Any:
    # Buffers arrive from the page as memoryview, which Bytes refuses without from_json.
    return t.Bytes(b"", **keywords).tag(sync=True, from_json=lambda value, _: bytes(value))


class Map(ShownWidget, ReportedErrors, SharedModule):
    """Documents on their embedding map; size and opacity of a point follow its domain's emphasis.

    The emphasis of domain k is ``w_k / natural_k``: neutral at 1, gone at 0. Drag to pan, wheel to
    zoom, lasso or rectangle to select (shift adds, alt subtracts); click a legend entry to hide
    it, shift-click to isolate it. Maps and editors with the same ``link`` share weights, hidden
    domains and focus.

    Args:
        corpus_or_xy: a corpus with column ``xy``, or places (N, 2).
        domains: with places, the domain of each document (N,).
        natural: share of tokens that each domain holds; that of the corpus, or with places the
            share of documents, when not given.
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

    _path = _HERE / "map.js"
    _css = read_style(_HERE / "map.css")

    points = _bytes_trait(
        help="(N, 3) uint16 little-endian, in drawing order: x, y (upwards), domain"
    )
    values = _bytes_trait(
        help="(N,) uint8 in drawing order: place of the point's colour on the ramp; empty by domain"
    )
    ramp = _bytes_trait(help="(256, 3) uint8 colours; the first is that of missing values")
    selection_bits = _bytes_trait(
        help="one bit a point in drawing order, lowest bit first; empty when nothing is selected"
    )
    domains = t.List(t.Unicode(), help="(K,) names").tag(sync=True)
    palette = t.List(t.Unicode(), help="(K,) hex colours").tag(sync=True)
    natural = t.List(t.Float(), help="(K,) share of tokens that draws a domain neutrally").tag(
        sync=True
    )
    weights = t.List(t.Float(), help="(K,) share of training tokens").tag(sync=True)
    hidden = t.List(t.Unicode(), help="names of the domains that are not drawn").tag(sync=True)
    color_by = t.Unicode("domain", help="column of the colours").tag(sync=True)
    color_options = t.List(t.Unicode(), help="the values that color_by may have").tag(sync=True)
    color_notes = t.Dict(help="column to how far to believe it, in words").tag(sync=True)
    legend = t.Dict(help="kind, title, and the parts of that kind").tag(sync=True)
    summary = t.Dict(help="selected: documents, share: of the tokens or None, serial").tag(
        sync=True
    )
    link = t.Unicode(help="widgets with the same link share weights, hidden domains and focus").tag(
        sync=True
    )
    height = t.Int(480, min=120, help="pixels").tag(sync=True)

    # TraitType, unlike Any, also hands None to the validators.
    mixture: t.TraitType[Mixture, Any] = t.TraitType(
        (),
        help="the Mixture that is drawn; set it to any mapping of domain to weight, None "
        "is natural",
    )
    selection: t.TraitType[Selection, Any] = t.TraitType(
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
        documents = read_documents(
            corpus_or_xy, domains=domains, natural=natural, texts=texts, ids=ids, columns=columns
        )
        self._documents = documents
        self._static = static
        # Shuffled once: any prefix is a fair sample, and no domain lies on top.
        self._order = np.random.default_rng(0).permutation(len(documents))
        shuffled = np.column_stack([documents.xy, documents.codes]).astype("<u2")[self._order]
        coloring = color_documents(documents, color_by)
        Map._count += 1
        super().__init__(
            points=shuffled.tobytes(),
            values=self._shuffle_values(coloring),
            ramp=coloring.ramp,
            legend=coloring.legend,
            domains=list(documents.domains),
            palette=list(color_names(documents.domains).values()),
            natural=documents.natural.tolist(),
            weights=documents.natural.tolist(),
            color_by=color_by,
            color_options=list_color_options(documents),
            color_notes=dict(documents.score_figures),
            link=link or f"map-{id(self):x}-{Map._count}",
            height=height,
        )
        self.mixture = mixture
        self.selection = selection
        self.on_msg(self._answer_hover)

    def __len__(self) -> int:
        return len(self._documents)

    # ---- weights and colours

    @t.validate("mixture")
    def _validate_mixture(self, proposal: t.Bunch) -> Mixture:
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
        return Mixture.of(value)

    @t.observe("mixture")
    def _draw_mixture(self, change: t.Bunch) -> None:
        self.weights = [change["new"].get(name, 0.0) for name in self.domains]

    @t.validate("color_by")
    def _validate_color_by(self, proposal: t.Bunch) -> str:
        color_by: str = proposal["value"]
        color_documents(self._documents, color_by)
        return color_by

    @t.observe("color_by")
    def _recolor(self, change: t.Bunch) -> None:
        coloring = color_documents(self._documents, change["new"])
        with self.hold_sync():
            self.values = self._shuffle_values(coloring)
            self.ramp = coloring.ramp
            self.legend = coloring.legend

    @t.validate("hidden")
    def _validate_hidden(self, proposal: t.Bunch) -> list[str]:
        hidden: list[str] = proposal["value"]
        strangers = [name for name in hidden if name not in self.domains]
        if strangers:
            raise UnknownName(kind="domain", name=strangers[0], known=self.domains)
        return hidden

    def _shuffle_values(self, coloring: Coloring) -> bytes:
        if not coloring.values:
            return b""
        return np.frombuffer(coloring.values, np.uint8)[self._order].tobytes()

    # ---- selection

    @property
    def selected_rows(self) -> NDArray[np.int64]:
        """Rows of the selected documents, sorted."""
        return np.sort(self.selection.rows)

    @t.validate("selection")
    def _validate_selection(self, proposal: t.Bunch) -> Selection:
        value = proposal["value"]
        if isinstance(value, Selection):
            return self._documents.place(value)
        rows = self._documents.find_rows([] if value is None else value)
        return self._documents.select(rows, "set")

    @t.observe("selection")
    def _show_selection(self, change: t.Bunch) -> None:
        rows = change["new"].rows
        with self.hold_sync():
            self.selection_bits = self._pack(rows)
            self.summary = {
                "selected": len(rows),
                "share": self._share_tokens(rows),
                "serial": self.summary.get("serial", 0) + 1,
            }

    def _share_tokens(self, rows: NDArray[np.int64]) -> float | None:
        """Return the share of all tokens that these documents have; None where nobody counted."""
        tokens = self._documents.tokens
        if tokens is None or not tokens.sum():
            return None
        return float(tokens[rows].sum() / tokens.sum())

    @t.validate("selection_bits")
    def _validate_bits(self, proposal: t.Bunch) -> bytes:
        bits: bytes = proposal["value"]
        expected = (len(self) + 7) // 8
        if len(bits) not in (0, expected):
            raise InvalidValue(
                name="selection_bits",
                value=len(bits),
                expected=f"{expected:,} bytes or none",
                got=f"{len(bits):,}",
            )
        return bits

    @t.observe("selection_bits")
    def _read_selection(self, change: t.Bunch) -> None:
        rows = self._unpack(change["new"])
        # When Python selected, the bits only follow.
        if not np.array_equal(rows, self.selected_rows):
            self.selection = self._documents.select(rows, "drawn on the map")

    def _pack(self, rows: NDArray[np.int64]) -> bytes:
        """Return one bit a point in drawing order."""
        if not len(rows):
            return b""
        mask = np.zeros(len(self), bool)
        mask[rows] = True
        return np.packbits(mask[self._order], bitorder="little").tobytes()

    def _unpack(self, packed: bytes) -> NDArray[np.int64]:
        """Return the rows of those bits, sorted."""
        if not packed:
            return np.zeros(0, np.int64)
        bits = np.unpackbits(np.frombuffer(packed, np.uint8), count=len(self), bitorder="little")
        return np.sort(self._order[bits.astype(bool)])

    # ---- hovering

    def _answer_hover(self, _: Any, content: Any, __: Any) -> None:
        if not isinstance(content, dict) or content.get("type") != "hover":
            return
        reply = {"id": content.get("id"), "type": "hover"}
        try:
            self.send(reply | self._describe_document(int(self._order[content["point"]])))
        except Exception as error:  # noqa: BLE001  a failure of a reader is shown where a person looks
            self.send(reply | {"error": f"{type(error).__name__}: {error}"})

    def _describe_document(self, row: int) -> dict[str, Any]:
        documents = self._documents
        text = str(documents.read_texts([row])[0]) if documents.read_texts else ""
        if len(text) > EXCERPT:
            text = f"{text[:EXCERPT]}…"
        scores = {}
        for name, column in documents.columns.items():
            if name != "cluster":
                # JSON has no NaN.
                scores[name] = float(column[row]) if np.isfinite(column[row]) else None
        return {"text": text, "scores": scores, "name": str(documents.ids[row])}

    # ---- the static picture

    def picture(self, width: int = 800, height: int = 500) -> bytes:
        """Return a transparent PNG of the map under the present mixture, drawn without a browser.

        At its right stands which colour is which domain, those that are not drawn faint. A picture
        too narrow for that has no legend.
        """
        if min(width, height) < 1:
            raise UnmetNeed(
                name="a picture",
                value=(width, height),
                expected="a width and a height of at least 1 pixel",
                got=f"{width} and {height}",
            )
        hidden = [name in self.hidden for name in self.domains]
        return draw_map(
            self._documents.xy,
            self._documents.codes,
            self.palette,
            weights=np.where(hidden, 0.0, self.weights),
            natural=self._documents.natural,
            width=width,
            height=height,
            names=self.domains,
        )

    def _repr_mimebundle_(self, **keywords: Any) -> Any:
        bundle = super()._repr_mimebundle_(**keywords)
        if bundle is not None and self._static:
            bundle[0]["image/png"] = self.draw_png()
        return bundle

    def draw_png(self) -> str:
        """Return the picture that stands in where no widget runs, as PNG in base64."""
        return base64.b64encode(self.picture(*PICTURE)).decode()
