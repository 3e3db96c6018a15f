"""OLMo-core: the YAML of a ``SourceMixtureList``, or a Python module with its composable classes.

OLMo-core takes tokens in whole sequences, so a ratio is a share of tokens. It never passes over a
source more often than ``max_repetition_ratio`` allows, which is once unless said, and refuses a
budget that would; with ``tokens=`` the ratio is written from the epochs, a little upward. The YAML
goes into ``SourceMixtureDatasetConfig(source_list= SourceMixtureList.from_yaml(path),
requested_tokens=, global_batch_size=)``, the ``source_mixture_config`` of a
``NumpyFSLDatasetConfig``. Checked with ai2-olmo-core 3.0.0.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from reweightviz.core.errors import (
    RefusedByFramework,
    ReweightvizError,
    UnknownName,
    WrongContent,
    list_names,
)
from reweightviz.core.mixture import Mixture
from reweightviz.core.schedule import Schedule
from reweightviz.core.validation import find_repeated
from reweightviz.exporters.document import Document, PathLike
from reweightviz.exporters.draft import Draft
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks._foreign import mappings_in
from reweightviz.exporters.frameworks._repetitions import PREPARED, TRAPS, choose_repetitions
from reweightviz.exporters.frameworks._weights import add_up
from reweightviz.exporters.plan import Config, Plan, to_number
from reweightviz.exporters.text import python_file, python_module, yaml_edit

__all__ = ["FORMS", "SCRIPT", "SPECS", "OlmoCore", "Row"]


FORMS = ("sources", "composable")
SPECS = tuple(
    f"Mixing{kind}SourceSpec{config}"
    for kind in ("Instance", "Token", "Document")
    for config in ("Config", "")
)

SCRIPT = '''

def mixture(sequence_length, tokenizer, *, num_tokens=TOKENS, seed=0, **options):
    """A MixingInstanceSourceConfig. `tokenizer` is a TokenizerConfig; `options`, such as dtype, go to every NumpyDocumentSourceConfig."""
    from olmo_core.data.composable import (
        ConcatAndChunkInstanceSourceConfig,
        MixingInstanceSourceConfig,
        MixingInstanceSourceSpecConfig,
        NumpyDocumentSourceConfig,
    )

    def chunks(paths):
        documents = NumpyDocumentSourceConfig(source_paths=paths, tokenizer=tokenizer, **options)
        return ConcatAndChunkInstanceSourceConfig(sources=[documents], sequence_length=sequence_length)

    specs = [MixingInstanceSourceSpecConfig(source=chunks(source["paths"]), ratio=source["ratio"], label=source["label"],
                                            max_repetition_factor=source["max_repetition_factor"]) for source in SOURCES]
    return MixingInstanceSourceConfig(source_specs=specs, seed=seed, num_tokens=num_tokens)
'''  # noqa: E501  the written module has a width of its own


class Row(NamedTuple):
    """One source of a config as it stands there."""

    name: str
    ratio: Any
    repetitions: Any = 1.0
    paths: Any = None
    part: Any = 1.0


class OlmoCore(Exporter):
    """OLMo-core: YAML of a `SourceMixtureList`, or a module with `MixingInstanceSourceConfig`."""

    name = "olmo-core"
    aliases = ("olmo", "olmo_core", "ai2-olmo-core")
    title = "OLMo-core"
    merges = True
    prepared_data = PREPARED
    traps = TRAPS

    def draft(self, mixture: Mixture | Schedule, path: PathLike, **options: Any) -> Draft:
        """Return the draft.

        Raises:
            ReweightvizError: the ending of the file is not that of its form.
        """
        form = options.get("form", FORMS[0])
        if form in FORMS and (form == "composable") != (Path(path).suffix == ".py"):
            raise ReweightvizError(
                "OLMo-core's form='composable' is a Python module and ends in .py, the "
                "YAML of form='sources' does not; "
                f"got form={form!r} and {Path(path).name!r}."
            )
        return super().draft(mixture, path, **options)

    def render(self, plan: Plan, old: Document | None, *, form: str = "sources") -> dict[str, str]:
        """Return the YAML, or the module.

        Args:
            plan: what to write.
            old: a YAML of sources to merge into.
            form: "sources" for ``SourceMixtureList.from_yaml``, "composable" for a Python module
                with a ``mixture(...)``.
        """
        if form not in FORMS:
            raise UnknownName(kind="form of an OLMo-core mixture", name=form, known=FORMS)
        if form == "composable":
            return {"": _render_module(plan, old)}

        def fill(root: Any) -> None:
            for name, entry in yaml_edit.match_entries(
                root,
                ["sources"],
                plan.numbers,
                lambda entry: entry.get("source_name"),
                dropped=plan.dropped_names,
            ):
                if not entry:
                    head = {"source_name": name, "target_ratio": plan.numbers[name]}
                    yaml_edit.put_all(entry, head | {"paths": _find_paths(plan, name)})
                yaml_edit.put(entry, ["target_ratio"], plan.numbers[name])
                if plan.tokens is not None:
                    ratio = choose_repetitions(
                        plan,
                        name,
                        self.title,
                        there=entry.get("max_repetition_ratio"),
                        part=to_number(entry.get("max_source_fraction", 1.0)),
                    )
                    yaml_edit.put(entry, ["max_repetition_ratio"], ratio)

        return {"": self.render_yaml(plan, old, fill)}

    def parse(self, document: Document) -> Config:
        """Read ``sources`` of a YAML; in Python our ``SOURCES``, or specs that are written out."""
        python = document.path.suffix == ".py"
        read = _read_python if python else _read_yaml
        rows = list(read(document))
        unknown = [row for row in rows if isinstance(row.ratio, ast.AST)]
        if not rows or unknown:
            raise WrongContent(path=document.path, reason=_explain(document))
        numbers = add_up((row.name, to_number(row.ratio)) for row in rows)
        paths = {row.name: list(map(str, row.paths)) for row in rows if isinstance(row.paths, list)}
        # Specs are scaled to 1 by OLMo-core, SourceMixtureConfigs must sum to it.
        normalises = python and not any(document.python.call_arguments("SourceMixtureConfig"))
        faults = [*_find_ratio_faults(rows, normalises=normalises), *_find_row_faults(rows)]
        if not normalises:
            faults += _find_repeated(rows)
        return Config({0: numbers}, paths=paths, refused=tuple(faults))

    def recognises(self, document: Document) -> bool:
        """Return whether sources have a ``target_ratio``, or a Python file OLMo-core's specs."""
        names = (*SPECS, "SourceMixtureConfig")
        calls = [call for name in names for call in document.python.call_arguments(name)]
        return any(_read_yaml(document)) or any(calls)


def _find_paths(plan: Plan, name: str) -> list[str]:
    paths = plan.entries[name].paths
    if not paths:
        raise RefusedByFramework(
            framework="OLMo-core",
            reason="needs the token files of each source; sources= has no paths for "
            f"{list_names([plan.entries[name].domain])} (Sources.with_paths sets them)",
        )
    return list(paths)


def _render_module(plan: Plan, old: Document | None) -> str:
    if old is not None:
        raise ReweightvizError(
            "merge=True changes the YAML of form='sources'; the module of "
            "form='composable' is written whole: "
            "leave merge out."
        )
    rows = [
        {
            "label": name,
            "ratio": value,
            "max_repetition_factor": choose_repetitions(plan, name, OlmoCore.title),
            "paths": _find_paths(plan, name),
        }
        for name, value in plan.numbers.items()
    ]
    constants = {"TOKENS": None if plan.tokens is None else int(plan.tokens), "SOURCES": rows}
    return python_module.render(plan.comment("Training mixture for OLMo-core"), constants, SCRIPT)


def _read_yaml(document: Document) -> Iterator[Row]:
    for row in mappings_in(document.mapping.get("sources")):
        if "target_ratio" in row:
            yield Row(
                str(row.get("source_name")),
                row["target_ratio"],
                row.get("max_repetition_ratio", 1.0),
                row.get("paths") or [],
                row.get("max_source_fraction", 1.0),
            )


def _read_python(document: Document) -> Iterator[Row]:
    python = document.python
    table = python.constant("SOURCES")
    # A module of somebody else's may have a SOURCES too.
    if isinstance(table, list) and all(map(_is_ours, table)):
        for row in table:
            often = row.get("max_repetition_factor", 1.0)
            yield Row(str(row["label"]), row["ratio"], often, row.get("paths"))
        return
    for call in python.call_arguments("SourceMixtureConfig"):
        name = call.get("source_name", call.get(0))
        ratio = call.get("target_ratio", call.get(1))
        paths = call.get("paths", call.get(2))
        often = call.get("max_repetition_ratio", 1.0)
        yield Row(python_file.to_text(name), ratio, often, paths)
    for kind in SPECS:
        for call in python.call_arguments(kind):
            source = python_file.to_text(call.get("source", call.get(0)))
            name = call.get("label", call.get(3)) or source
            often = call.get("max_repetition_factor", call.get(2, 1.0))
            yield Row(python_file.to_text(name), call.get("ratio", call.get(1)), often)


def _is_ours(row: object) -> bool:
    return isinstance(row, dict) and {"label", "ratio"} <= set(row)


def _explain(document: Document) -> str:
    """Return why no mixture could be read."""
    if document.path.suffix != ".py":
        return (
            "is no mixture of OLMo-core: it has no 'sources' with 'source_name' and 'target_ratio' "
            "that can be read"
        )
    python = document.python
    calls = [call for kind in ("SourceMixtureConfig", *SPECS) for call in python.calls(kind)]
    why = python.explain_calls(calls, "target_ratio", "ratio", 1, table="SOURCES")
    return (
        "has no mixture of OLMo-core, MixingInstanceSourceSpecConfig or SourceMixtureConfig, that "
        f"can be read without running it{why}"
    )


def _find_repeated(rows: Sequence[Row]) -> Iterator[str]:
    """Return a sentence on sources of one name: OLMo-core 3.0.0 keeps the files of the last."""
    names = [row.name for row in rows]
    twice = find_repeated(names)
    if twice:
        yield (
            f"of the sources that are named {list_names(twice)} OLMo-core trains on the last "
            "alone, and fills up with all files what the others lack: give each its own name."
        )


def _find_ratio_faults(rows: Sequence[Row], *, normalises: bool) -> Iterator[str]:
    ratios = [(row.name, to_number(row.ratio)) for row in rows]
    if normalises:
        bad = list(dict.fromkeys(name for name, value in ratios if not value > 0))
        if bad:
            yield f"the ratios must be numbers above 0; that of {list_names(bad)} is not."
        return
    bad = list(dict.fromkeys(name for name, value in ratios if not 0 <= value <= 1))
    if bad:
        yield f"the ratios must be numbers from 0 to 1; that of {list_names(bad)} is not."
        return
    total = math.fsum(value for _, value in ratios)
    # The tolerances of numpy.allclose, by which OLMo-core compares.
    if not abs(total - 1) <= 1e-8 + 1e-5:
        yield (
            f"the target ratios must sum to 1, or OLMo-core refuses them; they sum to {total:.6g}."
        )


def _find_row_faults(rows: Sequence[Row]) -> Iterator[str]:
    # Code in the place of a number is left to whoever runs it.
    written = [row for row in rows if isinstance(row.repetitions, int | float | str)]
    capped = [row.name for row in written if not to_number(row.repetitions) >= 1]
    if capped:
        yield (
            "max_repetition_ratio must be 1 or more, or OLMo-core refuses it; that of "
            f"{list_names(capped)} is not."
        )
    odd = [row.name for row in rows if row.paths == [] or not 0 < to_number(row.part) <= 1]
    if odd:
        yield (
            "OLMo-core needs paths, and a max_source_fraction above 0 and up to 1; "
            f"{list_names(odd)} has other."
        )
