"""NeMo: the blend of a Megatron-Bridge recipe, and Megatron-Energon's MetadatasetV2.

Megatron-Bridge blends with megatron-core, so a weight of the blend is a share of sequences of one
fixed length, which is a share of tokens; the files of its ``data_args_path=`` are those of the
exporter "megatron". Energon draws samples, so there a weight is a share of examples, unless its
task encoder packs them. The blend is checked with megatron-core 0.16.1, whose config class
Bridge's is a subclass of; the rest is read from the source of Megatron-Bridge at 067f987 and
Megatron-Energon at bef8be2.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from reweightviz.core.errors import UnknownName, WrongContent, listed
from reweightviz.core.mixture import Mixture
from reweightviz.core.schedule import Schedule
from reweightviz.core.sources import Sources
from reweightviz.exporters.document import Document, PathLike
from reweightviz.exporters.draft import Draft
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks.megatron import Megatron
from reweightviz.exporters.plan import Config, Entry, Plan, to_number
from reweightviz.exporters.text import python_file, python_module, yaml_edit
from reweightviz.exporters.units import EXAMPLES, TOKENS

FORMS = ("bridge", "energon")
FLAT = ("data_paths", "data_path", "train_data_path", "train_data_paths")
"""What Bridge's recipes and its dataset config call a list of weights and prefixes in turn."""
KEYS = (*FLAT, "blend", "blend_per_split")

SCRIPT = '''

def apply(config):
    """The ConfigContainer of a recipe with this blend: `pretrain(apply(recipe()), forward_step)`."""
    config.dataset.blend = blend
    config.dataset.blend_per_split = None
    config.dataset.split = config.dataset.split or split
    return config
'''


class Blend(NamedTuple):
    """Prefixes and their weights, None where there are none, under a key; and where it stands in a Python file."""

    key: str
    prefixes: list[str]
    weights: list[Any] | None
    node: ast.stmt | ast.expr | None


class Nemo(Megatron):
    """NeMo, Megatron-Bridge: a Python module with the `blend` of `cfg.dataset.blend`, or the MetadatasetV2 YAML of Megatron-Energon."""

    name = "nemo"
    aliases = ("megatron-bridge", "nemo-bridge")
    title = "NeMo"
    units = (TOKENS, EXAMPLES)
    takes_schedules = False
    suffix = ".py"
    main_file = ""
    traps = (
        "NeMo repeats a source that is used up, as often as its weight asks, and says nothing.",
    )

    def draft(self, mixture: Mixture | Schedule, path: PathLike, **options: Any) -> Draft:
        """The same; Energon's form is an exporter of its own, with another unit and ending."""
        if options.get("form") == "energon":
            return ENERGON.draft(mixture, path, **options)
        return super().draft(mixture, path, **options)

    def render(
        self,
        plan: Plan,
        old: Document | None,
        *,
        form: str = "bridge",
        split: str = "9999,8,2",
        prefix_dir: str | None = None,
    ) -> dict[str, str]:
        """The module with ``blend`` and ``apply(config)``.

        Args:
            plan: what to write.
            old: not used; a module is written whole.
            form: "bridge" for the module, "energon" for the YAML of a MetadatasetV2, which can be
                merged into.
            split: training, validation and test shares of each dataset, for a recipe that has none.
            prefix_dir: where domains without paths lie, as ``<prefix_dir>/<name>_text_document``.
        """
        if form not in FORMS:
            raise UnknownName(kind="form of a NeMo blend", name=form, known=FORMS)
        constants = {"blend": [list(plan.numbers), list(plan.numbers.values())], "split": split}
        return {
            "": python_module.render(
                plan.comment("Training mixture for NeMo's Megatron-Bridge"), constants, SCRIPT
            )
        }

    def parse(self, document: Document) -> Config:
        """The last blend that a Python file or a YAML of overrides writes out, else the last list for ``data_path``."""
        if ENERGON.recognises(document):
            return ENERGON.parse(document)
        given = list(_given(document))
        blends = [blend for blend in given if blend.key not in FLAT] or given
        if not blends:
            why = document.python.explain(
                (
                    value
                    for key, value, _ in _set(document)
                    if key in KEYS and isinstance(value, ast.expr)
                ),
            )
            raise WrongContent(
                path=document.path,
                reason="has no blend, [[prefixes], [weights]], and no data_paths= with "
                f"weights and prefixes in turn, that can be read without running it{why}",
            )
        _, prefixes, weights, node = blends[-1]
        numbers = dict(zip(prefixes, map(to_number, weights or ()), strict=False))
        refused = []
        if len(weights or ()) != len(prefixes):
            refused.append(
                "the blend must give each prefix a weight; without weights Megatron "
                "blends by size, with fewer it stops."
            )
        elif len(numbers) < len(prefixes) or not all(value > 0 for value in numbers.values()):
            refused.append("each prefix of a blend must stand once, with a finite weight above 0.")
        unlike = [
            blend.node
            for blend in blends
            if blend.node and (blend.prefixes, blend.weights) != (prefixes, weights)
        ]
        return Config(
            {0: numbers},
            refused=tuple(refused),
            traps=python_file.mention_others(unlike, node, "blend") if node else (),
        )

    def recognises(self, document: Document) -> bool:
        """A blend or ``data_paths=`` with weights in Python or in ``dataset:``, or a Metadataset of Energon."""
        return ENERGON.recognises(document) or any(_given(document))

    def make_entries(
        self, domains: Sequence[str], sources: Sources | None, options: Mapping[str, Any]
    ) -> dict[str, Entry]:
        """Prefix to domain, as in Megatron; a list holds white space too."""
        return super().make_entries(domains, sources, {**options, "form": "per_split"})


class Energon(Exporter):
    """Megatron-Energon: the `blend` of the training split of a MetadatasetV2."""

    name = Nemo.name
    title = "Megatron-Energon"
    units = (EXAMPLES, TOKENS)
    by_path = True
    merges = True
    suffix = ".yaml"
    traps = (
        "Energon repeats a dataset that is used up, as often as its weight asks, and says nothing.",
    )

    def render(self, plan: Plan, old: Document | None, *, form: str = "energon") -> dict[str, str]:
        """The YAML.

        Args:
            plan: what to write.
            old: a Metadataset to merge into.
            form: "energon".
        """
        key = "datasets" if old is not None and "datasets" in old.at("splits", "train") else "blend"

        def fill(root: Any) -> None:
            if old is None:
                yaml_edit.put_all(
                    root, {"__module__": "megatron.energon", "__class__": "MetadatasetV2"}
                )
            for path, entry in yaml_edit.match_entries(
                root,
                ["splits", "train", key],
                plan.numbers,
                _entry_name,
                dropped=plan.dropped_names,
            ):
                yaml_edit.put(entry, ["weight"], plan.numbers[path])
                if "path" not in entry:
                    yaml_edit.put(entry, ["path"], path)

        return {"": self.render_yaml(plan, old, fill)}

    def parse(self, document: Document) -> Config:
        """``splits.train.blend`` (``datasets`` in version 1); a missing weight is 1."""
        train = document.at("splits", "train")
        entries = train.get("blend", train.get("datasets"))
        if not isinstance(entries, list) or not all(
            isinstance(entry, Mapping) for entry in entries
        ):
            why = (
                "counts repetitions there, not weights"
                if "blend_epochized" in train
                else "has none"
            )
            raise WrongContent(
                path=document.path,
                reason=f"must have splits.train.blend, a list of datasets with weights; it {why}",
            )
        numbers = {_entry_name(entry): to_number(entry.get("weight", 1.0)) for entry in entries}
        refused = []
        if len(numbers) < len(entries):
            refused.append(
                f"each dataset may stand once; {len(entries) - len(numbers)} came again."
            )
        if {"path", "join", "blend_epochized"} & set(train):
            refused.append(
                "splits.train must be a blend, a path or a join, and is more than one of them."
            )
        bad = [name for name, value in numbers.items() if not value > 0]
        if bad:
            refused.append(
                f"Energon refuses weights that are not above 0; that of {listed(bad)} is not."
            )
        return Config(
            {0: numbers},
            unit=document.record.get("unit_key") or EXAMPLES.key,
            refused=tuple(refused),
        )

    def recognises(self, document: Document) -> bool:
        """``__class__: MetadatasetV2``, or its first version."""
        return str(document.mapping.get("__class__")) in {"MetadatasetV2", "Metadataset"}


ENERGON = Energon()


def _entry_name(entry: Mapping[str, Any]) -> str:
    parts = entry.get("join")
    joined = (
        list(parts.values())
        if isinstance(parts, Mapping)
        else parts
        if isinstance(parts, list)
        else [entry]
    )
    name = " + ".join(
        str(part.get("path")) if isinstance(part, Mapping) else str(part) for part in joined
    )
    part = entry.get("split_part", "train")
    return name if part == "train" else f"{name} ({part})"


def _given(document: Document) -> Iterator[Blend]:
    """Every blend that a file sets, in order; the training data of one for each split."""
    for key, value, node in _set(document):
        if not isinstance(value, list | tuple) or not value:
            continue
        if key in FLAT and len(value) % 2 == 0 and all(to_number(word) >= 0 for word in value[::2]):
            yield Blend(key, [str(word) for word in value[1::2]], list(value[::2]), node)
        blend = value[0] if key == "blend_per_split" else value if key == "blend" else None
        if (
            isinstance(blend, list | tuple)
            and len(blend) == 2
            and isinstance(blend[0], list | tuple)
            and all(isinstance(prefix, str) for prefix in blend[0])
        ):
            yield Blend(
                key,
                list(blend[0]),
                list(blend[1]) if isinstance(blend[1], list | tuple) else None,
                node,
            )


def _set(document: Document) -> Iterator[tuple[str, Any, ast.stmt | ast.expr | None]]:
    """What is set by name, in the order of the file, and where."""
    yield from ((key, value, None) for key, value in document.at("dataset").items())
    setting = (
        node
        for node in ast.walk(document.python.tree)
        if isinstance(node, ast.Call | ast.Assign | ast.AnnAssign)
    )
    for node in python_file.sort_nodes(setting):
        if isinstance(node, ast.Call):
            yield from (
                (keyword.arg, document.python.value(keyword.value), node)
                for keyword in node.keywords
                if keyword.arg
            )
        elif node.value is not None:
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                yield (
                    str(getattr(target, "attr", getattr(target, "id", ""))),
                    document.python.value(node.value),
                    node,
                )
