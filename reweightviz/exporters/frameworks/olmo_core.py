"""OLMo-core: the YAML of a ``SourceMixtureList``, or a Python module with its composable classes.

OLMo-core takes tokens in whole sequences, so a ratio is a share of tokens. It never passes over a
source more often than ``max_repetition_ratio`` allows, which is once unless said, and refuses a
budget that would; with ``tokens=`` the ratio is written from the epochs, a little upward. The YAML
goes into ``SourceMixtureDatasetConfig(source_list= SourceMixtureList.from_yaml(path),
requested_tokens=, global_batch_size=)``, the ``source_mixture_config`` of a
``NumpyFSLDatasetConfig``. Checked with ai2-olmo-core 3.0.0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from reweightviz.core.errors import (
    RefusedByFramework,
    ReweightvizError,
    UnknownName,
    WrongContent,
    listed,
)
from reweightviz.core.mixture import Mixture
from reweightviz.core.schedule import Schedule
from reweightviz.exporters.document import Document, PathLike
from reweightviz.exporters.draft import Draft
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.plan import Config, Plan, to_number
from reweightviz.exporters.text import python_file, python_module, yaml_edit

FORMS = ("sources", "composable")
MARGIN = 1.01
"""OLMo-core counts whole tokens and sequences, so an exact ratio could miss by one."""
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
'''


class Row(NamedTuple):
    """One source of a config as it stands there."""

    name: str
    ratio: Any
    repetitions: Any = 1.0
    paths: Any = None
    part: Any = 1.0


class OlmoCore(Exporter):
    """OLMo-core: the YAML of a `SourceMixtureList`, or a Python module with a `MixingInstanceSourceConfig`; caps what is repeated."""

    name = "olmo-core"
    aliases = ("olmo", "olmo_core", "ai2-olmo-core")
    title = "OLMo-core"
    merges = True
    prepared_data = "token files (.npy)"
    traps = (
        "OLMo-core takes a .npy file for bare tokens: one with the header of numpy.save "
        "begins with tokens that are none.",
        "OLMo-core needs the tokenizer's EOS token at least once in every file that it reads from.",
    )

    def draft(self, mixture: Mixture | Schedule, path: PathLike, **options: Any) -> Draft:
        """The same, where the file's ending fits its form."""
        form = options.get("form", FORMS[0])
        if form in FORMS and (form == "composable") != (Path(path).suffix == ".py"):
            raise ReweightvizError(
                "OLMo-core's form='composable' is a Python module and ends in .py, the "
                "YAML of form='sources' does not; "
                f"got form={form!r} and {Path(path).name!r}."
            )
        return super().draft(mixture, path, **options)

    def render(self, plan: Plan, old: Document | None, *, form: str = "sources") -> dict[str, str]:
        """The YAML, or the module.

        Args:
            plan: what to write.
            old: a YAML of sources to merge into.
            form: "sources" for ``SourceMixtureList.from_yaml``, "composable" for a Python module
                with a ``mixture(...)``.
        """
        if form not in FORMS:
            raise UnknownName(kind="form of an OLMo-core mixture", name=form, known=FORMS)
        if form == "composable":
            return {"": _module(plan, old)}

        def fill(root: Any) -> None:
            for name, entry in yaml_edit.match_entries(
                root,
                ["sources"],
                plan.numbers,
                lambda entry: entry.get("source_name"),
                dropped=plan.dropped_names,
            ):
                if not entry:
                    yaml_edit.put_all(
                        entry,
                        {
                            "source_name": name,
                            "target_ratio": plan.numbers[name],
                            "paths": _paths(plan, name),
                        },
                    )
                yaml_edit.put(entry, ["target_ratio"], plan.numbers[name])
                if plan.tokens is not None:
                    there, part = (
                        entry.get("max_repetition_ratio"),
                        to_number(entry.get("max_source_fraction", 1.0)),
                    )
                    yaml_edit.put(
                        entry,
                        ["max_repetition_ratio"],
                        repetitions(plan, name, self.title, there=there, part=part),
                    )

        return {"": self.render_yaml(plan, old, fill)}

    def parse(self, document: Document) -> Config:
        """``sources`` of a YAML; in Python our ``SOURCES``, or the specs and ``SourceMixtureConfig`` that are written out."""
        python = document.path.suffix == ".py"
        rows = list(_python(document) if python else _yaml(document))
        if not rows:
            what = (
                "MixingInstanceSourceSpecConfig or SourceMixtureConfig"
                if python
                else "'sources' with 'source_name' and 'target_ratio'"
            )
            raise WrongContent(
                path=document.path,
                reason=f"is no mixture of OLMo-core: it has no {what} that can be read",
            )
        numbers = {row.name: to_number(row.ratio) for row in rows}
        paths = {row.name: list(map(str, row.paths)) for row in rows if isinstance(row.paths, list)}
        normalises = python and not any(document.python.call_arguments("SourceMixtureConfig"))
        return Config(
            {0: numbers}, paths=paths, refused=_faults(rows, numbers, normalises=normalises)
        )

    def recognises(self, document: Document) -> bool:
        """Sources with a ``target_ratio``, or a Python file with OLMo-core's specs."""
        return any(_yaml(document)) or any(
            any(document.python.call_arguments(name)) for name in (*SPECS, "SourceMixtureConfig")
        )


def repetitions(
    plan: Plan, name: str, title: str, *, there: Any = None, part: float = 1.0
) -> float:
    """How often a source may be passed over, so that the budget fits: what stands there where that does, else from the epochs.

    Args:
        plan: with the budget.
        name: of the source in the file.
        title: of the framework.
        there: what the file says now.
        part: fraction of the source that the file lets in.
    """
    domain, epochs, limit = (
        plan.entries[name].domain,
        plan.record["epochs"],
        plan.record["max_epochs"],
    )
    part = part if 0 < part <= 1 else 1.0
    if max(epochs.values()) > limit * (1 + 1e-6):
        limit = math.inf
    size, needed = plan.sources[domain].tokens, int(plan.tokens * plan.numbers[name])  # type: ignore[index, operator]
    if 1 <= to_number(there) <= limit and int(size * part * to_number(there)) >= needed:
        return there
    ratio = max(1.0, min(math.ceil(epochs[domain] / part * MARGIN * 100) / 100, limit))
    if not int(size * part * ratio) >= needed:
        share = "" if part == 1 else f"{part:g} of "
        raise RefusedByFramework(
            framework=title,
            reason=f"would refuse {listed([domain])}: {plan.tokens:.4g} tokens ask for "
            f"{needed:,} of it, and {ratio:g} times {share}its {size:,.0f} are "
            "fewer: lower its weight or tokens=, or raise max_epochs",
        )
    return ratio


def _paths(plan: Plan, name: str) -> list[str]:
    paths = plan.entries[name].paths
    if not paths:
        raise RefusedByFramework(
            framework="OLMo-core",
            reason="needs the token files of each source; sources= has no paths for "
            f"{listed([plan.entries[name].domain])} (Sources.with_paths sets them)",
        )
    return list(paths)


def _module(plan: Plan, old: Document | None) -> str:
    if old is not None:
        raise ReweightvizError(
            "merge=True changes the YAML of form='sources'; the module of "
            "form='composable' is written whole: "
            "leave merge out."
        )
    often = {
        name: 1.0 if plan.tokens is None else repetitions(plan, name, OlmoCore.title)
        for name in plan.numbers
    }
    rows = [
        {
            "label": name,
            "ratio": value,
            "max_repetition_factor": often[name],
            "paths": _paths(plan, name),
        }
        for name, value in plan.numbers.items()
    ]
    constants = {"TOKENS": None if plan.tokens is None else int(plan.tokens), "SOURCES": rows}
    return python_module.render(plan.comment("Training mixture for OLMo-core"), constants, SCRIPT)


def _yaml(document: Document) -> Iterator[Row]:
    sources = document.mapping.get("sources")
    for row in sources if isinstance(sources, list) else ():
        if isinstance(row, Mapping) and "target_ratio" in row:
            yield Row(
                str(row.get("source_name")),
                row["target_ratio"],
                row.get("max_repetition_ratio", 1.0),
                row.get("paths") or [],
                row.get("max_source_fraction", 1.0),
            )


def _python(document: Document) -> Iterator[Row]:
    table = document.python.constant("SOURCES")
    if isinstance(table, list) and all(
        isinstance(row, dict) and {"label", "ratio"} <= set(row) for row in table
    ):
        yield from (
            Row(
                str(row["label"]),
                row["ratio"],
                row.get("max_repetition_factor", 1.0),
                row.get("paths"),
            )
            for row in table
        )
        return
    for call in document.python.call_arguments("SourceMixtureConfig"):
        name, ratio, paths = (
            call.get(key, call.get(place))
            for place, key in enumerate(("source_name", "target_ratio", "paths"))
        )
        yield Row(str(name), ratio, call.get("max_repetition_ratio", 1.0), paths)
    for kind in SPECS:
        for call in document.python.call_arguments(kind):
            name = call.get("label", call.get(3)) or python_file.to_text(
                call.get("source", call.get(0))
            )
            yield Row(
                str(name),
                call.get("ratio", call.get(1)),
                call.get("max_repetition_factor", call.get(2, 1.0)),
            )


def _faults(rows: list[Row], numbers: Mapping[str, float], *, normalises: bool) -> tuple[str, ...]:
    found = []
    if len(numbers) < len(rows):
        found.append(f"each source may stand once; {len(rows) - len(numbers)} came again.")
    bad = [
        name
        for name, value in numbers.items()
        if not (value > 0 if normalises else 0 <= value <= 1)
    ]
    if bad:
        found.append(
            f"the ratios must be numbers {'above 0' if normalises else 'from 0 to 1'}; "
            f"that of {listed(bad)} is not."
        )
    total = math.fsum(numbers.values())
    if not normalises and not abs(total - 1) <= 1e-8 + 1e-5:
        found.append(
            f"the target ratios must sum to 1, or OLMo-core refuses them; they sum to {total:.6g}."
        )
    capped = [
        row.name
        for row in rows
        if isinstance(row.repetitions, int | float | str) and not to_number(row.repetitions) >= 1
    ]
    if capped:
        found.append(
            "max_repetition_ratio must be 1 or more, or OLMo-core refuses it; that of "
            f"{listed(capped)} is not."
        )
    odd = [row.name for row in rows if row.paths == [] or not 0 < to_number(row.part) <= 1]
    if odd:
        found.append(
            "OLMo-core needs paths, and a max_source_fraction above 0 and up to 1; "
            f"{listed(odd)} has other."
        )
    return tuple(found)
