"""DataFlex: a LLaMA-Factory YAML with ``train_type: dynamic_mix``, and ``components.yaml``.

Every dataset is tokenised by itself before the mixer draws from it, so with ``stage: pt`` (packed,
unless ``packing`` is false) a proportion is a share of sequences of ``cutoff_len`` tokens; without
packing, of examples. Checked with dataflex 1.1.0: ``static_mix`` draws by
``init_mixture_proportions`` to the end. An online mixer does so for ``warmup_step`` steps; then
"odm" learns proportions of its own, and "doremi" draws all domains alike and weighs their losses.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from reweightviz.core.errors import ReweightvizError, UnknownName, UnreadableFile, list_names
from reweightviz.core.validation import whole_number
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks._foreign import as_list
from reweightviz.exporters.frameworks._llama_factory import (
    NAME_PATTERN,
    find_cut_faults,
    find_cut_traps,
    find_name_faults,
    find_twice,
    is_dataflex,
    order_names,
    read_names,
    render_info,
    write_like,
)
from reweightviz.exporters.frameworks.llama_factory import LlamaFactory
from reweightviz.exporters.plan import Config, Plan, to_number
from reweightviz.exporters.text import yaml_edit
from reweightviz.exporters.units import COPIES, EXAMPLES, TOKENS

__all__ = ["CLOSE", "COMPONENTS", "CONFIG", "STARTS", "DataFlex"]


COMPONENTS = ("doremi", "odm", "static")
CONFIG = "components.yaml"
STARTS = {"odm": "initial_proportions", "static": "proportions"}
"""Where a mixer has proportions of its own."""
CLOSE = 1e-6


class DataFlex(Exporter):
    """DataFlex: `init_mixture_proportions` of the training YAML, with the mixer beside it."""

    name = "dataflex"
    aliases = ("data-flex",)
    title = "DataFlex"
    on_command_line = True
    refusing_loader = "OmegaConf"
    units = (TOKENS, EXAMPLES)
    read_only_units = (COPIES,)
    main_file = "mixture.yaml"
    merges = True
    name_pattern = NAME_PATTERN
    traps = (
        "DataFlex draws with replacement: even below one epoch some examples come twice "
        "and others not at all.",
    )

    def render(
        self,
        plan: Plan,
        old: Document | None,
        *,
        component_name: str | None = None,
        reference_model_path: str | None = None,
        reweight_eta: float = 0.1,
        reweight_eps: float = 0.01,
        alpha: float = 0.9,
        warmup_steps: int = 100,
        update_step: int = 200,
        update_times: int = -1,
        dataset_dir: str | None = None,
        column: str = "text",
    ) -> dict[str, str]:
        """Return the YAML, ``components.yaml`` and ``dataset_info.json``.

        Args:
            plan: what to write; paths as LLaMA-Factory takes them.
            old: a training YAML to merge into.
            component_name: the mixer: "static" keeps the weights, "doremi" and "odm" start with
                them; without it the one of the YAML, else "static".
            reference_model_path: DoReMi's reference model, a folder.
            reweight_eta: DoReMi's step size.
            reweight_eps: DoReMi's smoothing.
            alpha: ODM's smoothing of rewards.
            warmup_steps: steps that an online mixer keeps the weights for.
            update_step: steps from one change of an online mixer to the next.
            update_times: how often it changes; -1 until the end.
            dataset_dir: where ``dataset_info.json`` will lie, seen from where training starts; "."
                is a start in the folder itself.
            column: the column of a new dataset that holds the text.
        """
        _check_component(component_name, reference_model_path)
        steps = {
            "warmup_step": whole_number("warmup_steps", warmup_steps, 1),
            "update_step": whole_number("update_step", update_step, 1),
            "update_times": update_times,
        }
        params: dict[str, dict[str, Any]] = {
            "static": {},
            "odm": {"alpha": alpha, "warmup_steps": steps["warmup_step"]},
            "doremi": {
                "reference_model_path": reference_model_path,
                "reweight_eta": reweight_eta,
                "reweight_eps": reweight_eps,
            },
        }
        before: Mapping[str, Any] = {}
        if old is not None:
            before = old.mapping
            _check_unit(plan, old)
        # The mixer that the YAML has stays, with its settings, unless another is asked for.
        kept = component_name is None and before.get("train_type") == "dynamic_mix"
        component = component_name or "static"
        if kept:
            component = str(before.get("component_name"))
        names = order_names(plan, before)
        proportions = [plan.numbers[name] for name in names]
        values: dict[str, Any] = {"dataset": write_like(names, before.get("dataset"))}
        if old is None:
            values |= {"stage": "pt", "packing": plan.unit is TOKENS}
        if old is None or dataset_dir is not None:
            values["dataset_dir"] = dataset_dir or "."
        if not kept:
            values |= _make_head(component)
        # Under its other rules DataFlex does not draw by the proportions.
        values |= {"mixture_sample_rule": "mixture", "init_mixture_proportions": proportions}
        mixer: dict[str, Any] = {}
        if not kept:
            mixer = params[component]
            if component != "static":
                values |= steps
        text = self.render_yaml(plan, old, lambda root: yaml_edit.put_all(root, values))
        there = _open_components(old, kept=kept)
        # A mixer may go by proportions of its own, so these must be the same. A mix that is static
        # has none: beside those of the YAML they could only be stale.
        draws = component == "static" and kept and not before.get("static_mix")
        if draws or STARTS.get(component) in _read_params(there, component):
            mixer = mixer | {STARTS[component]: proportions}
        info = render_info(plan, old, dataset_dir or before.get("dataset_dir"), column)
        files = {self.main_file: text}
        # A mixer that stays and has no file of ours has its settings somewhere else.
        if not kept or (mixer and there is not None):
            files[CONFIG] = self.render_yaml(
                plan, there, lambda root: _put_mixer(root, component, mixer)
            )
        return files | info

    def parse(self, document: Document) -> Config:
        """Read ``init_mixture_proportions``, and the mixer's own proportions."""
        content = document.mapping
        kind = str(content.get("train_type", "static"))
        given = content.get("init_mixture_proportions")
        if kind != "dynamic_mix":
            plain = LlamaFactory().parse(document)
            plain = replace(plain, unit=plain.unit or EXAMPLES.key)
            if given is None:
                return plain
            sentence = (
                "DataFlex takes init_mixture_proportions only with train_type "
                f"'dynamic_mix'; here it is {kind!r}."
            )
            return replace(plain, refused=(sentence, *plain.refused))
        names = read_names(document, self.title)
        shares = [to_number(share) for share in as_list(given)]
        if given is None:
            shares = [1.0] * len(names)
        numbers = dict.fromkeys(names, math.nan) | dict(zip(names, shares, strict=False))
        refused = [
            *find_name_faults(document, names),
            *_find_faults(content, names, shares),
            *find_cut_faults(content),
        ]
        if not refused:
            refused = list(_find_stale(document, shares))
        return Config(
            {0: numbers},
            unit=_find_unit(content),
            refused=tuple(refused),
            traps=(*_find_traps(content), *find_cut_traps(content)),
        )

    def recognises(self, document: Document) -> bool:
        """Return whether there are names in ``dataset``, beside a key of DataFlex's."""
        return is_dataflex(document.mapping)


def _check_component(component_name: str | None, reference_model_path: str | None) -> None:
    if component_name not in (None, *COMPONENTS):
        raise UnknownName(
            kind="mixer of DataFlex that starts with given weights",
            name=str(component_name),
            known=COMPONENTS,
        )
    if component_name == "doremi" and not reference_model_path:
        raise ReweightvizError(
            "DoReMi compares with a reference model; DataFlex goes on silently without "
            "one: pass reference_model_path=."
        )


def _check_unit(plan: Plan, old: Document) -> None:
    unit = _find_unit(old.mapping)
    if unit != plan.unit.key:
        raise ReweightvizError(
            f"as {old.path} has it, the numbers of DataFlex count {unit}: pass unit={unit!r}."
        )


def _find_unit(content: Mapping[str, Any]) -> str:
    """Return the key of the unit: sequences of one length are tokens, where they are packed."""
    packing = content.get("neat_packing") or content.get("packing")
    if packing is None:
        # LLaMA-Factory packs for pre-training unless it is told not to.
        packing = content.get("stage") == "pt"
    return "tokens" if packing else "examples"


def _make_head(component: str) -> dict[str, Any]:
    return {
        "train_type": "dynamic_mix",
        "components_cfg_file": CONFIG,
        "component_name": component,
        "static_mix": component == "static",
    }


def _put_mixer(root: Any, component: str, params: Mapping[str, Any]) -> None:
    yaml_edit.put(root, ["mixers", component, "name"], component)
    for key, value in params.items():
        yaml_edit.put(root, ["mixers", component, "params", key], value)


def _open_beside(document: Document, name: str) -> Document | None:
    try:
        # A leading ./ is no part of the name.
        return document.sibling(str(PurePosixPath(name)))
    except UnreadableFile:
        return None


def _open_components(old: Document | None, *, kept: bool) -> Document | None:
    """Return the file of the mixers, None where there is none, or the config names another."""
    if old is None or (kept and old.mapping.get("components_cfg_file") != CONFIG):
        return None
    return _open_beside(old, CONFIG)


def _read_params(components: Document | None, component: str) -> Mapping[str, Any]:
    if components is None:
        return {}
    return components.at("mixers", component, "params")


def _find_stale(document: Document, shares: Sequence[float]) -> Iterator[str]:
    """Return a sentence where the mixer's own proportions are not those of the YAML."""
    content = document.mapping
    component = str(content.get("component_name"))
    components = _open_beside(document, str(content.get("components_cfg_file")))
    if component not in STARTS or components is None:
        return
    given = _read_params(components, component).get(STARTS[component])
    if given is None and (component == "odm" or content.get("static_mix")):
        return
    # A static mixer without proportions draws all datasets alike.
    own = [1.0] * len(shares)
    if isinstance(given, list):
        own = [to_number(share) for share in given]
    if not _are_close(own, shares):
        yield (
            f"{components.path.name} has {given} in "
            f"mixers.{component}.params.{STARTS[component]}, but init_mixture_proportions "
            "is "
            f"{list(shares)}: DataFlex trains by one or the other, so make them the same."
        )


def _are_close(own: Sequence[float], shares: Sequence[float]) -> bool:
    """Return whether numbers on two scales are the same shares."""
    total = sum(own)
    whole = sum(shares)
    if len(own) != len(shares) or not total:
        return False
    # DataFlex normalises both, so only their shares can disagree.
    return all(abs(a / total - b / whole) < CLOSE for a, b in zip(own, shares, strict=True))


def _find_faults(
    content: Mapping[str, Any], names: Sequence[str], shares: Sequence[float]
) -> Iterator[str]:
    rule = content.get("mixture_sample_rule")
    given = content.get("init_mixture_proportions")
    if rule != "mixture":
        yield (
            "DataFlex draws by init_mixture_proportions only with mixture_sample_rule 'mixture'; "
            f"here it is {rule!r}."
        )
    twice = find_twice(names)
    if twice and given is not None:
        yield (
            f"DataFlex takes {list_names(twice)} once, however often the name stands there, and "
            f"then refuses {len(shares)} proportions for {len(set(names))} datasets: add them up."
        )
    if len(shares) != len(names) or not all(share >= 0 for share in shares) or not sum(shares):
        yield (
            f"init_mixture_proportions must be a list of {len(names)} numbers >= 0, one "
            "for each of dataset; "
            f"got {given!r}."
        )
    if content.get("interleave_probs") is not None:
        yield (
            "with train_type 'dynamic_mix' DataFlex does not draw by interleave_probs, but still "
            "checks them: take them out."
        )
    if content.get("streaming"):
        yield (
            "DataFlex needs the length of each dataset, so it cannot stream: streaming must be "
            "false."
        )
    steps = [key for key in ("warmup_step", "update_step") if not content.get(key)]
    if steps and not content.get("static_mix"):
        yield (
            f"{list_names(steps)} must be 1 or more unless static_mix is true, else "
            "DataFlex has no "
            "step to draw for."
        )


def _find_traps(content: Mapping[str, Any]) -> Iterator[str]:
    # Its own defaults, where neither is written.
    component = content.get("component_name", "Loss")
    start = content.get("warmup_step", 0)
    if content.get("init_mixture_proportions") is None:
        yield "without init_mixture_proportions DataFlex draws every dataset alike."
    if not content.get("static_mix") and component == "doremi":
        yield (
            f"from step {start} on DoReMi draws every dataset alike and weighs their "
            "losses; where reference_model_path does not exist "
            "it goes on without a reference, and says nothing."
        )
    elif not content.get("static_mix") and component != "static":
        yield (
            f"from step {start} on the mixer {component!r} sets the proportions, not this config."
        )
