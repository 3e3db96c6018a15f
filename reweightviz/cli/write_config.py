"""Write a config and its record, as ``export`` and ``convert`` do."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reweightviz.api import ship
from reweightviz.cli.framework_options import parse_options
from reweightviz.cli.terminal import print_complaint, print_line, say_warnings
from reweightviz.core.errors import (
    ReweightvizError,
    UnwritableFile,
    list_names,
)
from reweightviz.core.files import inside_folder
from reweightviz.core.mixture import Mixture
from reweightviz.core.schedule import Schedule
from reweightviz.core.sources import Sources
from reweightviz.core.text import to_line
from reweightviz.core.token_counts import parse_budget

if TYPE_CHECKING:
    from reweightviz.exporters import Exporter
    from reweightviz.exporters.draft import Draft

__all__ = ["MOST_EPOCHS_SHOWN", "write_config"]


MOST_EPOCHS_SHOWN = 12


def write_config(
    mixture: Mixture | Schedule,
    sources: Sources | None,
    options: argparse.Namespace,
    carried: Sequence[str] = (),
    *,
    as_counted: bool = False,
) -> None:
    """Write a config and its record, and print what was written.

    Args:
        mixture: what is written.
        sources: what there is of each domain.
        options: of the command line.
        carried: paths that another config named.
        as_counted: the weights are shares of what both configs count, not of tokens.
    """
    from reweightviz import exporters

    exporter = exporters.find(options.to)
    own = parse_options(options.option, exporter)
    if options.merge and options.overwrite:
        raise ReweightvizError(
            "--merge changes the config that is there and --overwrite replaces it: give "
            "one of them."
        )
    # Checked before the config is written, so that not one of the two is left alone.
    if options.record and not options.diff:
        _check_record(options)
    with say_warnings(options):
        draft = exporter.draft(
            mixture,
            options.out,
            sources=sources,
            tokens=parse_budget(options.tokens, "--tokens"),
            unit=options.unit,
            max_epochs=options.max_epochs,
            overwrite=options.overwrite,
            merge=options.merge,
            backup=not options.no_backup,
            as_counted=as_counted,
            **own,
        )
    for note in _note_paths(draft, exporter, carried, options):
        print_complaint(f"note: {note}", options)
    if as_counted:
        print_complaint(
            "note: both configs count the same, so no sizes were needed; shares of tokens are "
            "not known.",
            options,
        )
    if options.diff:
        print_line(draft.diff(), end="")
        return
    _save(draft, exporter)
    if options.record:
        _record(mixture, sources, options)


def _save(draft: Draft, exporter: Exporter) -> None:
    # A backup is listed before it is made: afterwards there is nothing left to back up.
    backups = draft.backups()
    draft.save()
    for path in reversed([*draft.files]):
        print_line(f"wrote {path}")
    for path in backups:
        print_line(f"kept {path}")
    for line in _describe_written(draft, exporter):
        print_line(line)


def _describe_written(draft: Draft, exporter: Exporter) -> Iterator[str]:
    """Yield what a person should see of what was written."""
    record = json.loads(next(iter(draft.files.values())))
    yield f"{exporter.title}: {record['unit']}"
    if record["dropped"]:
        yield f"left out, weight 0: {list_names(record['dropped'])}"
    epochs = record.get("epochs")
    if epochs:
        shown = [
            f"{to_line(domain, 40)!r} {passes:.3g}"
            for domain, passes in [*epochs.items()][:MOST_EPOCHS_SHOWN]
        ]
        left = len(epochs) - len(shown)
        more = ""
        if left:
            more = f" and {left} more"
        yield f"epochs at {record['tokens']:.4g} tokens: {', '.join(shown)}{more}"


def _note_paths(
    draft: Draft, exporter: Exporter, carried: Sequence[str], options: argparse.Namespace
) -> Iterator[str]:
    """Yield what to know of paths that came from another config."""
    written = [
        words for path, words in draft.files.items() if not path.name.endswith("provenance.json")
    ]
    used = []
    for path in carried:
        # JSON and YAML may hold it escaped.
        escaped = json.dumps(path)[1:-1]
        if any(path in words or escaped in words for words in written):
            used.append(path)
    if used:
        yield (
            f"the paths are those of {options.mixture} as they stand; check that "
            f"{exporter.title} can read them."
        )
    variables = [path for path in used if "$" in path]
    if variables:
        yield (
            f"{list_names(variables, 3)} holds a variable, which {exporter.title} may not fill in: "
            "write the path out."
        )


def _check_record(options: argparse.Namespace) -> None:
    """Refuse a record that could not be written, before anything is."""
    for page in _record_paths(options):
        if inside_folder(page).is_dir():
            raise UnwritableFile(path=page, reason="it is a folder; name a file")
        if page.exists() and not options.overwrite:
            advice = "pass --overwrite to replace it, or name another file"
            if options.merge:
                advice = "name another file for the record"
            raise UnwritableFile(path=page, reason=f"it exists already; {advice}")


def _record(
    mixture: Mixture | Schedule, sources: Sources | None, options: argparse.Namespace
) -> None:
    # The paths that a config carried along are no account of what there is.
    known = sources if options.sources else None
    if isinstance(mixture, Schedule):
        mixture = mixture.mean()
    ship.decision_record(
        mixture,
        options.record,
        sources=known,
        tokens=parse_budget(options.tokens, "--tokens"),
        files=[options.out],
        overwrite=options.overwrite,
    )
    for page in _record_paths(options):
        print_line(f"wrote {page}")


def _record_paths(options: argparse.Namespace) -> tuple[Path, Path]:
    # Imported here: it brings SciPy, which an export without a record does without.
    from reweightviz.decision.decision_record import record_paths

    return record_paths(options.record)
