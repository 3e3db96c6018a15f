"""The explorer: map, mixture editor, loss curves and weight trajectories joined by one state."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import ipywidgets as w
import pandas as pd

from reweightviz import exporters
from reweightviz.api import ship
from reweightviz.apps.explorer import files
from reweightviz.apps.explorer.joints import join_map, save_on_change
from reweightviz.apps.explorer.keeper import Keeper
from reweightviz.apps.explorer.presets import (
    OPTIMUM,
    UNCAPPED,
    collect_results,
    covers,
    propose_optimum,
    weigh_by_scores,
)
from reweightviz.apps.explorer.state import ExplorerState
from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import ReweightvizError, list_names
from reweightviz.core.foreign_file import guard_reading
from reweightviz.core.mixture import Mixture
from reweightviz.core.protocols import ConvexLaw, FollowedRun, Law
from reweightviz.core.runlog import RunLog
from reweightviz.core.selection import Selection, tell_origin
from reweightviz.core.sources import Sources
from reweightviz.figures.runs import list_given
from reweightviz.widgets.common.shown_widget import ShownWidget
from reweightviz.widgets.curves.curves import LossCurves, WeightTrajectories
from reweightviz.widgets.editor.mixture_editor import MixtureEditor
from reweightviz.widgets.export_bar.export_bar import ExportBar
from reweightviz.widgets.front.pareto import ParetoFront
from reweightviz.widgets.map.map import Map

__all__ = ["NO_CORPUS", "Explorer"]


NO_CORPUS = "this Explorer has no corpus, so there is nothing to select."


class Explorer(ShownWidget, w.VBox):
    """See a corpus, move its domain weights, watch the predicted losses, export the mixture.

    Args:
        corpus: documents with ``xy``; None for an explorer without a map.
        tokens: domain to tokens available, or Sources; those of the corpus when not given.
        law: predicts every target's loss in the editor and proposes its optimum as a preset.
        logs: training runs whose curves are drawn; a Tail (``rv.read_log(path, follow=True)``) is
            followed.
        mixture: where to start; natural when not given.
        reference: the mixture that the editor compares with; natural when not given.
        budget: tokens to train on; all that there are when not given.
        max_epochs: passes over a domain past which the editor warns; also caps the law's optimum.
        presets: more mixtures for the editor, by name. Each ``score`` column of the corpus makes
            one too, by :func:`reweightviz.score_weights`.
        front: a table of ``rv.pareto``, drawn under the editor; a click on a point takes its
            mixture. It is not saved.
        color_by: the column of the map's colours.
        height: of the map, in pixels.
        autosave: folder to save to after every change; when an explorer of the same documents was
            saved there, its mixture, selection and undo journal are taken up again.

    Example:
        >>> x = Explorer(tokens={"web": 3e11, "code": 1e11}, budget=2e11)
        >>> x.mixture = {"web": 0.6, "code": 0.4}
        >>> x.undo(); x.mixture["web"]
        0.75
    """

    def __init__(
        self,
        corpus: Corpus | None = None,
        *,
        tokens: Mapping[str, float] | Sources | None = None,
        law: Law | None = None,
        logs: Sequence[RunLog | FollowedRun] = (),
        mixture: Mapping[str, float] | None = None,
        reference: Mapping[str, float] | None = None,
        budget: float | None = None,
        max_epochs: float = 4.0,
        presets: Mapping[str, Mapping[str, float]] | None = None,
        front: pd.DataFrame | None = None,
        color_by: str = "domain",
        height: int = 440,
        autosave: str | os.PathLike[str] | None = None,
    ) -> None:
        self.corpus = corpus
        self.law = law
        self.sources = _choose_sources(corpus, tokens)
        self._runs = list_given(logs)
        link = f"explorer-{uuid4().hex}"
        natural = Mixture.natural(self.sources.token_table)
        start = natural if mixture is None else Mixture.of(mixture).reorder(self.sources.domains)
        self.state = ExplorerState(start, 0 if corpus is None else len(corpus))
        self.editor = MixtureEditor(
            self.sources,
            mixture=start,
            reference=reference,
            presets=presets,
            law=law,
            link=link,
            budget=float(self.sources.tokens.sum()) if budget is None else budget,
            max_epochs=max_epochs,
        )
        # One journal: undo in the editor also takes back what was done on the map.
        self.editor.share(self.state.journal)
        self._offer_presets()
        self.map: Map | None = None
        if corpus is not None:
            self.map = Map(
                corpus, natural=natural, mixture=start, color_by=color_by, link=link, height=height
            )
        self.losses: LossCurves | None = None
        self.weights: WeightTrajectories | None = None
        if self._runs:
            self.losses = LossCurves(self._runs, link=link, smooth=10)
            self.weights = WeightTrajectories(self._runs, link=link)
        self.front = None if front is None else self._make_front(front)
        self.exporting = ExportBar(_list_frameworks(), self._draft_export)
        super().__init__(self._stack_rows())
        self.add_class("rv-explorer")
        self._keeper = Keeper(self)
        self._join()
        if autosave is not None:
            self._keeper.resume(Path(autosave))

    @property
    def logs(self) -> list[RunLog]:
        """The runs whose curves are drawn, a followed one as it is now."""
        return [run if isinstance(run, RunLog) else run.log for run in self._runs]

    # ---- the choices of a person

    @property
    def mixture(self) -> Mixture:
        """The committed mixture; set it to any mapping of domain to weight."""
        return self.state.mixture

    @mixture.setter
    def mixture(self, value: Mapping[str, float]) -> None:
        self.state.set_mixture(Mixture.of(value).reorder(self.sources.domains))

    @property
    def selection(self) -> Selection:
        """The selected documents; set it to rows, ids, a boolean mask (N,), a Selection or None."""
        if self.corpus is None:
            raise ReweightvizError(NO_CORPUS)
        rows = self.state.selection
        return Selection(rows, self.corpus.ids[rows], {"by": "explorer"} | tell_origin(self.corpus))

    @selection.setter
    def selection(self, value: Any) -> None:
        if self.map is None:
            raise ReweightvizError(NO_CORPUS)
        self.map.selection = value

    def undo(self) -> None:
        """Take the last change of the mixture, the selection or the hidden domains back."""
        self.state.undo()

    def redo(self) -> None:
        """Do it again."""
        self.state.redo()

    # ---- files

    def export(
        self,
        framework: str,
        path: str | os.PathLike[str],
        *,
        sources: Sources | None = None,
        tokens: float | None = None,
        **options: Any,
    ) -> Path:
        """Write the mixture as a framework's config; see :func:`reweightviz.export`."""
        return ship.export(
            self.mixture,
            framework,
            path,
            sources=sources or self.sources,
            tokens=self.editor.budget if tokens is None else tokens,
            **options,
        )

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Save everything to a folder, and keep saving there after every change.

        Raises:
            ReweightvizError: the folder holds something else, or another explorer and
                ``overwrite`` is False.
        """
        self._keeper.save(Path(path), overwrite=overwrite)
        return Path(path)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, law: Law | None = None) -> Explorer:
        """Open a saved explorer: corpus, law, logs, mixture, selection and undo journal.

        No column is computed and no law is fitted again.
        """
        folder = Path(path)
        with guard_reading(folder, "a saved explorer"):
            saved = files.read_whole(folder, law)
            explorer = cls(**saved.arguments)
            explorer._keeper.restore(folder, saved.settings, saved.state)
        return explorer

    def _draft_export(self, framework: str, path: str, there: str) -> Any:
        if not path:
            raise ReweightvizError("name the file or folder to write.")
        options: dict[str, Any] = {} if there == "keep" else {there: True}
        return exporters.find(framework).draft(
            self.mixture, path, sources=self.sources, tokens=self.editor.budget, **options
        )

    # ---- parts and joints

    def _join(self) -> None:
        if self.map is not None:
            join_map(self.map, self.state)
        save_on_change(self._keeper.keep, self.state, self.editor, self.map)
        self.editor.observe(lambda _: self._offer_optimum(), ["budget", "max_epochs"])

    def _offer_presets(self) -> None:
        self._offer_optimum()
        for name, mixture in collect_results(self.logs, self.sources.domains).items():
            self.editor.add_preset(name, mixture)
        if self.corpus is not None:
            natural = Mixture.natural(self.sources.token_table)
            for name, mixture in weigh_by_scores(self.corpus, natural).items():
                self.editor.add_preset(name, mixture)

    def _offer_optimum(self) -> None:
        """Offer the law's optimum, which depends on the budget and the cap on epochs."""
        if not isinstance(self.law, ConvexLaw) or not covers(self.law, self.sources):
            return
        self.editor.presets = [
            preset for preset in self.editor.presets if preset["name"] not in (OPTIMUM, UNCAPPED)
        ]
        budget = self.editor.budget or float(self.sources.tokens.sum())
        proposal = propose_optimum(
            self.law, self.sources, budget=budget, max_epochs=self.editor.max_epochs
        )
        if proposal is not None:
            self.editor.add_preset(*proposal)

    def _make_front(self, table: pd.DataFrame) -> ParetoFront:
        def take(mixture: Mixture) -> None:
            self.mixture = mixture

        front = ParetoFront(table, take)
        strangers = set(table["weight"].columns) ^ set(self.sources)
        if strangers:
            raise ReweightvizError(
                f"the front must be over the explorer's domains, {list_names(self.sources)}; "
                f"it differs in {list_names(sorted(strangers))}."
            )
        return front

    def _stack_rows(self) -> list[w.Widget]:
        # The layouts that they have: a new one would leave the old one open.
        _size(self.editor, flex="1.2 1 630px", min_width="340px")
        rows: list[w.Widget] = [self.editor]
        if self.map is not None:
            _size(self.map, flex="1 1 480px", min_width="320px")
            rows = [_put_side_by_side(self.map, self.editor)]
        if self.front is not None:
            rows.append(self.front)
        if self.losses is not None and self.weights is not None:
            for curves in (self.losses, self.weights):
                _size(curves, flex="1 1 380px", min_width="320px")
            rows.append(_put_side_by_side(self.losses, self.weights))
        return [*rows, self.exporting]

    def _repr_mimebundle_(self, **keywords: Any) -> Any:
        bundle = super()._repr_mimebundle_(**keywords)
        if self.map is not None and isinstance(bundle, dict):
            # The map's picture stands in where no widget runs.
            bundle["image/png"] = self.map.draw_png()
        return bundle


def _choose_sources(corpus: Corpus | None, tokens: Mapping[str, float] | Sources | None) -> Sources:
    """Return the sources in the order of the corpus' domains."""
    if tokens is None:
        if corpus is None:
            raise ReweightvizError(
                "an Explorer needs a corpus, or tokens={'web': 1.2e12, ...}; got neither."
            )
        return corpus.sources
    sources = tokens if isinstance(tokens, Sources) else Sources(tokens)
    if corpus is None:
        return sources
    if set(sources) != set(corpus.domains):
        raise ReweightvizError(
            f"tokens must name the corpus' domains, {', '.join(corpus.domains)}; got "
            f"{', '.join(sources)}."
        )
    return Sources(
        {domain: sources[domain] for domain in corpus.domains},
        tokenizer=sources.tokenizer,
        lineage=sources.lineage or corpus.lineage,
    )


def _list_frameworks() -> dict[str, tuple[str, str]]:
    """Return the title of every framework, and the sentence on what a number in its file counts."""
    return {
        name: (exporter.title, exporter.units[0].sentence)
        for name, exporter in exporters.FRAMEWORKS.items()
    }


def _size(widget: w.DOMWidget, *, flex: str, min_width: str) -> None:
    widget.layout.flex = flex
    widget.layout.min_width = min_width


def _put_side_by_side(*widgets: w.Widget) -> w.Box:
    return w.Box(
        widgets,
        layout=w.Layout(
            display="flex",
            flex_flow="row wrap",
            align_items="stretch",
            grid_gap="12px",
            width="100%",
        ),
    )
