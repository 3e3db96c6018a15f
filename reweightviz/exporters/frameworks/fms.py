"""fms-hf-tuning: the data config of ``sft_trainer.py``, with ``sampling`` for every dataset that is trained on.

Examples are drawn before they are packed, so ``sampling`` is a share of documents: proportional to
w_i / (mean tokens per document of i). ``unit="tokens"`` is for examples that are packed to one
length already.

``online=True`` writes the config of fms-acceleration-odm, a bandit that changes the shares while
training runs. It never draws one of K datasets less than gamma / K of the time: from starting
weights s it draws (1 - gamma) s + gamma / K. So s = (w - gamma / K) / (1 - gamma) is written, and
``read`` undoes it. The bandit sorts the datasets by name, so its logs count them in that order.
Checked with fms-hf-tuning 3.2.2 and fms-acceleration-odm 0.1.6.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from reweightviz.core.errors import ReweightvizError, UnknownName, WrongContent, listed
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks.huggingface import builder
from reweightviz.exporters.plan import Config, Numbers, Plan, to_number
from reweightviz.exporters.text import yaml_edit
from reweightviz.exporters.text.encoding import check_utf8
from reweightviz.exporters.units import EXAMPLES, TOKENS, exact_shares

STRATEGIES = ("all_exhausted", "first_exhausted")
MEASURED = ("entropy", "entropy3_varent1", "entropy_last_token", "validation_loss")
"""Rewards that need validation data of each dataset."""
REWARDS = (*MEASURED, "gradnorm", "train_loss")
USUAL = {
    "update_interval": 1,
    "sampling_interval": 1,
    "reward_type": "train_loss",
    "gamma": 0.1,
    "eta": 0.3,
}
"""Settings of the bandit in a new config."""
KNOWN = (".arrow", ".json", ".jsonl", ".md", ".parquet", ".txt")
"""Endings for which the framework finds the builder."""


class FmsHfTuning(Exporter):
    """fms-hf-tuning: `sampling` in the data config of `sft_trainer`; `online=True` for the bandit of fms-acceleration-odm."""

    name = "fms-hf-tuning"
    aliases = ("fms", "sft-trainer", "fms-odm")
    title = "fms-hf-tuning"
    units = (EXAMPLES, TOKENS)
    suffix = ".yaml"
    other_suffixes = (".yml", ".json")
    exact = True
    merges = True
    name_pattern = r"[ -~\w]+"
    traps = (
        "'all_exhausted', the default, and online mixing repeat a dataset that is used "
        "up, and say nothing.",
    )

    def render(
        self,
        plan: Plan,
        old: Document | None,
        *,
        sampling_stopping_strategy: str | None = None,
        seed: int | None = None,
        online: bool | None = None,
        gamma: float | None = None,
        eta: float | None = None,
        update_interval: int | None = None,
        sampling_interval: int | None = None,
        reward_type: str | None = None,
    ) -> dict[str, str]:
        """The YAML; what is None stays as the config has it, or as the framework's examples have it.

        Args:
            plan: what to write.
            old: a data config to merge into.
            sampling_stopping_strategy: "first_exhausted" ends with the first dataset that is used
                up, "all_exhausted" repeats it; in a new file the first, or the second where the
                budget asks for more than one epoch of something.
            seed: of the draws.
            online: start with the mixture and let the bandit change it.
            gamma: how much the bandit explores, from 0 to below K times the smallest share.
            eta: its step size.
            update_interval: steps from one change of the shares to the next.
            sampling_interval: examples that are drawn from one dataset at a time.
            reward_type: what a dataset is drawn more often for; all but "train_loss" and
                "gradnorm" need validation data of each.
        """
        before = old.at("dataprocessor") if old is not None else {}
        online = before.get("type") == "odm" if online is None else online
        given = {
            "gamma": gamma,
            "eta": eta,
            "update_interval": update_interval,
            "sampling_interval": sampling_interval,
            "reward_type": reward_type,
        }
        _check(sampling_stopping_strategy, given, online=online)
        usual = (
            {"sampling_stopping_strategy": STRATEGIES[0 if plan.has_repeats else 1], "seed": 42}
            if old is None
            else {}
        )
        processor: dict[str, Any] = usual | {
            key: value
            for key, value in (
                ("sampling_stopping_strategy", sampling_stopping_strategy),
                ("seed", seed),
            )
            if value is not None
        }
        numbers = plan.numbers
        if old is None or online != (before.get("type") == "odm"):
            processor = {"type": "odm" if online else "default"} | processor
        if online:
            processor["odm"] = (
                USUAL
                | dict(before.get("odm") or {})
                | {key: value for key, value in given.items() if value is not None}
            )
            numbers = _compensated(numbers, processor["odm"]["gamma"])
        held_out = (
            {}
            if old is None
            else {str(entry.get("name", "")): 0.0 for entry in _entries(old) if not _trains(entry)}
        )

        def fill(root: Any) -> None:
            for key, value in processor.items():
                yaml_edit.put(root, ["dataprocessor", key], value)
            for name, entry in yaml_edit.match_entries(
                root,
                ["datasets"],
                numbers | held_out,
                lambda entry: entry.get("name", ""),
                dropped=plan.dropped_names,
            ):
                fresh = not entry
                if fresh:
                    yaml_edit.put(entry, ["name"], name)
                if name in numbers:
                    yaml_edit.put(entry, ["sampling"], numbers[name])
                if fresh:
                    yaml_edit.put_all(entry, _place(plan.entries[name].paths))

        return {"": self.render_yaml(plan, old, fill)}

    def parse(self, document: Document) -> Config:
        """``sampling`` of each dataset that has a train split, or what the bandit makes of it."""
        entries, processor = _entries(document), document.at("dataprocessor")
        training = [entry for entry in entries if _trains(entry)]
        names = [str(entry.get("name", "")) for entry in training]
        shares = [_share(entry.get("sampling")) for entry in training]
        online = processor.get("type") == "odm"
        alike = not any(shares) and (online or len(names) == 1)
        numbers = dict(zip(names, [1 / len(names)] * len(names) if alike else shares, strict=True))
        refused = [*_faults(document, names, shares), *_sum_faults(names, shares, alike=alike)]
        traps = [*_surprises(entries, shares)]
        if online:
            odm = document.at("dataprocessor", "odm")
            gamma = to_number(odm.get("gamma", 0.1))
            numbers = {
                name: (1 - gamma) * share + gamma / len(names) for name, share in numbers.items()
            }
            refused += _bandit_faults(odm, names, gamma)
            traps += _bandit_surprises(odm, entries, gamma)
        return Config({0: numbers}, refused=tuple(refused), traps=tuple(traps))

    def recognises(self, document: Document) -> bool:
        """``datasets`` with ``data_paths``."""
        entries = document.mapping.get("datasets")
        return isinstance(entries, list) and any(
            isinstance(entry, Mapping) and "data_paths" in entry for entry in entries
        )


def _entries(document: Document) -> list[Mapping[str, Any]]:
    entries = document.mapping.get("datasets")
    if (
        not isinstance(entries, list)
        or not entries
        or not all(isinstance(entry, Mapping) for entry in entries)
    ):
        raise WrongContent(
            path=document.path,
            reason="is no data config of fms-hf-tuning: it needs 'datasets', with 'name' "
            "and 'data_paths'",
        )
    return entries


def _trains(entry: Mapping[str, Any]) -> bool:
    split = entry.get("split")
    return not isinstance(split, Mapping) or bool(split.get("train"))


def _share(value: Any) -> float:
    if value is None:
        return 0.0
    return to_number(value) if isinstance(value, int | float) and value <= 1 else math.nan


def _place(paths: Sequence[str]) -> dict[str, Any]:
    for path in paths:
        check_utf8(path)
    kinds = {builder(path) for path in paths}
    known = all(path.endswith(KNOWN) for path in paths)
    return {"data_paths": list(paths)} | (
        {"builder": kinds.pop()} if len(kinds) == 1 and not known and None not in kinds else {}
    )


def _check(strategy: str | None, bandit: Mapping[str, Any], *, online: bool) -> None:
    if strategy not in (None, *STRATEGIES):
        raise UnknownName(kind="sampling_stopping_strategy", name=str(strategy), known=STRATEGIES)
    given = [key for key, value in bandit.items() if value is not None]
    if given and not online:
        raise ReweightvizError(f"{listed(given)} belong to online mixing: pass online=True too.")
    if bandit["reward_type"] not in (None, *REWARDS):
        raise UnknownName(kind="reward_type", name=str(bandit["reward_type"]), known=REWARDS)


def _compensated(numbers: Numbers, gamma: float) -> Numbers:
    """The starting weights from which the bandit first draws by ``numbers``."""
    if len(numbers) < 2:
        raise ReweightvizError(
            "the bandit cuts a single dataset into clusters of its own: online mixing "
            "needs two datasets or more."
        )
    least = min(numbers, key=lambda name: numbers[name])
    floor = gamma / len(numbers)
    if not 0 <= gamma < 1 or numbers[least] <= floor:
        raise ReweightvizError(
            f"with gamma={gamma:g} the bandit draws each of {len(numbers)} datasets more "
            f"than {floor:.4g} of the time; "
            f"{listed([least])} is to start with {numbers[least]:.4g}, so gamma must be below "
            f"{min(1.0, numbers[least] * len(numbers)):.4g}."
        )
    start = exact_shares((np.array(list(numbers.values())) - floor) / (1 - gamma))
    return dict(zip(numbers, start.tolist(), strict=True))


def _faults(document: Document, names: Sequence[str], shares: Sequence[float]) -> Iterable[str]:
    if "datapreprocessor" in document.mapping:
        yield "fms-hf-tuning reads 'dataprocessor' only and silently ignores 'datapreprocessor': rename it."
    if document.path.suffix not in {".yaml", ".yml", ".json"}:
        yield f"fms-hf-tuning reads a data config that ends in '.yaml' or '.json'; got {document.path.name!r}."
    if len(set(names)) < len(names):
        yield f"{listed({name for name in names if names.count(name) > 1})} stands there more than once, so its share cannot be told."
    held_out = [
        entry.get("name", "")
        for entry in _entries(document)
        if not _trains(entry) and entry.get("sampling")
    ]
    if held_out:
        yield f"{listed(held_out)} has no train split, so fms-hf-tuning takes no sampling for it."
    bad = [name for name, share in zip(names, shares, strict=True) if math.isnan(share)]
    if bad:
        yield f"sampling must be a number from 0 to 1; that of {listed(bad)} is not."


def _sum_faults(names: Sequence[str], shares: Sequence[float], *, alike: bool) -> Iterable[str]:
    total = functools.reduce(operator.add, shares, 0.0)
    without = [name for name, share in zip(names, shares, strict=True) if not share]
    if not names:
        yield "no dataset has a train split."
    elif not any(shares) and not alike:
        yield "no dataset has sampling, so fms-hf-tuning puts the datasets one after another, at their sizes."
    elif any(shares) and without:
        yield f"fms-hf-tuning wants sampling above 0 for every dataset that is trained on, or for none; {listed(without)} has none."
    elif any(shares) and total != 1:
        yield f"sampling must sum to exactly 1, which fms-hf-tuning compares without tolerance; the sum is {total!r}."


def _bandit_faults(odm: Mapping[str, Any], names: Sequence[str], gamma: float) -> Iterable[str]:
    reward = odm.get("reward_type", "entropy")
    if not odm:
        yield "type 'odm' needs dataprocessor.odm, the settings of the bandit."
    if not gamma <= 1:
        yield f"gamma of the bandit must be a number from 0 to 1; got {odm.get('gamma')!r}."
    if str(reward).lower() not in REWARDS:
        yield f"the bandit of fms-hf-tuning has no reward_type {reward!r}; there is {listed(REWARDS)}."
    if len(names) == 1:
        yield "the bandit cuts a single dataset into clusters of its own, so this config asks for no mixture of domains."


def _surprises(entries: Sequence[Mapping[str, Any]], shares: Sequence[float]) -> Iterable[str]:
    if functools.reduce(operator.add, shares, 0.0) == 1 != math.fsum(shares):
        yield "sampling sums to 1 only up to Python 3.11, which rounds after each addition; a later Python would refuse it."
    without = [entry.get("name", "") for entry in entries if not entry.get("data_paths")]
    if without:
        yield f"{listed(without)} has no data_paths yet."


def _bandit_surprises(
    odm: Mapping[str, Any], entries: Sequence[Mapping[str, Any]], gamma: float
) -> Iterable[str]:
    reward = str(odm.get("reward_type", "entropy")).lower()
    if gamma:
        yield "the bandit starts with (1 - gamma) sampling + gamma / K, which is what was read, not with sampling itself."
    if reward in MEASURED and not any(
        isinstance(entry.get("split"), Mapping) and entry["split"].get("validation")
        for entry in entries
    ):
        yield f"reward_type {reward!r} is measured on validation data, which no dataset here has under split."
