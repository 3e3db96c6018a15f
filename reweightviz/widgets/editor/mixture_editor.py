"""The mixture editor: one row a domain, a weight that is dragged, typed or nudged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import traitlets as t
from numpy.typing import NDArray

from reweightviz.core.call_all import call_all
from reweightviz.core.errors import ReweightvizError, list_names
from reweightviz.core.jsonable import to_jsonable
from reweightviz.core.lineage import Lineage
from reweightviz.core.mixture import Mixture
from reweightviz.core.protocols import Law
from reweightviz.core.sources import Sources
from reweightviz.core.undo_journal import Entry, PageStep, UndoJournal
from reweightviz.figures.domain_colors import color_names
from reweightviz.widgets.common.reported_errors import ReportedErrors
from reweightviz.widgets.common.shared_module import SharedModule, read_style
from reweightviz.widgets.common.shown_widget import ShownWidget
from reweightviz.widgets.editor.mixture_border import (
    Level,
    Positive,
    check_locks,
    check_steps,
    check_weights,
    read_journal,
)
from reweightviz.widgets.editor.predictions import describe_law, predict_pair
from reweightviz.widgets.editor.static_table import draw_table

__all__ = ["ALWAYS_THERE", "MixtureEditor"]


_HERE = Path(__file__).parent
ALWAYS_THERE = ("natural", "uniform", "current")


class _MixtureTrait(t.TraitType[Mixture, Any]):
    """A Mixture over the editor's own domains, in their order; mappings are accepted."""

    allow_none = False

    def validate(self, obj: Any, value: Any) -> Mixture:
        return _align(obj.domains, value, "the mixture")


class MixtureEditor(ShownWidget, ReportedErrors, SharedModule):
    """Choose how much of each domain; every weight is a share of training tokens.

    Args:
        tokens: domain to tokens available (K domains), or Sources, or a Corpus; the last two hold
            which domains were split, so that a law of the former domains can predict.
        mixture: where to start; natural (proportional to tokens) when not given.
        reference: the mixture that changes are measured from; natural when not given.
        budget: tokens to train on, for the epochs: a number, or text such as "2T"; it can be typed
            in the widget too.
        presets: name to mixture; natural, uniform, UniMax and temperature are always there.
        law: predicts the losses of a mixture; evaluated in the browser where it has a browser form.
        max_epochs: passes over a domain past which the editor warns.
        link: widgets with the same link move together; a link of its own when not given.
        colors: one CSS colour a domain.
        level: coverage of the predicted intervals, between 0 and 1.

    Raises:
        ReweightvizError: a mixture names other domains, or a number is out of its range.

    Example:
        >>> editor = MixtureEditor({"web": 3e11, "code": 1e11}, budget=2e11)
        >>> editor.mixture
        Mixture({'web': 0.75, 'code': 0.25})
        >>> editor.mixture = {"web": 0.5, "code": 0.5}
        >>> editor.undo()
        >>> round(editor.mixture["web"], 6)
        0.75
    """

    # The synced traits: the whole contract with mixture_editor.js.
    domains = t.List(t.Unicode(), help="names (K,)").tag(sync=True)
    colors = t.List(t.Unicode(), help="one CSS colour a domain (K,)").tag(sync=True)
    tokens = t.List(t.Float(), help="tokens available (K,)").tag(sync=True)
    budget = Positive(None, allow_none=True, help="tokens to train on, or None").tag(sync=True)
    max_epochs = Positive(4.0, help="epochs past which the editor warns").tag(sync=True)
    weights = t.List(t.Float(), help="the committed weights (K,), sum 1").tag(sync=True)
    draft = t.List(
        t.Float(),
        default_value=None,
        allow_none=True,
        help="the weights while they move (K,), about 10 times a second; None when idle",
    ).tag(sync=True, echo_update=False)
    locked = t.List(t.Bool(), help="domains that make no room (K,)").tag(sync=True)
    reference = t.List(t.Float(), help="the weights to compare with (K,)").tag(sync=True)
    reference_name = t.Unicode("natural", help="name of the reference").tag(sync=True)
    presets = t.List(t.Dict(), help="mixtures to offer: {name, weights (K,), source}").tag(
        sync=True
    )
    # One side writes each, the kernel the journal, the page its steps since: no message crosses
    # another of the same trait.
    journal = t.Dict(
        read_only=True,
        help="the last 50 changes: {entries: [{id, version, what, weights, source}], at: "
        "id of the present one, version, heard: {page: id of its last step in it}}; weights only "
        "where the mixture changed",
    ).tag(sync=True)
    page_steps = t.List(
        t.Dict(),
        help="steps of the page that the journal does not hold yet: [{id, at, seen, "
        "weights, source}]",
    ).tag(sync=True, echo_update=False)
    law_header = t.Dict(
        help="{}: no law; kind 'kernel': ask Python; else of the browser form; shares "
        "where domains "
        "were split: [row of the law, column here, share] triples"
    ).tag(sync=True)
    law_data = t.Bytes(b"", help="the browser form's numbers, float32").tag(
        sync=True, from_json=lambda value, _: bytes(value)
    )
    level = Level(0.9, help="coverage of the predicted intervals").tag(sync=True)
    link = t.Unicode(help="widgets of a page with one link move together").tag(sync=True)

    mixture = _MixtureTrait(help="the committed mixture; observe it, or set it")
    law = t.Any(None, allow_none=True, help="the Law behind the predicted losses, or None")

    _path = _HERE / "mixture_editor.js"
    _css = read_style(_HERE / "mixture_editor.css")

    def __init__(
        self,
        tokens: Any,
        *,
        mixture: Mapping[str, float] | None = None,
        reference: Mapping[str, float] | None = None,
        budget: float | str | None = None,
        presets: Mapping[str, Mapping[str, float]] | None = None,
        law: Law | None = None,
        max_epochs: float = 4.0,
        link: str | None = None,
        colors: Sequence[str] | None = None,
        level: float = 0.9,
    ) -> None:
        table = _read_token_table(tokens)
        natural = Mixture.natural(table) if any(table.values()) else Mixture.uniform(table)
        start = natural if mixture is None else _align(table, mixture, "the mixture")
        against = natural if reference is None else _align(table, reference, "the reference")
        paint = list(color_names(table).values()) if colors is None else list(colors)
        if len(paint) != len(table):
            raise ReweightvizError(
                f"colors must name one colour a domain: {len(table)}; got {len(paint)}."
            )
        self._journal = UndoJournal({"mixture": start})
        super().__init__(
            domains=list(table),
            tokens=list(table.values()),
            colors=paint,
            locked=[False] * len(table),
            budget=budget,
            max_epochs=max_epochs,
            level=level,
            weights=start.array.tolist(),
            reference=against.array.tolist(),
            reference_name="natural" if against == natural else "reference",
            link=link or f"editor-{uuid4().hex}",
        )
        self._journal.listen(self._mirror)
        if against != natural:
            self.add_preset("reference", against)
        for name, preset in (presets or {}).items():
            self.add_preset(name, preset)
        self._lineage: Lineage = getattr(tokens, "lineage", Lineage())
        self.law = law
        self.on_msg(self._answer)

    # ---- the mixture

    @property
    def draft_mixture(self) -> Mixture:
        """The mixture as it moves; the committed one when nothing does."""
        if self.draft is None:
            return self.mixture
        return Mixture(zip(self.domains, self.draft, strict=True), source={"method": "draft"})

    @property
    def epochs(self) -> dict[str, float]:
        """Passes over each domain at the budget."""
        return self.mixture.epochs(self._token_table(), self.budget or 0)

    def undo(self) -> None:
        """Take the last change of the journal back; nothing happens at the first."""
        self._journal.undo()

    def redo(self) -> None:
        """Do it again."""
        self._journal.redo()

    def share(self, journal: UndoJournal) -> None:
        """Step through the same journal as others; its "mixture" becomes this editor's."""
        self._journal = journal
        journal.listen(self._mirror)
        self._mirror()

    def restore(self, journal: Mapping[str, Any]) -> None:
        """Put a journal back, as :attr:`journal` gave it, here or in version 0.3.

        The weights are those that it stands at; undo and redo go on from there.

        Raises:
            ReweightvizError: it is no journal, or not one of this many domains.

        Example:
            >>> old = MixtureEditor({"web": 3e11, "code": 1e11})
            >>> old.mixture = {"web": 0.5, "code": 0.5}
            >>> new = MixtureEditor({"web": 3e11, "code": 1e11})
            >>> new.restore(old.journal)
            >>> new.undo()
            >>> new.mixture
            Mixture({'web': 0.75, 'code': 0.25})
        """
        entries_read, place = read_journal(journal, len(self.domains))
        entries = [Entry({"mixture": self._read_mixture(entry)}) for entry in entries_read]
        self._journal.restore(entries, entries[place].id)

    def add_preset(self, name: str, mixture: Mapping[str, float]) -> None:
        """Offer a mixture in the menu; one of the same name is replaced."""
        if name in ALWAYS_THERE:
            raise ReweightvizError(f"the preset {name!r} is always there; give yours another name.")
        entry = {
            "name": str(name),
            **_record(_align(self.domains, mixture, f"the preset {name!r}")),
        }
        self.presets = [*(preset for preset in self.presets if preset["name"] != name), entry]

    def lock(self, *domains: str) -> None:
        """Let these domains make no room for others; all of them when none is named."""
        self._set_locks(domains, locked=True)

    def unlock(self, *domains: str) -> None:
        """Let these domains move again; all of them when none is named."""
        self._set_locks(domains, locked=False)

    def _set_locks(self, domains: tuple[str, ...], *, locked: bool) -> None:
        unknown = [domain for domain in domains if domain not in self.domains]
        if unknown:
            here = list_names(self.domains)
            raise ReweightvizError(
                f"the editor has no domain {list_names(unknown)}; it has {here}."
            )
        meant = domains or self.domains
        self.locked = [
            locked if name in meant else now
            for name, now in zip(self.domains, self.locked, strict=True)
        ]

    @t.default("mixture")
    def _make_mixture(self) -> Mixture:
        return _align(self.domains, self._journal.value("mixture"), "the mixture")

    @t.default("journal")
    def _make_journal(self) -> dict[str, Any]:
        return self._write_journal()

    def _read_mixture(self, entry: Mapping[str, Any]) -> Mixture:
        return Mixture(zip(self.domains, entry["weights"], strict=True), source=entry.get("source"))

    # Setting what is there already is no change: so the traits may follow the journal, too.

    @t.observe("weights")
    def _record_weights(self, _: Any) -> None:
        if self.weights != self._present_weights():
            given = {"weights": self.weights, "source": {"method": "given"}}
            self._journal.record("mixture", self._read_mixture(given))

    @t.observe("mixture")
    def _record_mixture(self, _: Any) -> None:
        if list(self.mixture.values()) != self._present_weights():
            self._journal.record("mixture", self.mixture)

    @t.observe("page_steps")
    def _take_page_steps(self, _: Any) -> None:
        steps = []
        for step in self.page_steps:
            values = {"mixture": self._read_mixture(step)} if "weights" in step else {}
            steps.append(PageStep(step["id"], step["at"], step["seen"], values))
        self._journal.follow(steps)

    def _present_weights(self) -> list[float]:
        weights: list[float] = self._journal.value("mixture").aligned(self.domains).tolist()
        return weights

    def _token_table(self) -> dict[str, float]:
        return dict(zip(self.domains, self.tokens, strict=True))

    def _mirror(self, _: Any = None) -> None:
        """Show the present entry of the journal, in one message to the page."""
        with self.hold_sync():
            call_all(
                [
                    lambda: self.set_trait("journal", self._write_journal()),
                    lambda: self.set_trait("weights", self._present_weights()),
                    # Also where only the source differs.
                    lambda: self.set_trait("mixture", self._make_mixture()),
                ]
            )

    def _write_journal(self) -> dict[str, Any]:
        """Return the journal as the page holds it: without the values that are not the editor's."""
        entries = []
        for entry in self._journal.entries:
            mixture = entry.values.get("mixture")
            record = {"id": entry.id, "version": entry.version, "what": sorted(entry.values)}
            if mixture is not None:
                record |= _record(_align(self.domains, mixture, "the mixture"))
            entries.append(record)
        return {
            "entries": entries,
            "at": self._journal.at,
            "version": self._journal.version,
            "heard": dict(self._journal.heard),
        }

    # ---- the border

    @t.validate("weights", "draft", "reference")
    def _check_weights(self, proposal: Any) -> Any:
        return check_weights(proposal["trait"].name, proposal["value"], len(self.domains))

    @t.validate("locked")
    def _check_locked(self, proposal: Any) -> Any:
        return check_locks(proposal["value"], len(self.domains))

    @t.validate("page_steps")
    def _check_steps(self, proposal: Any) -> Any:
        return check_steps(proposal["value"], len(self.domains))

    def _admit(self, name: str, value: Any) -> None:
        # Before the traits' own checks, whose error is a paragraph where an item is wrong.
        if name in ("weights", "draft", "reference"):
            check_weights(name, value, len(self.domains))
        elif name == "locked":
            check_locks(value, len(self.domains))
        elif name == "page_steps":
            check_steps(value, len(self.domains))
        elif name == "journal":
            raise ReweightvizError("the kernel alone writes the journal; a page sends page_steps.")
        super()._admit(name, value)

    # ---- the law

    @t.validate("law")
    def _check_law(self, proposal: Any) -> Any:
        law = proposal["value"]
        absent = [part for part in ("domains", "targets", "predict") if not hasattr(law, part)]
        if law is not None and absent:
            raise ReweightvizError(
                "law must be what rv.fit returns (domains, targets, predict, interval); "
                f"{type(law).__name__} has no {list_names(absent)}."
            )
        return law

    @t.observe("law")
    def _send_law(self, _: Any) -> None:
        header, data = describe_law(self.law, self.domains, self._lineage)
        with self.hold_sync():
            self.law_data = data
            self.law_header = header

    def _answer(self, _: Any, content: Any, __: Any) -> None:
        """Predict for the page, where the law has no browser form; one request at a time."""
        if not isinstance(content, Mapping) or content.get("type") != "predict" or self.law is None:
            return
        K = len(self.domains)
        reply: dict[str, Any] = {"id": content.get("id")}
        try:
            now = self._sum_for_law(check_weights("weights", content.get("weights"), K))
            before = self._sum_for_law(check_weights("reference", content.get("reference"), K))
            reply |= predict_pair(self.law, np.stack([now, before]), self.level)
        except Exception as problem:  # noqa: BLE001
            # The law may be a person's own code: its error is shown in place of the figures.
            self.error = f"the law could not predict: {type(problem).__name__}: {problem}"
            reply["error"] = self.error
        self.send(reply)

    def _sum_for_law(self, weights: Sequence[float]) -> NDArray[np.float64]:
        """Return the weights of the law's domains: those of split domains are summed."""
        mixture = dict(zip(self.domains, weights, strict=True))
        return self._lineage.mixture_onto(mixture, self.law.domains).array

    # ---- without JavaScript

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)
        if bundle is None:
            return None
        data, metadata = bundle
        epochs = self.epochs if self.budget else {}
        table = draw_table(self._token_table(), self.weights, epochs)
        return {**data, "text/html": table}, metadata


def _read_token_table(tokens: Any) -> dict[str, float]:
    given = getattr(tokens, "sources", tokens)
    if not isinstance(given, Mapping):
        raise ReweightvizError(
            "tokens must map domains to tokens available, or be Sources or a Corpus; "
            f"got {type(tokens).__name__}."
        )
    return {name: float(count) for name, count in Sources(given).token_table.items()}


def _align(domains: Sequence[str] | Mapping[str, float], mixture: Any, who: str) -> Mixture:
    """Return a mixture in the order of ``domains``."""
    if not isinstance(mixture, Mapping):
        raise ReweightvizError(f"{who} must map domains to weights; got {type(mixture).__name__}.")
    if isinstance(mixture, Mixture):
        given = mixture
    else:
        given = Mixture(mixture, source={"method": "given"})
    try:
        return given.reorder(domains)
    except ReweightvizError as error:
        raise ReweightvizError(f"{who} does not fit this editor: {error}") from None


def _record(mixture: Mixture) -> dict[str, Any]:
    # The source may hold anything; the journal is JSON.
    return {"weights": mixture.array.tolist(), "source": to_jsonable(mixture.source)}
