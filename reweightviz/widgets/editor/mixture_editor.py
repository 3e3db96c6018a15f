"""The mixture editor: one row a domain, a weight that is dragged, typed or nudged."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import anywidget
import numpy as np
import traitlets as t

from reweightviz.core.errors import ReweightvizError, listed
from reweightviz.core.jsonable import to_jsonable
from reweightviz.core.lineage import Lineage
from reweightviz.core.mixture import Mixture
from reweightviz.core.protocols import Law
from reweightviz.core.sources import Sources
from reweightviz.core.undo_journal import Entry, PageStep, UndoJournal
from reweightviz.figures.palette import choose_colors as palette
from reweightviz.numerics.contrast import (
    bound_runs,
    contrast_mixtures,
    directions,
    prepend_mean,
    weigh_targets,
)
from reweightviz.widgets.common.assemble import assemble
from reweightviz.widgets.common.reported_errors import ReportedErrors
from reweightviz.widgets.editor.mixture_border import (
    Level,
    Positive,
    checked_locks,
    checked_steps,
    checked_weights,
    read_journal,
)

HERE = Path(__file__).parent
ALWAYS_THERE = ("natural", "uniform", "current")


class _MixtureTrait(t.TraitType):
    """A Mixture over the editor's own domains, in their order; mappings are accepted."""

    default_value = None
    allow_none = False

    def validate(self, obj: Any, value: Any) -> Mixture:
        return _over(obj.domains, value, "the mixture")


class MixtureEditor(ReportedErrors, anywidget.AnyWidget):
    """Choose how much of each domain; every weight is a share of training tokens.

    Args:
        tokens: domain to tokens available (K domains), or Sources, or a Corpus; the last two know
            which domains were split, so that a law of the former domains can be asked.
        mixture: where to start; natural (proportional to tokens) when not given.
        reference: what changes are shown against; natural when not given.
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
    reference_name = t.Unicode("natural", help="what the reference is called").tag(sync=True)
    presets = t.List(t.Dict(), help="mixtures to offer: {name, weights (K,), source}").tag(
        sync=True
    )
    # One side writes each, the kernel the journal, the page what it did since: no message crosses
    # another of the same trait.
    journal = t.Dict(
        read_only=True,
        help="the last 50 changes: {entries: [{id, version, what, weights, source}], at: "
        "id of the present one, "
        "version, heard: id of the last page step in it}; weights only where the mixture changed",
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

    _esm = assemble(HERE / "mixture_editor.js")
    _css = HERE / "mixture_editor.css"

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
        table = _token_table(tokens)
        natural = Mixture.natural(table) if any(table.values()) else Mixture.uniform(table)
        start = natural if mixture is None else _over(table, mixture, "the mixture")
        against = natural if reference is None else _over(table, reference, "the reference")
        shown = list(colors) if colors is not None else palette(len(table))
        if len(shown) != len(table):
            raise ReweightvizError(
                f"colors must name one colour a domain: {len(table)}; got {len(shown)}."
            )
        self._journal = UndoJournal({"mixture": start})
        super().__init__(
            domains=list(table),
            tokens=list(table.values()),
            colors=shown,
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
        self._lineage = getattr(tokens, "lineage", Lineage())
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
        return self.mixture.epochs(
            dict(zip(self.domains, self.tokens, strict=True)), self.budget or 0
        )

    def undo(self) -> None:
        """Take the last change of the journal back; nothing happens at the first."""
        self._journal.undo()

    def redo(self) -> None:
        """Do it again."""
        self._journal.redo()

    def share(self, journal: UndoJournal) -> None:
        """Step through a journal that others step through too; its "mixture" becomes this editor's."""
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
        held, place = read_journal(journal, len(self.domains))
        entries = [Entry({"mixture": self._mixture_of(entry)}) for entry in held]
        self._journal.restore(entries, entries[place].id)

    def add_preset(self, name: str, mixture: Mapping[str, float]) -> None:
        """Offer a mixture in the menu; one of the same name is replaced."""
        if name in ALWAYS_THERE:
            raise ReweightvizError(f"the preset {name!r} is always there; give yours another name.")
        entry = {"name": str(name), **_entry(_over(self.domains, mixture, f"the preset {name!r}"))}
        self.presets = [*(preset for preset in self.presets if preset["name"] != name), entry]

    def lock(self, *domains: str) -> None:
        """Let these domains make no room for others; all of them when none is named."""
        self._lock(domains, locked=True)

    def unlock(self, *domains: str) -> None:
        """Let these domains move again; all of them when none is named."""
        self._lock(domains, locked=False)

    def _lock(self, domains: tuple[str, ...], *, locked: bool) -> None:
        unknown = [domain for domain in domains if domain not in self.domains]
        if unknown:
            here = listed(self.domains)
            raise ReweightvizError(f"the editor has no domain {listed(unknown)}; it has {here}.")
        self.locked = [
            locked if not domains or name in domains else now
            for name, now in zip(self.domains, self.locked, strict=True)
        ]

    @t.default("mixture")
    def _first_mixture(self) -> Mixture:
        return _over(self.domains, self._journal.value("mixture"), "the mixture")

    @t.default("journal")
    def _first_journal(self) -> dict[str, Any]:
        return self._wire()

    def _mixture_of(self, entry: Mapping[str, Any]) -> Mixture:
        return Mixture(zip(self.domains, entry["weights"], strict=True), source=entry.get("source"))

    # Setting what is there already is no change: so the traits may follow the journal, too.

    @t.observe("weights")
    def _record_weights(self, _: Any) -> None:
        if self.weights != self._present_weights():
            given = {"weights": self.weights, "source": {"method": "given"}}
            self._journal.record("mixture", self._mixture_of(given))

    @t.observe("mixture")
    def _record_mixture(self, _: Any) -> None:
        if list(self.mixture.values()) != self._present_weights():
            self._journal.record("mixture", self.mixture)

    @t.observe("page_steps")
    def _take_page_steps(self, _: Any) -> None:
        steps = []
        for step in self.page_steps:
            values = {"mixture": self._mixture_of(step)} if "weights" in step else {}
            steps.append(PageStep(step["id"], step["at"], step["seen"], values))
        self._journal.follow(steps)

    def _present_weights(self) -> list[float]:
        weights: list[float] = self._journal.value("mixture").aligned(self.domains).tolist()
        return weights

    def _mirror(self, _: Any = None) -> None:
        """Show where the journal stands: in one message to the page."""
        with self.hold_sync():
            self.set_trait("journal", self._wire())
            self.weights = self._present_weights()
            # Also where only the source differs.
            self.mixture = self._first_mixture()

    def _wire(self) -> dict[str, Any]:
        """Return the journal as the page holds it: without the values that are not the editor's."""
        entries = []
        for entry in self._journal.entries:
            mixture = entry.values.get("mixture")
            held = {} if mixture is None else _entry(_over(self.domains, mixture, "the mixture"))
            named = {"id": entry.id, "version": entry.version, "what": sorted(entry.values)}
            entries.append(named | held)
        place = {name: getattr(self._journal, name) for name in ("at", "version", "heard")}
        return {"entries": entries, **place}

    # ---- the border

    @t.validate("weights", "draft", "reference")
    def _check_weights(self, proposal: Any) -> Any:
        return checked_weights(proposal["trait"].name, proposal["value"], len(self.domains))

    @t.validate("locked")
    def _check_locked(self, proposal: Any) -> Any:
        return checked_locks(proposal["value"], len(self.domains))

    @t.validate("page_steps")
    def _check_steps(self, proposal: Any) -> Any:
        return checked_steps(proposal["value"], len(self.domains))

    def _admit(self, name: str, value: Any) -> None:
        # Before the traits' own checks, which write a paragraph where a list holds a wrong thing.
        if name in ("weights", "draft", "reference"):
            checked_weights(name, value, len(self.domains))
        elif name == "locked":
            checked_locks(value, len(self.domains))
        elif name == "page_steps":
            checked_steps(value, len(self.domains))
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
                f"{type(law).__name__} has no {listed(absent)}."
            )
        return law

    @t.observe("law")
    def _send_law(self, _: Any) -> None:
        form = self.law.browser_form() if hasattr(self.law, "browser_form") else None
        header = _kernel_header(self.law) if self.law is not None else {}
        header = header if form is None else dict(form.header)
        if self.law is not None and self._lineage:
            header |= {"shares": _triples(self._lineage.known(self.domains, self.law.domains))}
        with self.hold_sync():
            self.law_data = b"" if form is None else bytes(form.data)
            self.law_header = header

    def _answer(self, _: Any, content: Any, __: Any) -> None:
        """A law without a browser form: the browser asks, one question at a time."""
        if not isinstance(content, Mapping) or content.get("type") != "predict" or self.law is None:
            return
        reply: dict[str, Any] = {"id": content.get("id")}
        try:
            names = "weights", "reference"
            pair = [checked_weights(name, content.get(name), len(self.domains)) for name in names]
            known = [
                self._lineage.mixture_onto(
                    dict(zip(self.domains, each, strict=True)), self.law.domains
                )
                for each in pair
            ]
            reply |= _predicted(
                self.law, np.stack([mixture.array for mixture in known]), self.level
            )
        except Exception as problem:  # noqa: BLE001
            # The law is the person's own code: whatever it raises is shown where the figures would
            # be.
            self.error = f"the law could not predict: {type(problem).__name__}: {problem}"
            reply["error"] = self.error
        self.send(reply)

    # ---- without JavaScript

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)
        if bundle is None:
            return None
        data, metadata = bundle
        return {**data, "text/html": self._table()}, metadata

    def _table(self) -> str:
        head = "".join(f"<th>{title}</th>" for title in ("domain", "tokens", "weight", "epochs"))
        epochs = self.epochs if self.budget else {}
        table = zip(self.domains, self.tokens, self.weights, strict=True)
        cells = (
            (
                html.escape(name),
                f"{tokens:,.0f}",
                f"{weight:.2%}",
                f"{epochs[name]:.2f}" if epochs else "",
            )
            for name, tokens, weight in table
        )
        rows = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in cells)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _token_table(tokens: Any) -> dict[str, float]:
    given = getattr(tokens, "sources", tokens)
    if not isinstance(given, Mapping):
        raise ReweightvizError(
            "tokens must map domains to tokens available, or be Sources or a Corpus; "
            f"got {type(tokens).__name__}."
        )
    return {name: float(count) for name, count in Sources(given).token_table.items()}


def _over(domains: Sequence[str] | Mapping[str, float], mixture: Any, who: str) -> Mixture:
    """``mixture`` in the order of ``domains``."""
    if not isinstance(mixture, Mapping):
        raise ReweightvizError(f"{who} must map domains to weights; got {type(mixture).__name__}.")
    known = (
        mixture if isinstance(mixture, Mixture) else Mixture(mixture, source={"method": "given"})
    )
    try:
        weights = known.aligned(domains)
    except ReweightvizError as error:
        raise ReweightvizError(f"{who} does not fit this editor: {error}") from None
    return Mixture(zip(domains, weights.tolist(), strict=True), source=known.source)


def _entry(mixture: Mixture) -> dict[str, Any]:
    # The source may hold anything; the journal is JSON.
    return {"weights": mixture.array.tolist(), "source": to_jsonable(mixture.source)}


def _kernel_header(law: Law) -> dict[str, Any]:
    return {
        "kind": "kernel",
        "domains": list(law.domains),
        "targets": list(law.targets),
        "lower_is_better": directions(law).tolist(),
    }


def _triples(shares: np.ndarray) -> list[list[float]]:
    return [
        [int(row), int(column), float(shares[row, column])] for row, column in np.argwhere(shares)
    ]


def _predicted(law: Law, weights: np.ndarray, level: float) -> dict[str, Any]:
    """Return what is predicted ``now`` and ``before``, from weights (2, K) of the law's domains, and the ``change``."""
    shares = weigh_targets(directions(law))
    value = prepend_mean(np.asarray(law.predict(weights), float), shares)
    low, high = bound_runs(law, weights, shares, level)
    parts: dict[str, Any] = {}
    for row, part in enumerate(("now", "before")):
        edges = np.stack([value[row], low[row], high[row]], axis=1).tolist()
        parts[part] = _message(
            [dict(zip(("value", "low", "high"), each, strict=True)) for each in edges]
        )
    mean, targets = contrast_mixtures(law, weights, level=level)
    parts["change"] = _message([vars(each) for each in (mean, *targets)])
    return parts


def _message(figures: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the mean, which comes first, and the targets, as JSON can hold them."""
    mean, *targets = (
        {name: _finite(value) for name, value in figure.items()} for figure in figures
    )
    return {"targets": targets, "mean": mean}


def _finite(value: float | str) -> float | str | None:
    """Return what JSON has for a number: it has no NaN, so what is not known is None."""
    unknown = isinstance(value, float) and not np.isfinite(value)
    return None if unknown else value
