"""DCLM and open_lm: sampling frequencies for the tokenising, or manifests of what is tokenised.

``--do_sample --default_dataset_yaml`` of ``tokenize_shuffle.py`` takes every sequence of a file as
often as the frequency of its source, on average; a file belongs to the first source with a
marker that stands in its path. At training time open_lm takes one shard of every manifest in turn,
whatever ``--train-data-mix-weights`` holds, so there only the sizes of the shards mix. Checked with
mlfoundations/open_lm 9bb92ef; DCLM 361714b hands both on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from reweightviz.core.errors import UnknownName, WrongContent, list_names
from reweightviz.core.mixture import Mixture
from reweightviz.core.schedule import Schedule
from reweightviz.core.sources import Sources
from reweightviz.exporters import provenance
from reweightviz.exporters.document import Document, PathLike
from reweightviz.exporters.draft import Draft
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks._foreign import mappings_in
from reweightviz.exporters.frameworks._open_lm import read_mixture, render_arguments
from reweightviz.exporters.frameworks._weights import find_invalid
from reweightviz.exporters.plan import Config, Entry, Numbers, Plan, source_paths, to_number
from reweightviz.exporters.text import yaml_edit
from reweightviz.exporters.units import COPIES, TOKENS

__all__ = ["FLAGS", "RESERVED", "UNITS", "UNKNOWN", "Dclm"]


UNITS = {"frequencies": COPIES, "manifest": TOKENS}
"""The forms, and what a number counts in each."""
UNKNOWN = "UNKNOWN"
"""The source of files without a marker, which the code asks for by name."""
FLAGS = ("dataset-manifest", "train-data-mix-weights")
"""Arguments by which open_lm is known."""
# tokenize_shuffle.py makes an Enum of the sources, which keeps these names for itself.
RESERVED = ("mro", "name", "value", "get_source", "get_sampling_frequency")


class Dclm(Exporter):
    """DCLM, open_lm: `sampling_frequencies` of tokenize_shuffle.py, or arguments with manifests."""

    name = "dclm"
    aliases = ("open-lm", "openlm")
    title = "DCLM"
    on_command_line = True
    units = (COPIES, TOKENS)
    by_path = True
    name_pattern = rf"(?!(?:{'|'.join(RESERVED)})$)[A-Za-z][\w.-]*"
    merges = True
    traps = (
        "tokenize_shuffle.py follows sampling_frequencies with --do_sample only.",
        "tokenize_shuffle.py takes the last, unfinished sequence of every file once, "
        "whatever the frequency: small files show it.",
    )

    def draft(
        self,
        mixture: Mixture | Schedule,
        path: PathLike,
        *,
        unit: str | None = None,
        **options: Any,
    ) -> Draft:
        """Return the draft; each form has a unit of its own."""
        form = options.get("form", "frequencies")
        if form not in UNITS:
            raise UnknownName(kind="form of DCLM", name=form, known=UNITS)
        if unit not in {None, UNITS[form].key}:
            raise UnknownName(kind=f"unit of DCLM's {form}", name=unit, known=[UNITS[form].key])
        return super().draft(mixture, path, unit=UNITS[form].key, **options)

    def render(
        self,
        plan: Plan,
        old: Document | None,
        *,
        form: str = "frequencies",
        train_num_samples: int | None = None,
    ) -> dict[str, str]:
        """Return the YAML, or the arguments.

        Args:
            plan: what to write.
            old: a YAML with ``sampling_frequencies`` to merge into.
            form: "frequencies" for ``--default_dataset_yaml``, or "manifest" for
                ``--dataset-manifest``, which is refused unless the shards of the manifests, the
                paths of sources=, hold sequences in proportion to the weights.
            train_num_samples: sequences between two checkpoints, for a manifest.
        """
        if form == "manifest":
            return {"": render_arguments(plan, train_num_samples)}
        before: Mapping[str, Any] = {}
        if old is not None:
            before = old.at("sampling_frequencies")
        # Every source needs a frequency, that of the files without a marker too; 0 leaves them out.
        frequencies = dict.fromkeys([*map(str, before), *plan.numbers, UNKNOWN], 0) | plan.numbers
        markers = {name: _find_markers(name, entry) for name, entry in plan.entries.items()}
        markers.setdefault(UNKNOWN, [])
        order = _sort_by_marker(markers)

        def fill(root: Any) -> None:
            names = [str(row.get("source")) for row in mappings_in(root.get("sources"))]
            wanted = dict.fromkeys([*names, *order], 0.0)
            for name, row in yaml_edit.match_entries(
                root, ["sources"], wanted, lambda row: row.get("source")
            ):
                if not row and name in markers:
                    yaml_edit.put_all(row, {"source": name, "markers": markers[name]})
            yaml_edit.put(root, ["sampling_frequencies"], frequencies)

        return {"": self.render_yaml(plan, old, fill)}

    def parse(self, document: Document) -> Config:
        """Read ``sampling_frequencies``, or what the arguments would really train on."""
        if "sampling_frequencies" in document.mapping:
            return _read_frequencies(document)
        return read_mixture(document)

    def recognises(self, document: Document) -> bool:
        """Return whether it is the YAML, or has arguments of open_lm in a script or a YAML."""
        keys = {str(key).replace("_", "-") for key in document.mapping}
        words = document.text.split()
        if document.has_commands:
            # NeMo has a dataset_manifest=, too.
            keys = set()
        if any(flag in keys or f"--{flag}" in words for flag in FLAGS):
            return True
        return "sampling-frequencies" in keys

    def guess_domain(self, name: str) -> str:
        """Return the folder of a manifest or a shard; a source of the YAML is its own name."""
        return PurePosixPath(name).parent.name or name

    def make_entries(
        self, domains: Sequence[str], sources: Sources | None, options: Mapping[str, Any]
    ) -> dict[str, Entry]:
        """Return the entries, by name for the YAML, by manifest for the arguments."""
        if options["form"] == "manifest":
            return super().make_entries(domains, sources, options)
        taken = set(RESERVED)
        found = {}
        for domain in domains:
            name = domain
            if not re.fullmatch(self.name_pattern, domain):
                name = provenance.slug(domain, taken)
            taken.add(name.lower())
            found[name] = Entry(domain, 1.0, source_paths(domain, sources))
        return found


def _find_markers(name: str, entry: Entry) -> list[str]:
    """Return what stands in the paths of a source's files; those on S3 are known by their key."""
    keys = [re.sub(r"^s3://[^/]+/", "", path) for path in entry.paths]
    markers = [key for key in keys if key]
    if not markers and entry.domain.strip():
        return [entry.domain]
    # A blank would stand in every path, so the name of such a domain, a slug, has to do.
    return markers or [name]


def _sort_by_marker(markers: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the sources with the longest marker first.

    The first with a marker in a path has the file, so "web/code" must come before "web", and the
    source of files without a marker last.
    """
    longest = {name: max(map(len, found), default=0) for name, found in markers.items()}
    return sorted(markers, key=lambda name: (name == UNKNOWN, -longest[name]))


def _read_frequencies(document: Document) -> Config:
    rows = document.mapping.get("sources") or ()
    table = document.mapping["sampling_frequencies"]
    try:
        markers: dict[str, list[str]] = {}
        # A source that stands twice has the files of all its markers.
        for row in rows:
            markers.setdefault(str(row["source"]), []).extend(map(str, row["markers"]))
        numbers = {str(name): to_number(value) for name, value in table.items()}
    except (TypeError, KeyError, AttributeError) as error:
        raise WrongContent(
            path=document.path,
            reason="must map sources to sampling_frequencies, and list each source with "
            f"its markers: {type(error).__name__} {error}",
        ) from error
    return Config(
        {0: {name: value for name, value in numbers.items() if value}},
        unit=COPIES.key,
        refused=(*_find_name_faults(markers, numbers), *_find_marker_faults(markers)),
    )


def _find_name_faults(markers: Mapping[str, Sequence[str]], numbers: Numbers) -> Iterator[str]:
    if UNKNOWN not in markers:
        yield f"the list of sources needs {UNKNOWN!r}, which files without a marker belong to."
    absent = [name for name in numbers if name not in markers]
    if absent:
        yield f"{list_names(absent)} has a sampling frequency but is not in the list of sources."
    silent = [name for name in markers if name not in numbers]
    if silent:
        yield f"{list_names(silent)} is in the list of sources but has no sampling frequency."
    bad = find_invalid(numbers)
    if bad:
        yield f"{list_names(bad)} needs a sampling frequency >= 0."
    elif not sum(numbers.values()):
        yield "at least one sampling frequency must be above 0."


def _find_marker_faults(markers: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Return a sentence for each source whose files an earlier one takes."""
    earlier: list[str] = []
    for name, own in markers.items():
        first = next((other for other in earlier if _is_part(markers[other], own)), None)
        if first is not None:
            yield (
                f"files of {name!r} count as {first!r}, which comes first and has a "
                "marker that stands in theirs."
            )
        earlier.append(name)


def _is_part(markers: Sequence[str], others: Sequence[str]) -> bool:
    return any(marker in other for other in others for marker in markers)
