"""LLaMA-Factory: ``dataset``, ``mix_strategy`` and ``interleave_probs`` of a training YAML.

``dataset_info.json`` beside it has an entry for each dataset. The datasets are interleaved before
they are tokenised and packed, so a probability is a share of documents: p_i is proportional to
w_i / (mean tokens per document of i). The YAML of a new folder holds the data only; ``merge=True``
puts the mixture into a training YAML that is there. Checked with llamafactory 0.9.5.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reweightviz.core.errors import ReweightvizError, UnknownName, list_names
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks import _interleave as interleave
from reweightviz.exporters.frameworks._llama_factory import (
    NAME_PATTERN,
    find_cut_faults,
    find_cut_traps,
    find_name_faults,
    find_name_traps,
    is_dataflex,
    is_swift,
    order_names,
    read_names,
    render_info,
    split_words,
    write_like,
)
from reweightviz.exporters.plan import Config, Numbers, Plan, to_number
from reweightviz.exporters.text import yaml_edit
from reweightviz.exporters.units import COPIES, EXAMPLES, TOKENS

__all__ = ["LOSES", "MEANINGS", "MUCH", "STRATEGIES", "LlamaFactory"]


STRATEGIES = ("interleave_over", "interleave_under")
MEANINGS = {
    "interleave_under": "first_exhausted",
    "interleave_over": "all_exhausted",
    "interleave_once": interleave.LOSES,
}
"""What ``merge_dataset`` of LLaMA-Factory hands to ``interleave_datasets``."""
LOSES = {
    "interleave_once": "ends at the sizes of the datasets, whatever interleave_probs says",
    "concat": "puts the datasets one after another, at their sizes",
}
MUCH = 5e10
"""Tokens of a run for which loading everything before it begins takes long."""


class LlamaFactory(Exporter):
    """LLaMA-Factory: `interleave_probs` of the training YAML, datasets in `dataset_info.json`."""

    name = "llama-factory"
    aliases = ("llamafactory", "llama factory")
    title = "LLaMA-Factory"
    on_command_line = True
    refusing_loader = "OmegaConf"
    units = (EXAMPLES, TOKENS)
    read_only_units = (COPIES,)
    main_file = "mixture.yaml"
    exact = True
    merges = True
    name_pattern = NAME_PATTERN
    traps = (
        "interleave_under ends with the first dataset that is used up; interleave_over "
        "repeats it and says nothing.",
    )
    unweighted_traps = ()

    def render(
        self,
        plan: Plan,
        old: Document | None,
        *,
        mix_strategy: str | None = None,
        streaming: bool | None = None,
        dataset_dir: str | None = None,
        column: str = "text",
    ) -> dict[str, str]:
        """Return the YAML and ``dataset_info.json``; a dataset that stands there keeps its entry.

        Args:
            plan: what to write; a path "owner/name" without an ending is taken for a dataset on
                the hub, "folder/" for a folder.
            old: a training YAML to merge into.
            mix_strategy: "interleave_under" ends with the first dataset that is used up,
                "interleave_over" repeats it until all were; without it that of the YAML, else
                the first, or the second where the budget asks for more than one epoch.
            streaming: stream the datasets; sets ``dataloader_num_workers`` to 1 where it is 0,
                which leaves a file without a shard.
            dataset_dir: where ``dataset_info.json`` will lie, seen from where training starts; "."
                is a start in the folder itself.
            column: the column of a new dataset that holds the text.
        """
        _check_strategy(mix_strategy)
        before: Mapping[str, Any] = {}
        if old is not None:
            before = old.mapping
        strategy = mix_strategy or before.get("mix_strategy")
        if strategy not in STRATEGIES:
            strategy = "interleave_over" if plan.has_repeats else "interleave_under"
        names = order_names(plan, before)
        shares = [plan.numbers[name] for name in names]
        values: dict[str, Any] = {"dataset": write_like(names, before.get("dataset"))}
        if old is None or dataset_dir is not None:
            values["dataset_dir"] = dataset_dir or "."
        values["mix_strategy"] = strategy
        values["interleave_probs"] = write_like(shares, before.get("interleave_probs"))
        if old is None or streaming is not None:
            values["streaming"] = bool(streaming)
        if streaming and not before.get("dataloader_num_workers"):
            values["dataloader_num_workers"] = 1
        text = self.render_yaml(plan, old, lambda root: yaml_edit.put_all(root, values))
        folder = dataset_dir or before.get("dataset_dir")
        return {self.main_file: text} | render_info(plan, old, folder, column)

    def parse(self, document: Document) -> Config:
        """Read ``interleave_probs`` as ``DataArguments`` and ``merge_dataset`` take them."""
        content = document.mapping
        names = read_names(document, self.title)
        shares = split_words(content.get("interleave_probs"))
        strategy = str(content.get("mix_strategy", "concat"))
        once = strategy in LOSES and not (shares and strategy == "concat")
        values = [math.nan] * len(names)
        if once:
            values = [1.0] * len(names)
        elif shares:
            values = [to_number(share) for share in shares]
        elif strategy in STRATEGIES:
            # Without probabilities interleaved datasets take turns.
            values = [1 / len(names)] * len(names)
        # A list of another length is refused; what it lacks is not known.
        numbers = dict.fromkeys(names, math.nan) | dict(zip(names, values, strict=False))
        setting = f"mix_strategy: {strategy}"
        refused = [
            *find_name_faults(document, names, shares),
            *_find_strategy_faults(strategy, shares),
            *_find_share_faults(content, shares),
            *find_cut_faults(content),
        ]
        if shares and not once and len(shares) == len(names):
            refused += _find_sum_faults(numbers)
        if shares and not once:
            refused += interleave.find_never_drawn(numbers, MEANINGS.get(strategy), setting)
        traps = [
            *find_name_traps(names, shares),
            *_find_strategy_traps(strategy, shares, names),
            *_find_traps(content, shares),
            *find_cut_traps(content),
            *_find_slow_loading(document),
        ]
        unit = COPIES.key if once else None
        stop = interleave.find_stop(MEANINGS.get(strategy), setting, "interleave_over")
        return Config(
            {0: numbers}, unit=unit, stop=stop, refused=tuple(refused), traps=tuple(traps)
        )

    def recognises(self, document: Document) -> bool:
        """Return whether there are names in ``dataset``, beside another key of LLaMA-Factory's."""
        content = document.mapping
        if is_dataflex(content) or is_swift(content) or not split_words(content.get("dataset")):
            return False
        own = {"dataset_dir", "finetuning_type", "interleave_probs", "mix_strategy"}
        # On a command line a --template beside --dataset may be that of ms-swift.
        if not document.has_commands:
            own.add("template")
        return bool(own & set(content))


def _check_strategy(mix_strategy: str | None) -> None:
    if mix_strategy in LOSES:
        raise ReweightvizError(
            f"mix_strategy={mix_strategy!r} loses the weights, it "
            f"{LOSES[mix_strategy]}: use {list_names(STRATEGIES)}."
        )
    if mix_strategy is not None and mix_strategy not in STRATEGIES:
        raise UnknownName(kind="mix_strategy", name=mix_strategy, known=STRATEGIES)


def _find_strategy_faults(strategy: str, shares: Sequence[str] | None) -> Iterator[str]:
    if strategy not in (*STRATEGIES, *LOSES):
        yield (
            f"LLaMA-Factory has no mix_strategy {strategy!r}; there is "
            f"{list_names([*STRATEGIES, *LOSES])}."
        )
    elif strategy == "concat" and shares:
        yield (
            "LLaMA-Factory takes interleave_probs only with an interleaving mix_strategy; here it "
            "is 'concat', the default."
        )


def _find_strategy_traps(
    strategy: str, shares: Sequence[str] | None, names: Sequence[str]
) -> Iterator[str]:
    if len(set(names)) == 1:
        return
    if strategy == "concat":
        yield f"mix_strategy 'concat', the default, {interleave.ONCE}"
    elif strategy in LOSES:
        yield (
            f"mix_strategy {strategy!r} {LOSES[strategy]}; llamafactory 0.9.5 with the datasets "
            "that it asks for, 4.0 or older, stops at it with a ValueError."
        )
    elif not shares:
        yield (
            "without interleave_probs the datasets take turns, so all of them have one share "
            "of the examples."
        )


def _find_share_faults(content: Mapping[str, Any], shares: Sequence[str] | None) -> Iterator[str]:
    given = content.get("interleave_probs")
    if content.get("train_type") == "dynamic_mix":
        yield (
            "train_type 'dynamic_mix' is DataFlex's, which does not draw by "
            "interleave_probs: use 'dataflex'."
        )
    if given is not None and shares is None:
        yield f'interleave_probs must be text such as "0.7,0.3", or a list; got {given!r}.'
    # LLaMA-Factory counts the probabilities against both lists.
    for key in ("dataset", "eval_dataset"):
        names = split_words(content.get(key))
        if shares and names and len(names) != len(shares):
            yield (
                f"interleave_probs has {len(shares)} probabilities for the "
                f"{len(names)} names of {key}."
            )


def _find_sum_faults(numbers: Numbers) -> Iterator[str]:
    total = math.fsum(numbers.values())
    # A single dataset is never drawn by its probability.
    single = len(numbers) == 1 and total > 0
    if not single and not abs(total - 1) <= interleave.ROUNDING:
        yield f"interleave_probs must be numbers >= 0 that sum to 1; got {list(numbers.values())}."


def _find_traps(content: Mapping[str, Any], shares: Sequence[str] | None) -> Iterator[str]:
    together = split_words(content.get("eval_dataset")) and not content.get("eval_on_each_dataset")
    if shares and len(shares) > 1 and together:
        yield "the datasets of eval_dataset are interleaved by interleave_probs too."
    concatenated = content.get("mix_strategy", "concat") == "concat"
    several = len(set(split_words(content.get("dataset")) or ())) > 1
    if concatenated and several and content.get("disable_shuffling"):
        yield (
            "disable_shuffling trains on one dataset after the other, as mix_strategy 'concat' "
            "puts them."
        )
    if content.get("tokenized_path"):
        yield (
            "where tokenized_path exists already, LLaMA-Factory trains on what lies there and "
            "ignores interleave_probs."
        )
    if content.get("streaming") and not content.get("dataloader_num_workers"):
        yield (
            "streaming from files needs dataloader_num_workers of 1 or more; with 0 there is no "
            "shard to read."
        )


def _find_slow_loading(document: Document) -> Iterator[str]:
    tokens = math.nan
    # A damaged provenance is reported elsewhere.
    with contextlib.suppress(ReweightvizError):
        tokens = to_number(document.record.get("tokens"))
    if tokens > MUCH and not document.mapping.get("streaming"):
        yield (
            f"for {tokens:.4g} tokens LLaMA-Factory loads and tokenises all documents "
            "before training begins: streaming: true does not, "
            "with max_steps and a dataloader_num_workers of 1 or more."
        )
