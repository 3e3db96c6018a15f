"""DCLM and open_lm: the sampling frequencies that mix when the data is tokenised, or the manifests of what is tokenised.

``--do_sample --default_dataset_yaml`` of ``tokenize_shuffle.py`` takes every sequence of a file as
often as the frequency of its source says, on average; a file belongs to the first source with a
marker that stands in its path. At training time open_lm takes one shard of every manifest in turn,
whatever ``--train-data-mix-weights`` says, so there only the sizes of the shards mix. Checked with
mlfoundations/open_lm 9bb92ef; DCLM 361714b hands both on.
"""

from __future__ import annotations

import json
import math
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from reweightviz.core.errors import (
    RefusedByFramework,
    ReweightvizError,
    UnknownName,
    WrongContent,
    listed,
)
from reweightviz.core.mixture import Mixture
from reweightviz.core.schedule import Schedule
from reweightviz.core.sources import Sources
from reweightviz.exporters import provenance
from reweightviz.exporters.document import Document, PathLike
from reweightviz.exporters.draft import Draft
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.plan import Config, Entry, Plan, to_number
from reweightviz.exporters.text import yaml_edit
from reweightviz.exporters.units import COPIES, TOKENS

UNITS = {"frequencies": COPIES, "manifest": TOKENS}
"""The forms, and what a number counts in each."""
UNKNOWN = "UNKNOWN"
"""The source of files without a marker, which the code asks for by name."""
RESERVED = ("mro", "name", "value", "get_source", "get_sampling_frequency")
NEAR = 0.005
"""How far the shares that manifests give may be from those asked for."""


class Dclm(Exporter):
    """DCLM, open_lm: the `sampling_frequencies` YAML of tokenize_shuffle.py, or arguments for manifests that hold the mixture already."""

    name = "dclm"
    aliases = ("open-lm", "openlm")
    title = "DCLM"
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
        """What :meth:`write` would write; the form tells the unit."""
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
        """The YAML, or the arguments.

        Args:
            plan: what to write.
            old: a YAML with ``sampling_frequencies`` to merge into.
            form: "frequencies" for ``--default_dataset_yaml``, or "manifest" for
                ``--dataset-manifest``, which is refused unless the shards of the manifests, the
                paths of sources=, hold sequences in proportion to the weights.
            train_num_samples: sequences between two checkpoints, for a manifest.
        """
        if form == "manifest":
            return {"": _arguments_text(plan, train_num_samples)}
        before = old.at("sampling_frequencies") if old is not None else {}
        frequencies = dict.fromkeys([*map(str, before), *plan.numbers, UNKNOWN], 0) | plan.numbers
        markers = {name: _markers(name, entry) for name, entry in plan.entries.items()} | (
            {} if UNKNOWN in plan.entries else {UNKNOWN: []}
        )
        order = sorted(
            markers, key=lambda name: (name == UNKNOWN, -max(map(len, markers[name]), default=0))
        )

        def fill(root: Any) -> None:
            rows = root.get("sources")
            names = (
                [str(row.get("source")) for row in rows if isinstance(row, Mapping)]
                if isinstance(rows, list)
                else []
            )
            wanted = dict.fromkeys([*names, *order], 0.0)
            for name, row in yaml_edit.match_entries(
                root, ["sources"], wanted, lambda row: row.get("source")
            ):
                if not row and name in markers:
                    yaml_edit.put_all(row, {"source": name, "markers": markers[name]})
            yaml_edit.put(root, ["sampling_frequencies"], frequencies)

        return {"": self.render_yaml(plan, old, fill)}

    def parse(self, document: Document) -> Config:
        """``sampling_frequencies``, or what the arguments would really train on."""
        if "sampling_frequencies" in document.mapping:
            return _frequencies(document)
        arguments = _arguments(document)
        weights = [to_number(word) for word in arguments.get("train-data-mix-weights", ())]
        names = arguments.get("dataset-manifest") or arguments.get("train-data") or []
        if not names:
            raise WrongContent(
                path=document.path,
                reason="has neither sampling_frequencies nor --dataset-manifest or --train-data",
            )
        if weights and (len(weights) != len(names) or not all(weight >= 0 for weight in weights)):
            return Config(
                {0: dict.fromkeys(names, math.nan)},
                unit=TOKENS.key,
                refused=(
                    "--train-data-mix-weights must be one number >= 0 for each of "
                    f"{len(names)} sources.",
                ),
            )
        weights = weights or [1.0] * len(names)
        samples = next(
            (
                int(float(word))
                for word in arguments.get("train-num-samples", ())
                if to_number(word) > 0
            ),
            None,
        )
        if "dataset-manifest" not in arguments:
            refused = (
                ()
                if samples
                else (
                    "without --train-num-samples open_lm goes by the sizes of the "
                    "sources, whatever the weights.",
                )
            )
            return Config(
                {0: dict(zip(names, weights, strict=True))}, unit=TOKENS.key, refused=refused
            )
        workers = next(
            (int(float(word)) for word in arguments.get("workers", ()) if to_number(word) > 0), 1
        )
        try:
            shares = _drawn(
                [_shards(name, document.path.parent) for name in names], weights, samples, workers
            )
        except ReweightvizError as error:
            said = f"open_lm trains on what the manifests hold, whatever the weights: {error}"
            return Config(
                {0: dict(zip(names, weights, strict=True))}, unit=TOKENS.key, refused=(said,)
            )
        asked = [weight / math.fsum(weights) for weight in weights]
        other = max(abs(one - two) for one, two in zip(shares, asked, strict=True)) > NEAR
        said = f"open_lm takes one shard of every manifest in turn, so it trains on {_percent(shares)}, not on {_percent(asked)}."
        return Config(
            {0: dict(zip(names, shares, strict=True))},
            unit=TOKENS.key,
            traps=(said,) if other else (),
        )

    def recognises(self, document: Document) -> bool:
        """The YAML, or open_lm's arguments, in a script or in the YAML of ``--config``."""
        keys = {str(key).replace("_", "-") for key in document.mapping} | {
            word for word in document.text.split() if word[:2] == "--"
        }
        return bool(
            keys
            & {
                "sampling-frequencies",
                "--dataset-manifest",
                "--train-data-mix-weights",
                "dataset-manifest",
                "train-data-mix-weights",
            }
        )

    def guess_domain(self, name: str) -> str:
        """The folder that a manifest or a shard lies in; a source of the YAML is called by its name."""
        folder = PurePosixPath(name).parent.name
        return folder if "/" in name and folder else name

    def make_entries(
        self, domains: Sequence[str], sources: Sources | None, options: Mapping[str, Any]
    ) -> dict[str, Entry]:
        """By name for the YAML, by manifest for the arguments."""
        if options["form"] == "manifest":
            return super().make_entries(domains, sources, options)
        taken = set(RESERVED)
        found = {}
        for domain in domains:
            name = (
                domain
                if re.fullmatch(self.name_pattern, domain)
                else provenance.slug(domain, taken)
            )
            taken.add(name.lower())
            found[name] = Entry(
                domain,
                1.0,
                tuple(sources[domain].paths if sources is not None and domain in sources else ()),
            )
        return found


def _markers(name: str, entry: Entry) -> list[str]:
    """What stands in the paths of a source's files; those on S3 are known by their key."""
    keys = [re.sub(r"^s3://[^/]+/", "", path) for path in entry.paths]
    return [key for key in keys if key] or [entry.domain if entry.domain.strip() else name]


def _frequencies(document: Document) -> Config:
    content = document.mapping
    rows, table = content.get("sources"), content["sampling_frequencies"]
    try:
        markers = {
            str(row["source"]): [str(marker) for marker in row["markers"]] for row in rows or ()
        }
        numbers = {str(name): to_number(value) for name, value in table.items()}
    except (TypeError, KeyError, AttributeError) as error:
        raise WrongContent(
            path=document.path,
            reason="must map sources to sampling_frequencies, and list each source with "
            f"its markers: {type(error).__name__} {error}",
        ) from error
    refused = []
    if len(markers) < len(rows or ()):
        refused.append("a source stands twice in the list; each may stand once.")
    if UNKNOWN not in markers:
        refused.append(
            f"the list of sources needs {UNKNOWN!r}, which files without a marker belong to."
        )
    absent = [name for name in numbers if name not in markers]
    silent = [name for name in markers if name not in numbers]
    bad = [name for name, value in numbers.items() if not value >= 0]
    for names, sentence in (
        (absent, "has a sampling frequency but is not in the list of sources"),
        (silent, "is in the list of sources but has no sampling frequency"),
        (bad, "needs a sampling frequency >= 0"),
    ):
        refused += [f"{listed(names)} {sentence}."] if names else []
    if not bad and not sum(numbers.values()):
        refused.append("at least one sampling frequency must be above 0.")
    order = list(markers)
    for place, later in enumerate(order):
        first = next(
            (
                name
                for name in order[:place]
                for marker in markers[name]
                if any(marker in own for own in markers[later])
            ),
            None,
        )
        if first is not None:
            refused.append(
                f"files of {later!r} count as {first!r}, which comes first and has a "
                "marker that stands in theirs."
            )
    return Config(
        {0: {name: value for name, value in numbers.items() if value}},
        unit=COPIES.key,
        refused=tuple(refused),
    )


def _arguments(document: Document) -> dict[str, list[str]]:
    """Flag to its words, from a script, or from the YAML of ``--config``."""
    if document.mapping:
        return {
            str(key).replace("_", "-"): [str(item) for item in value]
            if isinstance(value, list)
            else [str(value)]
            for key, value in document.mapping.items()
            if value is not None
        }
    found: dict[str, list[str]] = {}
    try:
        words = shlex.split(document.text.replace("\\\n", " "), comments=True)
    except ValueError as error:
        raise WrongContent(
            path=document.path, reason=f"cannot be read as arguments: {error}"
        ) from error
    flag = ""
    for word in words:
        flag, value = word[2:].partition("=")[::2] if word.startswith("--") else (flag, word)
        found.setdefault(flag.replace("_", "-"), []).extend([value] if value else [])
    return found


def _arguments_text(plan: Plan, samples: int | None) -> str:
    names, weights = list(plan.numbers), list(plan.numbers.values())
    shares = _drawn([_shards(name, Path()) for name in names], weights, samples, 1)
    if max(abs(one - two) for one, two in zip(shares, weights, strict=True)) > NEAR:
        raise RefusedByFramework(
            framework="open_lm",
            reason="takes one shard of every manifest in turn, whatever the weights: "
            f"these manifests give {_percent(shares)}, not {_percent(weights)}. Use "
            "form='frequencies', or cut shards in proportion",
        )
    lines = [
        f"--dataset-manifest {shlex.join(names)}\n",
        f"--train-data-mix-weights {' '.join(map(repr, weights))}\n",
    ]
    lines += [f"--train-num-samples {samples}\n"] if samples else []
    return (
        plan.comment("open_lm arguments")
        + f"# Shares that the shards give: {_percent(shares)}.\n"
        + "".join(lines)
    )


def _shards(path: str, folder: Path) -> list[int]:
    """Sequences in each shard of a manifest; its last line counts only where it ends in a line feed, as open_lm reads it."""
    file = Path(path) if Path(path).exists() else folder / path
    lines = Document.open(file).text.split("\n")[:-1]
    try:
        rows = [json.loads(line) for line in lines]
        sizes = [
            int(row["num_sequences"] if "num_sequences" in row else row["num_chunks"])
            for row in rows
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise WrongContent(
            path=path,
            reason=f"is no manifest, lines of JSON with 'shard' and 'num_sequences': {error!r}",
        ) from error
    if not sizes or min(sizes) <= 0:
        raise WrongContent(path=path, reason="needs at least one shard, and sequences in each")
    return sizes


def _drawn(
    shards: Sequence[Sequence[int]], weights: Sequence[float], samples: int | None, workers: int
) -> list[float]:
    """The shares of sequences that open_lm's get_string_for_epoch takes until the first checkpoint: as many shards of each source."""
    most = min(map(len, shards))
    rounds = most
    if samples is not None:
        needs = [math.ceil(weight * samples / math.fsum(weights)) for weight in weights]
        enough = (
            place
            for place in range(workers, most + 1)
            if all(sum(sizes[:place]) >= need for sizes, need in zip(shards, needs, strict=True))
        )
        rounds = next(enough, 0)
    rounds -= rounds % workers
    if not rounds:
        raise ReweightvizError(
            f"the shortest manifest has {most} shards, too few for {samples or 'any'} "
            f"samples and {workers} workers."
        )
    totals = [sum(sizes[:rounds]) for sizes in shards]
    return [total / sum(totals) for total in totals]


def _percent(shares: Sequence[float]) -> str:
    return ", ".join(f"{100 * share:.3g} %" for share in shares)
