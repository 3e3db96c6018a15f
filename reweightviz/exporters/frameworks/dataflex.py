"""DataFlex: a LLaMA-Factory training YAML with ``train_type: dynamic_mix``, and ``components.yaml`` with its mixer.

Every dataset is tokenised by itself before the mixer draws from it, so with ``stage: pt`` (packed,
unless ``packing`` is false) a proportion is a share of sequences of ``cutoff_len`` tokens; without
packing, of examples. Checked with dataflex 1.1.0: ``static_mix`` draws by
``init_mixture_proportions`` to the end. An online mixer does so for ``warmup_step`` steps; then
"odm" learns proportions of its own, and "doremi" draws all domains alike and weighs their losses.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from reweightviz.core.errors import (
    ReweightvizError,
    UnknownName,
    UnreadableFile,
    listed,
)
from reweightviz.core.validation import whole_number
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks import llama_factory
from reweightviz.exporters.plan import Config, Plan, to_number
from reweightviz.exporters.text import yaml_edit
from reweightviz.exporters.units import EXAMPLES, TOKENS

COMPONENTS = ("doremi", "odm", "static")
CONFIG = "components.yaml"
STARTS = {"odm": "initial_proportions", "static": "proportions"}
"""Where a mixer says proportions of its own."""
CLOSE = 1e-6


class DataFlex(Exporter):
    """DataFlex: `init_mixture_proportions` of the training YAML and the mixer in `components.yaml`; static, DoReMi or ODM."""

    name = "dataflex"
    aliases = ("data-flex",)
    title = "DataFlex"
    units = (TOKENS, EXAMPLES)
    main_file = "mixture.yaml"
    merges = True
    name_pattern = llama_factory.LlamaFactory.name_pattern
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
        """The YAML, ``components.yaml`` and ``dataset_info.json``.

        Args:
            plan: what to write; paths as LLaMA-Factory takes them.
            old: a training YAML to merge into.
            component_name: the mixer: "static" keeps the weights, "doremi" and "odm" start with
                them; without it what the YAML says, else "static".
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
        _check(component_name, reference_model_path)
        warmup_steps = whole_number("warmup_steps", warmup_steps, 1)
        update_step = whole_number("update_step", update_step, 1)
        before = {} if old is None else old.mapping
        if old is not None and _unit(before) != plan.unit.key:
            raise ReweightvizError(
                f"as {old.path} has it, the numbers of DataFlex count {_unit(before)}: "
                f"pass unit={_unit(before)!r}."
            )
        fresh = component_name or ("static" if before.get("train_type") != "dynamic_mix" else None)
        names = llama_factory.ordered(plan, before)
        proportions = [plan.numbers[name] for name in names]
        values: dict[str, Any] = {"dataset": llama_factory.alike(names, before.get("dataset"))}
        if old is None:
            values |= {"stage": "pt", "packing": plan.unit is TOKENS}
        if old is None or dataset_dir is not None:
            values["dataset_dir"] = dataset_dir or "."
        if fresh:
            values |= {
                "train_type": "dynamic_mix",
                "components_cfg_file": CONFIG,
                "component_name": fresh,
                "static_mix": fresh == "static",
            }
        values |= {"mixture_sample_rule": "mixture", "init_mixture_proportions": proportions}
        if fresh and fresh != "static":
            values |= {
                "warmup_step": warmup_steps,
                "update_step": update_step,
                "update_times": update_times,
            }
        texts = {
            self.main_file: self.render_yaml(
                plan, old, lambda root: yaml_edit.put_all(root, values)
            )
        }
        params: dict[str, dict[str, Any]] = {
            "odm": {"alpha": alpha, "warmup_steps": warmup_steps},
            "doremi": {
                "reference_model_path": reference_model_path,
                "reweight_eta": reweight_eta,
                "reweight_eps": reweight_eps,
            },
        }
        component = fresh or str(before.get("component_name"))
        mixer = params.get(component, {}) if fresh else {}
        there = (
            None
            if old is None or not (fresh or before.get("components_cfg_file") == CONFIG)
            else _beside(old, CONFIG)
        )
        if component == "static" or STARTS.get(component) in _params(there, component):
            mixer = mixer | {STARTS[component]: proportions}

        def fill(root: Any) -> None:
            yaml_edit.put(root, ["mixers", component, "name"], component)
            for key, value in mixer.items():
                yaml_edit.put(root, ["mixers", component, "params", key], value)

        if mixer and (fresh or there):
            texts[CONFIG] = self.render_yaml(plan, there, fill)
        return texts | llama_factory.registry(
            plan, old, dataset_dir or before.get("dataset_dir"), column
        )

    def parse(self, document: Document) -> Config:
        """``init_mixture_proportions``, and what the mixer says beside it."""
        content = document.mapping
        kind, given = (
            str(content.get("train_type", "static")),
            content.get("init_mixture_proportions"),
        )
        if kind != "dynamic_mix":
            plain = llama_factory.LlamaFactory().parse(document)
            lost = (
                "DataFlex takes init_mixture_proportions only with train_type "
                f"'dynamic_mix'; here it is {kind!r}.",
            )
            return Config(
                plain.stages,
                unit="examples",
                refused=lost * (given is not None) + plain.refused,
                traps=plain.traps,
            )
        names = llama_factory.named(document, self.title)
        shares = (
            [1.0] * len(names)
            if given is None
            else [to_number(share) for share in given]
            if isinstance(given, list)
            else []
        )
        numbers = dict.fromkeys(names, math.nan) | dict(zip(names, shares, strict=False))
        refused = (
            *llama_factory.absent(document, names),
            *_faults(content, names, shares),
        ) or tuple(_stale(document, shares))
        return Config(
            {0: numbers}, unit=_unit(content), refused=refused, traps=tuple(_surprises(content))
        )

    def recognises(self, document: Document) -> bool:
        """``dataset`` as names, beside a key of DataFlex's."""
        return bool(
            llama_factory.words(document.mapping.get("dataset"))
            and llama_factory.DATAFLEX & set(document.mapping)
        )


def _check(component_name: str | None, reference_model_path: str | None) -> None:
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


def _unit(content: Mapping[str, Any]) -> str:
    packing = content.get("neat_packing") or content.get("packing")
    return "tokens" if packing or (packing is None and content.get("stage") == "pt") else "examples"


def _beside(document: Document, name: str) -> Document | None:
    try:
        return document.sibling(str(PurePosixPath(name)))
    except UnreadableFile:
        return None


def _params(components: Document | None, component: str) -> Mapping[str, Any]:
    return {} if components is None else components.at("mixers", component, "params")


def _stale(document: Document, shares: Sequence[float]) -> Iterable[str]:
    """A sentence where the mixer's own proportions are not those of the YAML."""
    content = document.mapping
    component, components = (
        str(content.get("component_name")),
        _beside(document, str(content.get("components_cfg_file"))),
    )
    if component not in STARTS or components is None:
        return
    said = _params(components, component).get(STARTS[component])
    if said is None and (component == "odm" or content.get("static_mix")):
        return
    own = [to_number(share) for share in said] if isinstance(said, list) else [1.0] * len(shares)
    if len(own) != len(shares) or not all(
        abs(a / sum(own) - b / sum(shares)) < CLOSE for a, b in zip(own, shares, strict=True)
    ):
        yield (
            f"{components.path.name} has {said} in "
            f"mixers.{component}.params.{STARTS[component]}, but init_mixture_proportions "
            "is "
            f"{list(shares)}: DataFlex trains by one or the other, so make them the same."
        )


def _faults(
    content: Mapping[str, Any], names: Sequence[str], shares: Sequence[float]
) -> Iterable[str]:
    rule = content.get("mixture_sample_rule")
    if rule != "mixture":
        yield f"DataFlex draws by init_mixture_proportions only with mixture_sample_rule 'mixture'; here it is {rule!r}."
    if len(shares) != len(names) or not all(share >= 0 for share in shares) or not sum(shares):
        yield (
            f"init_mixture_proportions must be a list of {len(names)} numbers >= 0, one "
            "for each of dataset; "
            f"got {content.get('init_mixture_proportions')!r}."
        )
    if content.get("interleave_probs") is not None:
        yield "with train_type 'dynamic_mix' DataFlex does not draw by interleave_probs, but still checks them: take them out."
    if content.get("streaming"):
        yield "DataFlex needs the length of each dataset, so it cannot stream: streaming must be false."
    steps = [key for key in ("warmup_step", "update_step") if not content.get(key)]
    if steps and not content.get("static_mix"):
        yield f"{listed(steps)} must be 1 or more unless static_mix is true, else DataFlex has no step to draw for."


def _surprises(content: Mapping[str, Any]) -> Iterable[str]:
    component, start = content.get("component_name"), content.get("warmup_step")
    if content.get("init_mixture_proportions") is None:
        yield "without init_mixture_proportions DataFlex draws every dataset alike."
    if not content.get("static_mix") and component == "doremi":
        yield (
            f"from step {start} on DoReMi draws every dataset alike and weighs their "
            "losses; where reference_model_path does not exist "
            "it goes on without a reference, and says nothing."
        )
    elif not content.get("static_mix") and component != "static":
        yield f"from step {start} on the mixer {component!r} sets the proportions, not this config."
