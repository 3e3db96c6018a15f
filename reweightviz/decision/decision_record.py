"""The decision record: one page on the mixture chosen, beside what, and why; Markdown and HTML."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reweightviz.core.errors import InvalidArgument
from reweightviz.core.files import write_all
from reweightviz.core.mixture import Mixture
from reweightviz.core.protocols import Law
from reweightviz.core.sources import Sources
from reweightviz.core.token_counts import parse_budget
from reweightviz.decision.gather_decision import gather_decision
from reweightviz.decision.markdown import render_markdown
from reweightviz.decision.page import render_page

__all__ = ["ENDINGS", "decision_record", "record_paths"]


ENDINGS = (".md", ".markdown", ".html", ".htm")


def decision_record(
    mixture: Mapping[str, float],
    path: str | os.PathLike[str],
    *,
    reference: Mapping[str, float] | None = None,
    law: Law | None = None,
    sources: Sources | Mapping[str, Any] | None = None,
    tokens: float | str | None = None,
    given: Mapping[str, Any] | None = None,
    rejected: Mapping[str, Any] | None = None,
    files: Sequence[str | os.PathLike[str]] = (),
    title: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Write one page on a decision: ``<path>.md``, and with pictures, standalone, ``<path>.html``.

    Args:
        mixture: what was chosen; its ``source`` holds by which method and constraints.
        path: of the Markdown; the HTML lies beside it under the same name.
        reference: what it is compared with; the natural mixture of ``sources`` when not given.
        law: predicts every target under both, with 90 % intervals and whether the difference
            exceeds its own.
        sources: what there is of each domain, for natural weights and epochs; those of a corpus
            know which domains were split, and from which of the law's.
        tokens: budget of the run; the one in the mixture's source when not given.
        given: what else the law predicts from, such as ``{"size": 1e9}``; what the mixture was
            proposed with when not given.
        rejected: name to (mixture, reason) of what was not chosen.
        files: what was exported; each is read back and its unit and provenance are stated.
        title: of the page.
        overwrite: replace a record that is there.

    Returns:
        The path of the Markdown.
    """
    if not isinstance(mixture, Mapping):
        raise InvalidArgument(
            name="rv.decision_record",
            value=mixture,
            expected="a mixture, a mapping of domain to weight",
            got=type(mixture).__name__,
        )
    # A string is a sequence too, of letters.
    if isinstance(files, str | os.PathLike):
        files = [files]
    decision = gather_decision(
        Mixture.of(mixture),
        reference=reference,
        law=law,
        sources=Sources.of(sources),
        tokens=parse_budget(tokens),
        rejected=rejected,
        files=files,
        title=title,
        given=given,
    )
    text, page = record_paths(path)
    write_all({page: render_page(decision), text: render_markdown(decision)}, overwrite=overwrite)
    return text


def record_paths(path: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Return the files of a record, Markdown and HTML.

    >>> [file.name for file in record_paths("why.html")]
    ['why.md', 'why.html']
    """
    base = Path(path)
    # Only an ending of ours is one: "mix-0.7" is a name with a dot.
    if base.suffix.lower() in ENDINGS:
        base = base.with_suffix("")
    return base.with_name(f"{base.name}.md"), base.with_name(f"{base.name}.html")
