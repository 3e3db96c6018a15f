"""The explorer: map, mixture editor, loss curves and weight trajectories joined by one state."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import uuid4

import ipywidgets as w
import numpy as np
import pandas as pd

from reweightviz import exporters
from reweightviz.api import ship
from reweightviz.apps.explorer.state import ExplorerState
from reweightviz.core.corpus import Corpus, open_corpus
from reweightviz.core.errors import ReweightvizError, ReweightvizWarning, listed, warn
from reweightviz.core.files import write_atomically
from reweightviz.core.lineage import Lineage
from reweightviz.core.mixture import Mixture
from reweightviz.core.protocols import ConvexLaw, Law
from reweightviz.core.runlog import RunLog
from reweightviz.core.selection import Selection
from reweightviz.core.sources import Sources
from reweightviz.proposals import optimize as proposals
from reweightviz.readers.tail import Tail
from reweightviz.widgets.curves.curves import LossCurves, WeightTrajectories
from reweightviz.widgets.editor.mixture_editor import MixtureEditor
from reweightviz.widgets.export_bar.export_bar import ExportBar
from reweightviz.widgets.front.pareto import ParetoFront
from reweightviz.widgets.map.map import Map

SETTINGS = "explorer.json"
OPTIMUM, UNCAPPED = "law's optimum", "law's optimum, no epoch cap"


class Explorer(w.VBox):
    """See a corpus, move its domain weights, watch the predicted losses, export the mixture.

    Args:
        corpus: documents with ``xy``; None for an explorer without a map.
        tokens: domain to tokens available, or Sources; those of the corpus when not given.
        law: predicts every target's loss in the editor and proposes its optimum as a preset.
        logs: training runs whose curves are drawn; a Tail (``rv.read_log(path, follow=True)``) is
            followed.
        mixture: where to start; natural when not given.
        reference: what the editor compares with; natural when not given.
        budget: tokens to train on; all that there are when not given.
        max_epochs: passes over a domain past which the editor warns; also caps the law's optimum.
        presets: more mixtures for the editor, by name.
        front: what ``rv.pareto`` gave, drawn under the editor; a click on a point takes its
            mixture. It is not saved.
        color_by: what the map's colours show.
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
        logs: Sequence[RunLog | Tail] = (),
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
        if corpus is None and tokens is None:
            raise ReweightvizError(
                "an Explorer needs a corpus, or tokens={'web': 1.2e12, ...}; got neither."
            )
        self.corpus, self.law, self._runs, self.sources = (
            corpus,
            law,
            list(logs),
            _sources(corpus, tokens),
        )
        self._folder: Path | None = None
        link = f"explorer-{uuid4().hex}"
        natural = Mixture.natural(self.sources.token_table)
        start = natural if mixture is None else _ordered(mixture, self.sources.domains)
        self.state = ExplorerState(start, len(corpus) if corpus is not None else 0)
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
        self.editor.share(self.state.journal)
        self._propose()
        for name, result in self._results().items():
            self.editor.add_preset(name, result)
        self.map = (
            Map(corpus, natural=natural, mixture=start, color_by=color_by, link=link, height=height)
            if corpus is not None
            else None
        )
        colours = dict(zip(self.editor.domains, self.editor.colors, strict=True))
        known = colours if all(set(log.domains) <= set(colours) for log in self.logs) else None
        self.losses = (
            LossCurves(self._runs, link=link, colors=known, smooth=10) if self._runs else None
        )
        self.weights = (
            WeightTrajectories(self._runs, link=link, colors=known) if self._runs else None
        )
        self.front = self._front(front) if front is not None else None
        self.exporting = ExportBar(
            {
                name: (found.title, found.units[0].sentence)
                for name, found in exporters.FRAMEWORKS.items()
            },
            self._export_draft,
        )
        super().__init__(self._rows())
        self.add_class("rv-explorer")
        self._join()
        if autosave is not None:
            self._take_up(Path(autosave))

    @property
    def logs(self) -> list[RunLog]:
        """The runs whose curves are drawn, a followed one as it is now."""
        return [run.log if isinstance(run, Tail) else run for run in self._runs]

    # ---- what a person chose

    @property
    def mixture(self) -> Mixture:
        """The committed mixture; set it to any mapping of domain to weight."""
        return self.state.mixture

    @mixture.setter
    def mixture(self, value: Mapping[str, float]) -> None:
        self.state.set_mixture(_ordered(value, self.sources.domains))

    @property
    def selection(self) -> Selection:
        """The selected documents; set it to rows, ids, a boolean mask (N,), a Selection or None."""
        if self.corpus is None:
            raise ReweightvizError("this Explorer has no corpus, so there is nothing to select.")
        rows = self.state.selection
        return Selection(rows, self.corpus.ids[rows], {"by": "explorer"})

    @selection.setter
    def selection(self, value: Any) -> None:
        if self.map is None:
            raise ReweightvizError("this Explorer has no corpus, so there is nothing to select.")
        self.map.selection = value

    def undo(self) -> None:
        """Take the last change of the mixture, the selection or the hidden domains back."""
        self.state.undo()

    def redo(self) -> None:
        """Do it again."""
        self.state.redo()

    def _front(self, table: pd.DataFrame) -> ParetoFront:
        shown = ParetoFront(table, lambda mixture: setattr(self, "mixture", mixture))
        strange = set(table["weight"].columns) ^ set(self.sources)
        if strange:
            raise ReweightvizError(
                f"the front must be over the explorer's domains, {listed(self.sources)}; "
                "it differs in "
                f"{listed(sorted(strange))}."
            )
        return shown

    # ---- out

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

    def _export_draft(self, framework: str, path: str, there: str) -> Any:
        if not path:
            raise ReweightvizError("name the file or folder to write.")
        options = {there: True} if there != "keep" else {}
        return exporters.find(framework).draft(
            self.mixture, path, sources=self.sources, tokens=self.editor.budget, **options
        )

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Save everything to a folder, and keep saving there after every change.

        Raises:
            ReweightvizError: the folder holds something else, or another explorer and
                ``overwrite`` is False.
        """
        folder = Path(path)
        if (
            folder.exists()
            and not (folder / SETTINGS).exists()
            and (folder.is_file() or any(folder.iterdir()))
        ):
            raise ReweightvizError(
                f"{folder} holds something else; name a new folder, or one that an Explorer saved."
            )
        if (folder / SETTINGS).exists() and folder != self._folder and not overwrite:
            raise ReweightvizError(
                f"{folder} holds an explorer; Explorer.load opens it, save(path, "
                "overwrite=True) replaces it."
            )
        folder.mkdir(parents=True, exist_ok=True)
        if self.corpus is not None:
            place = folder / "corpus.lance"
            self.corpus.save(place, overwrite=place.exists() and not self.corpus.is_saved_at(place))
        for number, log in enumerate(self.logs):
            log.save(folder / f"log-{number}.jsonl")
        described = getattr(self.law, "to_dict", None)
        if self.law is not None and described is None:
            warn(
                f"{type(self.law).__name__} cannot be saved; pass it again: "
                "Explorer.load(path, law=...)."
            )
        settings = {
            "lineage": self.sources.lineage.to_jsonable(),
            "sources": {domain: asdict(source) for domain, source in self.sources.items()},
            "tokenizer": self.sources.tokenizer,
            "logs": len(self.logs),
            "corpus": self.corpus is not None,
            "law": described() if described else None,
            "presets": {
                p["name"]: dict(zip(self.editor.domains, p["weights"], strict=True))
                for p in self.editor.presets
            },
        }
        write_atomically(folder / SETTINGS, json.dumps(settings))
        self._folder = folder
        self._autosave()
        return folder

    def _autosave(self, _: Any = None) -> None:
        if self._folder is None:
            return
        editor = self.editor
        view = {
            "reference": dict(zip(editor.domains, editor.reference, strict=True)),
            "budget": editor.budget,
            "max_epochs": editor.max_epochs,
            "locked": list(editor.locked),
            "color_by": self.map.color_by if self.map else "domain",
        }
        write_atomically(self._folder / "view.json", json.dumps(view))
        self.state.save(self._folder / "state.json")

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, law: Law | None = None) -> Explorer:
        """Open a saved explorer: corpus, law, logs, mixture, selection and undo journal; no column or fit is recomputed."""
        folder = Path(path)
        settings, view, state = _read(folder)
        if law is None and settings["law"] is not None:
            from reweightviz.laws._restore import restored

            law = restored(settings["law"])
        x = cls(
            open_corpus(folder / "corpus.lance") if settings["corpus"] else None,
            law=law,
            tokens=Sources(
                settings["sources"],
                tokenizer=settings["tokenizer"],
                lineage=Lineage.from_jsonable(settings.get("lineage")),
            ),
            logs=[
                RunLog.load(folder / f"log-{number}.jsonl") for number in range(settings["logs"])
            ],
            reference=view["reference"],
            budget=view["budget"],
            max_epochs=view["max_epochs"],
            presets=settings["presets"],
            color_by=view["color_by"],
        )
        x._restore(folder, view, state)
        return x

    def _take_up(self, folder: Path) -> None:
        """Autosave to a folder: a new one is saved to, the same documents' own state is restored, another's is refused."""
        if not (folder / SETTINGS).exists():
            self.save(folder)
            return
        settings, view, state = _read(folder)
        same = set(settings["sources"]) == set(self.sources) and (
            self.corpus is None
            or (settings["corpus"] and self.corpus.is_saved_at(folder / "corpus.lance"))
        )
        if not same:
            raise ReweightvizError(
                f"{folder} holds an explorer of other documents, which Explorer.load "
                "opens: delete or rename it, or "
                "name another folder."
            )
        self._restore(folder, view, state)
        self.save(folder)

    def _restore(self, folder: Path, view: Mapping[str, Any], state: ExplorerState) -> None:
        self.editor.locked = view["locked"]
        self.state.restore(state)
        self._folder = folder

    # ---- the joints: the editor steps through the state's own journal, the map writes to the
    # state and follows it

    def _join(self) -> None:
        self.state.listen(self._show)
        self.editor.observe(lambda _: self._propose(), ["budget", "max_epochs"])
        self.editor.observe(self._autosave, ["locked", "reference", "budget", "max_epochs"])
        if self.map is not None:
            # When the map only follows, the state holds this value already: no change.
            self.map.observe(
                lambda _: self.state.set_selection(self.map.selected_rows), "selection"
            )
            self.map.observe(lambda change: self.state.set_hidden(change["new"]), "hidden")
            self.map.observe(self._autosave, "color_by")

    def _show(self, what: str) -> None:
        """Let the map follow what changed, and save it."""
        if self.map is not None:
            if what == "mixture":
                self.map.mixture = self.mixture
            elif what == "hidden":
                self.map.hidden = list(self.state.hidden)
            elif not np.array_equal(self.map.selected_rows, self.state.selection):
                self.map.selection = self.state.selection
        self._autosave()

    def _propose(self) -> None:
        """Offer the law's optimum, which depends on the budget and the cap, with the warnings that belong to it."""
        if not isinstance(self.law, ConvexLaw) or not self._law_knows():
            return
        self.editor.presets = [
            preset for preset in self.editor.presets if preset["name"] not in (OPTIMUM, UNCAPPED)
        ]
        budget = self.editor.budget or float(self.sources.tokens.sum())
        # Without the cap where the budget is more than the data at it.
        for name, cap in ((OPTIMUM, {"max_epochs": self.editor.max_epochs}), (UNCAPPED, {})):
            with suppress(ReweightvizError):
                self.editor.add_preset(
                    name, _optimum(self.law, tokens=budget, sources=self.sources, **cap)
                )
                break

    def _law_knows(self) -> bool:
        """Return whether the law's domains are the explorer's, or those from which they were split."""
        shares = self.sources.lineage.known(self.sources.domains, self.law.domains)
        return bool(np.allclose(shares.sum(0), 1)) and bool(shares.any(1).all())

    def _results(self) -> dict[str, Mixture]:
        """What the mixers of the logs came to."""
        found, domains = {}, self.sources.domains
        for log in self.logs:
            result = log.meta.get("result")
            if (
                log.name not in ("natural", "uniform")
                and result
                and set(log.domains) == set(domains)
            ):
                found[f"{log.name} (log)"] = Mixture.normalized(
                    zip(log.domains, result, strict=True), source={"method": log.name}
                )
        return found

    def _rows(self) -> list[w.Widget]:
        self.editor.layout = w.Layout(flex="1.2 1 630px", min_width="340px")
        rows: list[w.Widget] = []
        if self.map is not None:
            self.map.layout = w.Layout(flex="1 1 480px", min_width="320px")
            rows.append(_side_by_side(self.map, self.editor))
        else:
            rows.append(self.editor)
        if self.front is not None:
            rows.append(self.front)
        if self.losses is not None and self.weights is not None:
            for curves in (self.losses, self.weights):
                curves.layout = w.Layout(flex="1 1 380px", min_width="320px")
            rows.append(_side_by_side(self.losses, self.weights))
        return [*rows, self.exporting]

    def _repr_mimebundle_(self, **keywords: Any) -> Any:
        bundle = super()._repr_mimebundle_(**keywords)
        if self.map is not None and isinstance(bundle, dict):
            static = self.map._repr_mimebundle_(
                **keywords
            )  # the picture stands in where no widget runs
            image = (static[0] if isinstance(static, tuple) else static or {}).get("image/png")
            if image:
                bundle["image/png"] = image
        return bundle


def _optimum(law: Law, **constraints: Any) -> Mixture:
    """Return the law's optimum; its warnings go into its source, for they stand in the page where its figures do."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ReweightvizWarning)
        found = proposals.optimize(law, draws=0, **constraints)
    own = [one for one in caught if issubclass(one.category, ReweightvizWarning)]
    for other in caught:
        if other not in own:
            warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)
    return Mixture(found, source=found.source | {"warnings": [str(one.message) for one in own]})


def _side_by_side(*widgets: w.Widget) -> w.Box:
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


def _ordered(mixture: Mapping[str, float], domains: tuple[str, ...]) -> Mixture:
    """The mixture with its domains in the explorer's order."""
    given = mixture if isinstance(mixture, Mixture) else Mixture(mixture)
    return Mixture(zip(domains, given.aligned(domains).tolist(), strict=True), source=given.source)


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, Any], ExplorerState]:
    try:
        settings, view = (
            json.loads((folder / name).read_text("utf-8")) for name in (SETTINGS, "view.json")
        )
    except (OSError, ValueError) as error:
        raise ReweightvizError(f"{folder} is no saved explorer: {error}.") from error
    return settings, view, ExplorerState.load(folder / "state.json")


def _sources(corpus: Corpus | None, tokens: Mapping[str, float] | Sources | None) -> Sources:
    if tokens is None and corpus is not None:
        return corpus.sources
    given = tokens if isinstance(tokens, Sources) else Sources(tokens or {})
    if corpus is not None and set(given) != set(corpus.domains):
        raise ReweightvizError(
            f"tokens must name the corpus' domains, {', '.join(corpus.domains)}; got "
            f"{', '.join(given)}."
        )
    order = corpus.domains if corpus is not None else given.domains
    lineage = given.lineage or (corpus.lineage if corpus is not None else None)
    return Sources(
        {domain: given[domain] for domain in order}, tokenizer=given.tokenizer, lineage=lineage
    )
