"""An export as a draft: rendered, and read back as the framework would before it is offered."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reweightviz.core.errors import (
    InvalidValue,
    RefusedByFramework,
    ReweightvizError,
    UnknownName,
    UnwritableFile,
    list_names,
    warn,
)
from reweightviz.core.jsonable import to_jsonable
from reweightviz.core.mixture import Mixture
from reweightviz.core.protocols import needs
from reweightviz.core.schedule import Schedule
from reweightviz.core.sources import Sources
from reweightviz.core.token_counts import parse_budget
from reweightviz.exporters import provenance
from reweightviz.exporters.document import Document, PathLike
from reweightviz.exporters.draft import Draft
from reweightviz.exporters.epochs import cut_at_end
from reweightviz.exporters.plan import Config, Plan, digest
from reweightviz.exporters.planning import make_plan
from reweightviz.exporters.provenance import FOLDER_RECORD
from reweightviz.exporters.reading_back import recall
from reweightviz.exporters.text.encoding import to_json

if TYPE_CHECKING:
    from reweightviz.exporters.exporter import Exporter

__all__ = ["CONFIG_SUFFIXES", "write_draft"]


CONFIG_SUFFIXES = {".yaml", ".yml", ".json", ".py", ".txt", ".csv"}
"""Endings that a person gives to a file, so that no folder of that name is made."""


def write_draft(
    exporter: Exporter,
    mixture: Mixture | Schedule,
    path: PathLike,
    *,
    sources: Sources | Mapping[str, Any] | None = None,
    tokens: float | str | None = None,
    unit: str | None = None,
    max_epochs: float | None = None,
    overwrite: bool = False,
    merge: bool = False,
    backup: bool = True,
    as_counted: bool = False,
    **options: Any,
) -> Draft:
    """Render the files of an export, with the provenance that stands beside them.

    Args:
        exporter: of the framework.
        mixture: (K,) weights, shares of training tokens; or a Schedule, where the framework
            takes one. Domains of weight 0 are left out, and the provenance lists them.
        path: the file or folder; the folder that it lies in must be there.
        sources: what there is of each domain: files, tokens, documents, where the format or
            its unit needs them.
        tokens: budget of the run, in tokens, such as 1e11 or "100B"; adds the epochs of each
            domain.
        unit: what the numbers count, where the framework leaves it open.
        max_epochs: refuse to pass over a domain more often; without it, more than 4 passes are
            warned about.
        overwrite: replace what is there.
        merge: change only the mixture in a config that is there.
        backup: keep what a merge changes as ``<file>.bak``.
        as_counted: the weights are shares of what the unit counts instead of tokens, so no sizes
            are needed.
        **options: the framework's own, as its ``render`` names them.

    Returns:
        The files, none of which is written yet.

    Raises:
        ReweightvizError: one sentence on what is wrong with the arguments, what is there, or
            what the framework would make of the file.
    """
    target = Path(path)
    _check_request(exporter, target, max_epochs, overwrite=overwrite, merge=merge, options=options)
    every_option = (exporter.render.__kwdefaults__ or {}) | options
    old = _open_old(exporter, target) if merge else None
    plan = make_plan(
        exporter,
        mixture,
        sources=Sources.of(sources),
        tokens=parse_budget(tokens),
        unit=exporter.find_unit(unit),
        max_epochs=max_epochs,
        old=old,
        options=every_option,
        as_counted=as_counted,
    )
    if old is not None:
        _check_strangers(exporter, plan, old)
    texts = exporter.render(plan, old, **options)
    # The empty name stands for a single file, whose name is the target's own.
    key = "" if "" in texts else exporter.main_file
    in_folder = key != "" and not (merge and target.is_file())
    files = _place(exporter, target, texts, key, in_folder=in_folder)
    _check_free(exporter, files, overwrite=overwrite, merge=merge)

    main = target / key if in_folder else target
    config = exporter.parse(
        Document(main, files[main], {file.name: text for file, text in files.items()})
    )
    _check_config(exporter, plan, config)
    _warn_of_end(plan, config)
    # A merge leaves what the file has, so only what was passed is an option of it.
    recorded = options if merge else every_option
    record = plan.record | {
        "file": main.name,
        "digest": digest(config),
        "options": to_jsonable(
            {name: value for name, value in recorded.items() if value is not None}
        ),
    }
    others = {file: text for file, text in files.items() if file != main}
    if others:
        record["files"] = {file.name: provenance.hash_text(text) for file, text in others.items()}
    # A kill may leave the new record beside the old config.
    before = _recall_replaced(exporter, main)
    if before:
        record["before"] = before
    sidecar = _find_sidecar(target, main, in_folder=in_folder)
    # The config comes last: when it is there, so is everything that belongs to it.
    ordered = {sidecar: to_json(record)} | others | {main: files[main]}
    return Draft(target, ordered, backup=merge and backup)


def _check_request(
    exporter: Exporter,
    target: Path,
    max_epochs: float | None,
    *,
    overwrite: bool,
    merge: bool,
    options: Mapping[str, Any],
) -> None:
    known = needs(exporter.render)
    for option in options:
        if option not in known:
            raise UnknownName(
                kind=f"option of {exporter.title}",
                name=option,
                known=[*known, *needs(write_draft)],
            )
    if not target.name.endswith((exporter.suffix, *exporter.other_suffixes)):
        raise RefusedByFramework(
            framework=exporter.title,
            reason=f"reads a file that ends in {exporter.suffix}; got {target.name!r}",
        )
    if merge and overwrite:
        raise ReweightvizError(
            "merge=True changes a config that is there and overwrite=True replaces "
            "it; pass one of them."
        )
    if max_epochs is not None and not (math.isfinite(max_epochs) and max_epochs > 0):
        raise InvalidValue(name="max_epochs", value=max_epochs, expected="a number above 0")


def _open_old(exporter: Exporter, target: Path) -> Document:
    """Open the file that is merged into."""
    if not exporter.merges:
        raise ReweightvizError(
            f"merge=True changes a YAML or JSON config; what {exporter.title} reads is "
            "written whole: leave merge out."
        )
    document = exporter.open(target).for_framework(exporter.name)
    if document.fault is not None:
        raise document.fault
    return document


def _check_strangers(exporter: Exporter, plan: Plan, old: Document) -> None:
    """Refuse to merge into a file that trains on what the mixture does not name."""
    try:
        stages = exporter.parse(old).stages
    except ReweightvizError:
        # The file holds no mixture yet; there is nothing in it to lose.
        return
    known = {*plan.entries, *plan.dropped_names}
    weighted = [name for numbers in stages.values() for name, number in numbers.items() if number]
    strangers = [name for name in dict.fromkeys(weighted) if name not in known]
    if strangers:
        raise ReweightvizError(
            f"{old.path} trains on {list_names(strangers)}, which the mixture does not name: give "
            "them a weight (0 takes them out), or take them out of the config."
        )


def _place(
    exporter: Exporter, target: Path, texts: Mapping[str, str], key: str, *, in_folder: bool
) -> dict[Path, str]:
    """Return path to text of the files, in a folder or as the one file that ``target`` names."""
    if not in_folder:
        return {target: texts[key]}
    if target.suffix in CONFIG_SUFFIXES and not target.is_dir():
        raise RefusedByFramework(
            framework=exporter.title,
            reason=f"needs {list_names(texts)}, so a folder is written; got the name of a "
            f"file, {target.name!r}",
        )
    return {target / name: text for name, text in texts.items()}


def _check_free(
    exporter: Exporter, files: Mapping[Path, str], *, overwrite: bool, merge: bool
) -> None:
    there = [file for file in files if file.exists()]
    if there and not overwrite and not merge:
        hint = ""
        if exporter.merges:
            hint = "merge=True changes its mixture only, "
        raise UnwritableFile(
            path=there[-1], reason=f"it exists already; {hint}pass overwrite=True to replace it"
        )


def _check_config(exporter: Exporter, plan: Plan, config: Config) -> None:
    """Refuse a file that the framework would refuse, or read other numbers from than planned."""
    if config.refused:
        raise RefusedByFramework(
            framework=exporter.title,
            reason=f"would not take what was to be written: {config.refused[0]}",
        )
    for start, planned in plan.stages.items():
        found = config.stages.get(start, {})
        # Shares may stand on any scale in the file; passes are absolute.
        scale = 1.0
        if not plan.unit.passes:
            scale = (sum(found.values()) or math.nan) / sum(planned.values())
        off = []
        for name, number in planned.items():
            wanted = number * scale
            slack = 0.01 * wanted
            # A part of a pass may be cut by whole percents of the dataset, as datasets slices it.
            if plan.unit.passes:
                slack = 0.01 * max(number, 1.0)
            # Negated, so that nan, which stands for an absent name, counts as off.
            if not abs(found.get(name, math.nan) - wanted) <= slack:
                off.append(name)
        if off:
            raise RefusedByFramework(
                framework=exporter.title,
                reason=f"would not train on what was planned: the weight of {list_names(off)} "
                "would be another",
            )


def _warn_of_end(plan: Plan, config: Config) -> None:
    _, sentence = cut_at_end(plan.record.get("epochs", {}), plan.record.get("tokens"), config.stop)
    if sentence:
        warn(sentence)


def _recall_replaced(exporter: Exporter, main: Path) -> dict[str, Any]:
    """Return what is recorded of the config that is there."""
    with contextlib.suppress(ReweightvizError):
        return recall(exporter, Document.open(main).for_framework(exporter.name))
    return {}


def _find_sidecar(target: Path, main: Path, *, in_folder: bool) -> Path:
    """Return where the provenance goes: one for the folder, unless another file's is there."""
    shared = target / FOLDER_RECORD
    own = Document(main, "").sidecar
    if in_folder and not shared.exists() and not own.exists():
        return shared
    return own
