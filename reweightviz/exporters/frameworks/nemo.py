"""NeMo: the blend of a Megatron-Bridge recipe, and Megatron-Energon's MetadatasetV2.

Megatron-Bridge blends with megatron-core, so a weight of the blend is a share of sequences of one
fixed length, which is a share of tokens; the files of its ``data_args_path=`` are those of the
exporter "megatron". Energon draws samples, so there a weight is a share of examples, unless its
task encoder packs them. The blend is checked with megatron-core 0.16.1, whose config class
Bridge's is a subclass of, and Energon with megatron-energon 7.4.1; what recipes, NeMo 1 and 2 and
Nemotron call it is read from their sources (Megatron-Bridge at 067f987, NeMo at 8cfedd7).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from reweightviz.core.errors import UnknownName, WrongContent
from reweightviz.core.mixture import Mixture
from reweightviz.core.schedule import Schedule
from reweightviz.exporters.document import Document, PathLike
from reweightviz.exporters.draft import Draft
from reweightviz.exporters.exporter import TEXT_FILE
from reweightviz.exporters.frameworks._energon import Energon
from reweightviz.exporters.frameworks._megatron import IndexedBlend
from reweightviz.exporters.frameworks._megatron_blend import blend
from reweightviz.exporters.frameworks._nemotron import is_nemotron, read_nemotron
from reweightviz.exporters.plan import Config, Plan, to_number
from reweightviz.exporters.text import python_file, python_module, shell
from reweightviz.exporters.units import COPIES, EXAMPLES, TOKENS

__all__ = [
    "ENERGON",
    "FLAT",
    "FORMS",
    "KEYS",
    "OVERRIDE",
    "SCRIPT",
    "SPLIT",
    "Blend",
    "Nemo",
    "Node",
    "Setting",
]


FORMS = ("bridge", "energon")
FLAT = ("data_paths", "data_path", "train_data_path", "train_data_paths")
"""Names that Bridge's recipes and its config have for a list of weights and prefixes in turn."""
SPLIT = ("data_prefix", "paths")
"""Names that NeMo 1 and 2 have for such a list, for one of prefixes, or for one for each split."""
KEYS = (*FLAT, *SPLIT, "blend", "blend_per_split")
OVERRIDE = r"(?:\w+\.)*(?:dataset\.(?:blend|data_path)|data\.(?:data_prefix|paths))"
"""Keys of a command that set a blend: of Megatron-Bridge, of NeMo 1 and of NeMo 2."""

SCRIPT = '''

def apply(config):
    """The ConfigContainer of a recipe with this blend: `pretrain(apply(recipe()), forward_step)`."""
    config.dataset.blend = blend
    config.dataset.blend_per_split = None
    config.dataset.split = config.dataset.split or split
    return config
'''  # noqa: E501  the written module has a width of its own
Node = ast.stmt | ast.expr


class Setting(NamedTuple):
    """A key and its value, or the node of one that is not written out, and where it stands."""

    key: str
    value: Any
    node: Node | None


class Blend(NamedTuple):
    """Prefixes and their weights, None where there are none, under a key, and where it stands."""

    key: str
    prefixes: list[str]
    weights: list[Any] | None
    node: Node | None

    def is_like(self, other: Blend) -> bool:
        """Return whether it asks for the same mixture as another."""
        return (self.prefixes, self.weights) == (other.prefixes, other.weights)


class Nemo(IndexedBlend):
    """NeMo, Megatron-Bridge: a module with `cfg.dataset.blend`, or Energon's MetadatasetV2 YAML."""

    name = Energon.name
    aliases = ("megatron-bridge", "nemo-bridge")
    title = "NeMo"
    refusing_loader = "OmegaConf"
    on_command_line = True
    reads_options = False
    units = (TOKENS, EXAMPLES)
    # Of Energon, and of a blend without weights, which goes by size.
    read_only_units = (COPIES,)
    suffix = ".py"
    traps = (
        "NeMo repeats a source that is used up, as often as its weight asks, and says nothing.",
    )

    def draft(self, mixture: Mixture | Schedule, path: PathLike, **options: Any) -> Draft:
        """Return the draft, of the other exporter for Energon, with its unit and ending."""
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
        """Return the module with ``blend`` and ``apply(config)``.

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
        comment = plan.comment("Training mixture for NeMo's Megatron-Bridge")
        return {"": python_module.render(comment, constants, SCRIPT)}

    def parse(self, document: Document) -> Config:
        """Read the last blend of a Python file or of overrides, else the last ``data_path``."""
        if ENERGON.recognises(document):
            return ENERGON.parse(document)
        if is_nemotron(document):
            return read_nemotron(document)
        found = list(_find_blends(document))
        # A list of words is an argument of a recipe, which the blend of the config overrides.
        blends = [one for one in found if one.key not in FLAT] or found
        if not blends:
            settings = [setting for setting in _find_settings(document) if setting.key in KEYS]
            unread = [one.value for one in settings if isinstance(one.value, ast.expr)]
            raise WrongContent(
                path=document.path,
                reason="has no blend, [[prefixes], [weights]], and no data_paths= with "
                "weights and prefixes in turn, that can be read without running it"
                f"{document.python.explain(unread)}",
            )
        # The one that is set last holds.
        last = blends[-1]
        config = blend(last.prefixes, last.weights).to_config()
        if last.node is None:
            return config
        others = [other.node for other in blends if other.node and not other.is_like(last)]
        more = python_file.mention_others(others, last.node, "blend")
        return replace(config, traps=(*config.traps, *more))

    def recognises(self, document: Document) -> bool:
        """Return whether it sets a blend, in Python or in ``dataset:``, or is Energon's."""
        known = ENERGON.recognises(document) or is_nemotron(document)
        return known or any(_find_blends(document))


ENERGON = Energon()


def _find_blends(document: Document) -> Iterator[Blend]:
    """Return every blend that a file sets, in order; the training data of one for each split."""
    for key, value, node in _find_settings(document):
        if key in SPLIT and isinstance(value, Mapping):
            value = value.get("train")  # noqa: PLW2901  the training data stands for the value
        if not isinstance(value, list | tuple) or not value:
            continue
        if key in FLAT or key in SPLIT:
            # A list of prefixes alone has no number in every second place.
            if len(value) % 2 == 0 and all(to_number(word) >= 0 for word in value[::2]):
                yield Blend(key, [str(word) for word in value[1::2]], list(value[::2]), node)
            elif key in SPLIT and all(isinstance(word, str) for word in value):
                yield Blend(key, list(value), None, node)
        if key == "blend" and _is_blend(value):
            yield _make_blend(key, value, node)
        if key == "blend_per_split" and _is_blend(value[0]):
            yield _make_blend(key, value[0], node)


def _is_blend(value: Any) -> bool:
    """Return whether a value is a pair whose first is a list of prefixes."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        return False
    prefixes = value[0]
    return isinstance(prefixes, list | tuple) and all(isinstance(one, str) for one in prefixes)


def _make_blend(key: str, value: Sequence[Any], node: Node | None) -> Blend:
    prefixes, weights = value
    if isinstance(weights, list | tuple):
        return Blend(key, list(prefixes), list(weights), node)
    # Without weights Megatron blends by the sizes of the datasets.
    return Blend(key, list(prefixes), None, node)


def _find_settings(document: Document) -> Iterator[Setting]:
    """Return what is set by name: in a YAML, in a command, in the order of a Python file."""
    if document.has_commands or not document.path.suffix:
        yield from _find_overrides(document)
    if not document.has_commands:
        yield from _find_keys(document)
    python = document.python
    setting = [
        node for node in python.nodes if isinstance(node, ast.Call | ast.Assign | ast.AnnAssign)
    ]
    # A walk goes level by level, but what is set last in the file must come last.
    for node in python_file.sort_nodes(setting):
        if isinstance(node, ast.Call):
            yield from _read_keywords(node, python)
        else:
            yield from _read_targets(node, python)


def _read_keywords(call: ast.Call, python: python_file.PythonFile) -> Iterator[Setting]:
    for keyword in call.keywords:
        # Many functions have paths=, and only one is NeMo's.
        if keyword.arg in KEYS and (keyword.arg != "paths" or _is_data_module(call)):
            yield Setting(keyword.arg, python.value(keyword.value), call)


def _read_targets(
    node: ast.Assign | ast.AnnAssign, python: python_file.PythonFile
) -> Iterator[Setting]:
    for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
        # The last name of blend, config.blend or config.dataset.blend.
        name = getattr(target, "attr", getattr(target, "id", ""))
        # Any program has a variable called paths; NeMo's stands in its config.
        is_own = name != "paths" or isinstance(target, ast.Attribute)
        if name not in KEYS or node.value is None or not is_own:
            continue
        value = python.value(node.value)
        if name not in SPLIT or not _names_text(value):
            yield Setting(name, value, node)


def _find_keys(document: Document) -> Iterator[Setting]:
    """Return what a YAML sets."""
    for key, value in document.at("dataset").items():
        # Automodel has its own paths there.
        if key not in SPLIT:
            yield Setting(key, value, None)
    prefix = document.at("model", "data").get("data_prefix")
    if prefix is not None and not _names_text(prefix):
        yield Setting("data_prefix", prefix, None)


def _find_overrides(document: Document) -> Iterator[Setting]:
    """Return the overrides of a command, such as ``dataset.blend=[[/d/web],[1.0]]``."""
    for key, text in shell.read_settings(document.text, OVERRIDE):
        words = re.split(r"[\[\],\s\"']+|(?<!\$)\{", text)
        value = Document(Path("override.yaml"), text).data
        if shell.find_unknown(words) is None and not _names_text(value):
            yield Setting(key.rpartition(".")[2], value, None)


def _is_data_module(call: ast.Call) -> bool:
    """Return whether a call makes NeMo 2's data module, itself or by ``run.Config``."""
    named = [python_file.callee(call)]
    named += [getattr(one, "attr", getattr(one, "id", "")) for one in call.args[:1]]
    return "PreTrainingDataModule" in named


def _names_text(value: object) -> bool:
    """Return whether a setting names files of text, as the alignment of NeMo takes them."""
    if isinstance(value, Mapping):
        value = value.get("train")
    words = value if isinstance(value, list) else [value]
    return any(TEXT_FILE.search(str(word).lower()) for word in words)
