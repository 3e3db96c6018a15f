"""MaxText: the JSON of ``grain_train_mixture_config_path``, or ``grain_train_files`` of its YAML.

MaxText draws records of ArrayRecord files with Grain: documents, unless they were packed before.
The JSON names its sources, keeps weights as they are written, and may be changed when a run is
resumed; in ``grain_train_files``, "PATTERN,WEIGHT;PATTERN,WEIGHT", shares are rounded to four
decimals. Checked with the source of AI-Hypercomputer/maxtext at e591f30 and grain 0.2.18.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from reweightviz.core.errors import RefusedByFramework, UnknownName, WrongContent, list_names
from reweightviz.core.sources import Sources
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks._foreign import as_mapping
from reweightviz.exporters.frameworks._weights import add_up, find_not_positive, mention_again
from reweightviz.exporters.plan import Config, Entry, Numbers, Plan, to_number
from reweightviz.exporters.text import shell, yaml_edit
from reweightviz.exporters.units import EXAMPLES, TOKENS

__all__ = ["FILES", "FORMS", "MIXTURE", "MaxText"]


FORMS = ("mixture", "files")
FILES = "grain_train_files"
MIXTURE = "grain_train_mixture_config_path"
"""The key whose JSON counts where both are set."""
GRID = 10_000
"""MaxText rounds the shares of ``grain_train_files`` to this part."""


class MaxText(Exporter):
    """MaxText: JSON of `grain_train_mixture_config_path`, or `grain_train_files` of the YAML."""

    name = "maxtext"
    aliases = ("max-text",)
    title = "MaxText"
    on_command_line = True
    reads_options = False
    units = (EXAMPLES, TOKENS)
    repeats_nothing = True
    prepared_data = "ArrayRecord files"
    traps = (
        "MaxText passes over each source num_epoch times, once unless that is set, and training "
        "ends where the first source is used up.",
    )

    def render(self, plan: Plan, old: Document | None, *, form: str = "mixture") -> dict[str, str]:
        """Return the JSON or the YAML.

        Args:
            plan: what to write.
            old: not used; both are written whole.
            form: "mixture" for the JSON of ``grain_train_mixture_config_path``, "files" for a YAML
                with ``grain_train_files``.
        """
        if form not in FORMS:
            raise UnknownName(kind="form of a MaxText mixture", name=form, known=FORMS)
        if form == "mixture":
            rows = {
                name: {"path": _find_pattern(plan.entries[name]), "weight": number}
                for name, number in plan.numbers.items()
            }
            return {"": json.dumps(rows, indent=1, ensure_ascii=False) + "\n"}
        parts = [f"{pattern},{number!r}" for pattern, number in plan.numbers.items()]

        def fill(root: Any) -> None:
            settings = {"dataset_type": "grain", "grain_file_type": "arrayrecord"}
            yaml_edit.put_all(root, settings | {FILES: ";".join(parts)})

        return {"": self.render_yaml(plan, old, fill)}

    def parse(self, document: Document) -> Config:
        """Read the JSON, or what a YAML or a command has of the two keys."""
        if _is_mixture(document):
            return _read_mixture(document.mapping)
        settings = _read_settings(document)
        named = settings.get(MIXTURE)
        if named:
            there = document.sibling(str(named))
            if not _is_mixture(there):
                raise WrongContent(
                    path=there.path, reason="must map names to a path and a weight each"
                )
            config = _read_mixture(there.mapping)
            return replace(config, traps=(*config.traps, *_find_other_pipeline(settings)))
        text = settings.get(FILES)
        if not isinstance(text, str) or ";" not in text:
            raise WrongContent(
                path=document.path,
                reason=f"sets neither {MIXTURE} nor several sources in {FILES}, so it gives "
                "MaxText no mixture",
            )
        config = _read_files(text, settings)
        return replace(config, traps=(*config.traps, *_find_other_pipeline(settings)))

    def recognises(self, document: Document) -> bool:
        """Return whether it is the JSON, or sets one of the two keys to a mixture."""
        settings = _read_settings(document)
        several = ";" in str(settings.get(FILES) or "")
        return _is_mixture(document) or several or bool(settings.get(MIXTURE))

    def make_entries(
        self, domains: Sequence[str], sources: Sources | None, options: Mapping[str, Any]
    ) -> dict[str, Entry]:
        """Return name to domain, or pattern to domain for ``grain_train_files``."""
        entries = super().make_entries(domains, sources, options)
        if options.get("form") != "files":
            return entries
        found: dict[str, Entry] = {}
        for entry in entries.values():
            pattern = _find_pattern(entry)
            if "," in pattern or ";" in pattern:
                raise RefusedByFramework(
                    framework=self.title,
                    reason=f"splits {FILES} at , and ;, and the pattern {pattern!r} of "
                    f"{list_names([entry.domain])} has one; form='mixture' can hold it",
                )
            if pattern in found:
                raise RefusedByFramework(
                    framework=self.title,
                    reason=f"would read {list_names([found[pattern].domain, entry.domain])} from "
                    f"{pattern!r}; each needs a place of its own",
                )
            found[pattern] = entry
        return found


def _find_pattern(entry: Entry) -> str:
    if len(entry.paths) == 1:
        return entry.paths[0]
    got = f"{len(entry.paths)} paths" if entry.paths else "no path"
    raise RefusedByFramework(
        framework="MaxText",
        reason=f"needs one pattern of files for each domain; sources= has {got} for "
        f"{list_names([entry.domain])} (`paths` of a domain, or Sources.with_paths)",
    )


def _is_mixture(document: Document) -> bool:
    rows = list(document.mapping.values())
    if document.path.suffix in {".yaml", ".yml"} or not rows:
        return False
    return all(set(as_mapping(row)) == {"path", "weight"} for row in rows)


def _read_settings(document: Document) -> Mapping[str, Any]:
    """Return the settings of a YAML, or of the commands of a script."""
    if document.has_commands:
        wanted = f"{FILES}|{MIXTURE}|dataset_type|grain_file_type"
        return dict(shell.read_settings(document.text, wanted))
    return document.mapping


def _read_mixture(rows: Mapping[str, Any]) -> Config:
    numbers = {str(name): to_number(row["weight"]) for name, row in rows.items()}
    paths = {str(name): [str(row["path"])] for name, row in rows.items()}
    bad = find_not_positive(numbers)
    refused: tuple[str, ...] = ()
    if bad:
        refused = (
            f"Grain refuses weights that are not above 0; that of {list_names(bad)} is not.",
        )
    return Config({0: numbers}, paths=paths, refused=refused)


def _read_files(text: str, settings: Mapping[str, Any]) -> Config:
    parts = [part.split(",") for part in text.split(";")]
    if any(len(part) != 2 for part in parts):
        fault = f"each source of {FILES} must be PATTERN,WEIGHT; it is {text[:60]!r}."
        return Config({0: {}}, refused=(fault,))
    pairs = [(pattern, to_number(weight)) for pattern, weight in parts]
    numbers = add_up(pairs)
    return Config(
        {0: numbers},
        paths={pattern: [pattern] for pattern in numbers},
        refused=tuple(_find_faults(pairs, settings)),
        traps=(
            *mention_again((pattern for pattern, _ in pairs), "MaxText"),
            *_find_rounded(numbers),
        ),
    )


def _find_faults(pairs: Sequence[tuple[str, float]], settings: Mapping[str, Any]) -> Iterator[str]:
    whole = sum(weight for _, weight in pairs)
    lost = [name for name, weight in pairs if not weight > 0 or not round(weight / whole, 4) > 0]
    if lost:
        yield (
            f"{FILES} rounds shares to four decimals and Grain refuses a 0; that of "
            f"{list_names(lost)} is one, or no number above it."
        )
    if settings.get("grain_file_type", "arrayrecord") != "arrayrecord":
        yield "several sources must be ArrayRecord files; other grain_file_types take one pattern."
    if settings.get("grain_use_elastic_iterator"):
        yield "grain_use_elastic_iterator takes no mixture."


def _find_other_pipeline(settings: Mapping[str, Any]) -> Iterator[str]:
    """Generate a sentence where another pipeline than Grain's may read the data."""
    kind = settings.get("dataset_type")
    if kind is None:
        yield (
            "MaxText takes the mixture with dataset_type: grain alone, which is not set here; its "
            "own default is 'tfds'."
        )
    elif kind != "grain":
        yield (
            f"MaxText takes no notice of the mixture: dataset_type is {kind!r}, and only 'grain' "
            "reads it."
        )


def _find_rounded(numbers: Numbers) -> Iterator[str]:
    whole = sum(numbers.values())
    coarse = [
        name
        for name, weight in numbers.items()
        if weight > 0 and abs(round(weight / whole, 4) / (weight / whole) - 1) > 1 / 100
    ]
    if coarse:
        yield (
            f"MaxText rounds shares to {1 / GRID}, which changes that of {list_names(coarse)} by "
            f"more than 1 %; {MIXTURE} rounds nothing."
        )
