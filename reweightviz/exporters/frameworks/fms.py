"""fms-hf-tuning: ``sampling`` in the data config of ``sft_trainer.py``.

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
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reweightviz.core.errors import ReweightvizError, UnknownName, WrongContent, list_names
from reweightviz.core.validation import find_repeated
from reweightviz.exporters.document import Document
from reweightviz.exporters.epochs import Stop
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks import _interleave as interleave
from reweightviz.exporters.frameworks._fms_bandit import (
    REWARDS,
    USUAL,
    compensate,
    explore,
    find_bandit_faults,
    find_bandit_traps,
)
from reweightviz.exporters.frameworks._foreign import Item, as_entries, mappings_in
from reweightviz.exporters.frameworks._hub import find_builder
from reweightviz.exporters.frameworks._weights import add_up
from reweightviz.exporters.plan import Config, Numbers, Plan, to_number
from reweightviz.exporters.text import yaml_edit
from reweightviz.exporters.text.encoding import check_utf8
from reweightviz.exporters.units import COPIES, EXAMPLES, TOKENS

__all__ = ["KNOWN", "STRATEGIES", "FmsHfTuning"]


STRATEGIES = ("all_exhausted", "first_exhausted")
KNOWN = (".arrow", ".json", ".jsonl", ".md", ".parquet", ".txt")
"""Endings for which the framework finds the builder."""


class FmsHfTuning(Exporter):
    """fms-hf-tuning: `sampling` in the data config of `sft_trainer`; `online=True` for a bandit."""

    name = "fms-hf-tuning"
    aliases = ("fms", "sft-trainer", "fms-odm")
    title = "fms-hf-tuning"
    units = (EXAMPLES, TOKENS)
    read_only_units = (COPIES,)
    suffix = ".yaml"
    other_suffixes = (".yml", ".json")
    exact = True
    merges = True
    name_pattern = r"[ -~\w]+"
    traps = (
        "'all_exhausted', the default, and online mixing repeat a dataset that is used "
        "up, and say nothing.",
    )
    unweighted_traps = ()

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
        """Return the YAML; None leaves what the config has, or the framework's examples.

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
        there: Mapping[str, Any] = {}
        if old is not None:
            there = old.at("dataprocessor")
        if online is None:
            online = _is_online(there)
        bandit = _without_none(
            gamma=gamma,
            eta=eta,
            update_interval=update_interval,
            sampling_interval=sampling_interval,
            reward_type=reward_type,
        )
        _check_options(sampling_stopping_strategy, bandit, online=online)
        processor: dict[str, Any] = {}
        if old is None or online != _is_online(there):
            processor["type"] = "odm" if online else "default"
        if old is None:
            processor |= _usual_draws(plan)
        processor |= _without_none(sampling_stopping_strategy=sampling_stopping_strategy, seed=seed)
        numbers = plan.numbers
        if online:
            processor["odm"] = USUAL | dict(there.get("odm") or {}) | bandit
            numbers = compensate(numbers, processor["odm"]["gamma"])

        def fill(root: Any) -> None:
            for key, value in processor.items():
                yaml_edit.put(root, ["dataprocessor", key], value)
            _fill_datasets(root, plan, numbers, _held_out_names(old))

        return {"": self.render_yaml(plan, old, fill)}

    def parse(self, document: Document) -> Config:
        """Read ``sampling`` of each dataset with a train split, or what the bandit makes of it."""
        entries = _read_entries(document)
        training = [entry for entry in entries if _trains(entry)]
        names = [_name(entry) for entry in training]
        shares = [_read_share(entry.get("sampling")) for entry in training]
        online = _is_online(document.at("dataprocessor"))
        once = bool(names) and not any(shares) and not online
        even = bool(names) and not any(shares) and online
        refused = [
            *_find_faults(document, names, shares, online=online),
            *_find_sum_faults(names, shares),
        ]
        traps = [*_find_traps(entries, shares)]
        unit = None
        if once:
            shares = [1.0] * len(names)
            unit = COPIES.key
            traps.append(f"without sampling fms-hf-tuning {interleave.ONCE}")
        elif even:
            # Without sampling the bandit starts even.
            shares = [1 / len(names)] * len(names)
        # A name may stand twice: fms-hf-tuning draws from both.
        numbers = add_up(zip(names, shares, strict=True))
        if online:
            odm = document.at("dataprocessor", "odm")
            gamma = to_number(odm.get("gamma", USUAL["gamma"]))
            numbers = explore(numbers, gamma, len(names))
            refused += find_bandit_faults(odm, names, gamma)
            traps += find_bandit_traps(odm, entries, gamma)
        stop = None if online or once else _find_stop(document)
        return Config(
            {0: numbers}, unit=unit, stop=stop, refused=tuple(refused), traps=tuple(traps)
        )

    def recognises(self, document: Document) -> bool:
        """Return whether there are ``datasets`` with ``data_paths``."""
        return any("data_paths" in entry for entry in mappings_in(document.mapping.get("datasets")))


def _find_stop(document: Document) -> Stop | None:
    strategy = document.at("dataprocessor").get("sampling_stopping_strategy")
    return interleave.find_stop(strategy, f"sampling_stopping_strategy: {strategy}", STRATEGIES[0])


def _fill_datasets(root: Any, plan: Plan, numbers: Numbers, held_out: Sequence[str]) -> None:
    # A dataset without a train split is no part of the mixture, and stays.
    wanted = numbers | dict.fromkeys(held_out, 0.0)
    for name, entry in yaml_edit.match_entries(
        root, ["datasets"], wanted, _name, dropped=plan.dropped_names
    ):
        fresh = not entry
        if fresh:
            yaml_edit.put(entry, ["name"], name)
        if name in numbers:
            yaml_edit.put(entry, ["sampling"], numbers[name])
        if fresh:
            yaml_edit.put_all(entry, _find_files(plan.entries[name].paths))


def _usual_draws(plan: Plan) -> dict[str, Any]:
    return {"sampling_stopping_strategy": interleave.choose_strategy(plan), "seed": 42}


def _read_entries(document: Document) -> list[Item]:
    entries = as_entries(document.mapping.get("datasets"))
    if not entries:
        raise WrongContent(
            path=document.path,
            reason="is no data config of fms-hf-tuning: it needs 'datasets', with 'name' "
            "and 'data_paths'",
        )
    return entries


def _name(entry: Item) -> str:
    return str(entry.get("name", ""))


def _held_out_names(document: Document | None) -> list[str]:
    if document is None:
        return []
    return [_name(entry) for entry in _read_entries(document) if not _trains(entry)]


def _trains(entry: Item) -> bool:
    # Without a split all of a dataset is trained on.
    split = entry.get("split")
    return not isinstance(split, Mapping) or bool(split.get("train"))


def _is_online(processor: Mapping[str, Any]) -> bool:
    return processor.get("type") == "odm"


def _read_share(value: Any) -> float:
    # Absent counts as 0: fms-hf-tuning wants sampling for every dataset or for none.
    if value is None:
        return 0.0
    if not isinstance(value, int | float) or value > 1:
        return math.nan
    return to_number(value)


def _find_files(paths: Sequence[str]) -> dict[str, Any]:
    """Return ``data_paths``, and the ``builder`` where the framework does not find it by itself."""
    for path in paths:
        check_utf8(path)
    found: dict[str, Any] = {"data_paths": list(paths)}
    # The framework goes by the last ending, so .jsonl.gz needs its builder named.
    kinds = {find_builder(path) for path in paths} - {None}
    alike = len({find_builder(path) for path in paths}) == 1
    if kinds and alike and not all(path.endswith(KNOWN) for path in paths):
        found["builder"] = kinds.pop()
    return found


def _without_none(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _check_options(strategy: str | None, bandit: Mapping[str, Any], *, online: bool) -> None:
    if strategy not in (None, *STRATEGIES):
        raise UnknownName(kind="sampling_stopping_strategy", name=str(strategy), known=STRATEGIES)
    if bandit and not online:
        raise ReweightvizError(
            f"{list_names(bandit)} belong to online mixing: pass online=True too."
        )
    reward = bandit.get("reward_type")
    if reward not in (None, *REWARDS):
        raise UnknownName(kind="reward_type", name=str(reward), known=REWARDS)


def _add_in_turn(shares: Sequence[float]) -> float:
    # Rounded after each addition, as fms-hf-tuning adds them; sum() is exacter from Python 3.12 on.
    return functools.reduce(operator.add, shares, 0.0)


def _find_faults(
    document: Document, names: Sequence[str], shares: Sequence[float], *, online: bool
) -> Iterator[str]:
    if "datapreprocessor" in document.mapping:
        yield (
            "fms-hf-tuning reads 'dataprocessor' only and silently ignores 'datapreprocessor': "
            "rename it."
        )
    if document.path.suffix not in {".yaml", ".yml", ".json"}:
        yield (
            "fms-hf-tuning reads a data config that ends in '.yaml' or '.json'; got "
            f"{document.path.name!r}."
        )
    twice = find_repeated(names)
    if twice and online:
        yield f"the bandit knows datasets by name, and {list_names(twice)} stands there twice."
    entries = _read_entries(document)
    held_out = [entry for entry in entries if not _trains(entry) and entry.get("sampling")]
    if held_out:
        who = list_names([entry.get("name", "") for entry in held_out])
        yield f"{who} has no train split, so fms-hf-tuning takes no sampling for it."
    bad = [name for name, share in zip(names, shares, strict=True) if math.isnan(share)]
    if bad:
        yield f"sampling must be a number from 0 to 1; that of {list_names(bad)} is not."


def _find_sum_faults(names: Sequence[str], shares: Sequence[float]) -> Iterator[str]:
    total = _add_in_turn(shares)
    without = [name for name, share in zip(names, shares, strict=True) if not share]
    if not names:
        yield "no dataset has a train split."
    elif any(shares) and without:
        yield (
            "fms-hf-tuning wants sampling above 0 for every dataset that is trained on, or for "
            f"none; {list_names(without)} has none."
        )
    elif any(shares) and total != 1:
        yield (
            "sampling must sum to exactly 1, which fms-hf-tuning compares without tolerance; the "
            f"sum is {total!r}."
        )


def _find_traps(entries: Sequence[Item], shares: Sequence[float]) -> Iterator[str]:
    if _add_in_turn(shares) == 1 != math.fsum(shares):
        yield (
            "sampling sums to 1 only up to Python 3.11, which rounds after each addition; a later "
            "Python would refuse it."
        )
    without = [entry.get("name", "") for entry in entries if not entry.get("data_paths")]
    if without:
        yield f"{list_names(without)} has no data_paths yet."
