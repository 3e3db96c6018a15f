"""LLaMA-Factory: ``dataset``, ``mix_strategy`` and ``interleave_probs`` of a training YAML, with ``dataset_info.json``.

The datasets are interleaved before they are tokenised and packed, so a probability is a share of
documents: p_i is proportional to w_i / (mean tokens per document of i). The YAML of a new folder
holds the data only; ``merge=True`` puts the mixture into a training YAML that is there. Checked
with llamafactory 0.9.5.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from reweightviz.core.errors import (
    RefusedByFramework,
    ReweightvizError,
    UnknownName,
    UnreadableFile,
    WrongContent,
    listed,
)
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks._hub import find_builder
from reweightviz.exporters.plan import Config, Entry, Numbers, Plan, to_number
from reweightviz.exporters.text import yaml_edit
from reweightviz.exporters.text.encoding import check_utf8, to_json
from reweightviz.exporters.units import EXAMPLES, TOKENS

STRATEGIES = ("interleave_over", "interleave_under")
LOSES = {
    "interleave_once": "ends at the sizes of the datasets, whatever interleave_probs says",
    "concat": "puts the datasets one after another, at their sizes",
}
INFO = "dataset_info.json"
ENDINGS = (".arrow", ".csv", ".json", ".jsonl", ".parquet", ".txt")
MUCH = 5e10
"""Tokens of a run for which loading everything before it begins takes long."""
ROUNDING = 2**-26
"""How far from 1 numpy lets probabilities sum."""
DATAFLEX = {"init_mixture_proportions", "mixture_sample_rule", "train_type"}


class LlamaFactory(Exporter):
    """LLaMA-Factory: `interleave_probs` of the training YAML, with the datasets in `dataset_info.json`."""

    name = "llama-factory"
    aliases = ("llamafactory", "llama factory")
    title = "LLaMA-Factory"
    units = (EXAMPLES, TOKENS)
    main_file = "mixture.yaml"
    exact = True
    merges = True
    name_pattern = r"(?!.*\.\.)\w[\w./+-]*( [\w./+-]+)*"
    traps = (
        "interleave_under ends with the first dataset that is used up; interleave_over "
        "repeats it and says nothing.",
    )

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
        """The YAML and ``dataset_info.json``; a dataset that stands there already keeps its entry.

        Args:
            plan: what to write; a path "owner/name" without an ending is taken for a dataset on
                the hub, "folder/" for a folder.
            old: a training YAML to merge into.
            mix_strategy: "interleave_under" ends with the first dataset that is used up,
                "interleave_over" repeats it until all were; without it what the YAML says, else
                the first, or the second where the budget asks for more than one epoch.
            streaming: stream the datasets; sets ``dataloader_num_workers`` to 1 where it is 0,
                which leaves a file without a shard.
            dataset_dir: where ``dataset_info.json`` will lie, seen from where training starts; "."
                is a start in the folder itself.
            column: the column of a new dataset that holds the text.
        """
        before = {} if old is None else old.mapping
        strategy = mix_strategy or before.get("mix_strategy")
        if mix_strategy in LOSES:
            raise ReweightvizError(
                f"mix_strategy={mix_strategy!r} loses the weights, it "
                f"{LOSES[mix_strategy]}: use {listed(STRATEGIES)}."
            )
        if strategy not in STRATEGIES:
            if mix_strategy is not None:
                raise UnknownName(kind="mix_strategy", name=mix_strategy, known=STRATEGIES)
            strategy = STRATEGIES[0 if plan.has_repeats else 1]
        names = ordered(plan, before)
        values: dict[str, Any] = {"dataset": alike(names, before.get("dataset"))}
        if old is None or dataset_dir is not None:
            values["dataset_dir"] = dataset_dir or "."
        values |= {
            "mix_strategy": strategy,
            "interleave_probs": alike(
                [plan.numbers[name] for name in names], before.get("interleave_probs")
            ),
        }
        if old is None or streaming is not None:
            values["streaming"] = bool(streaming)
        if streaming and not before.get("dataloader_num_workers"):
            values["dataloader_num_workers"] = 1
        folder = dataset_dir or before.get("dataset_dir")
        return {
            self.main_file: self.render_yaml(
                plan, old, lambda root: yaml_edit.put_all(root, values)
            )
        } | registry(plan, old, folder, column)

    def parse(self, document: Document) -> Config:
        """``interleave_probs`` as ``DataArguments`` and ``merge_dataset`` take them."""
        content = document.mapping
        names = named(document, self.title)
        given = content.get("interleave_probs")
        shares = words(given)
        strategy = str(content.get("mix_strategy", "concat"))
        mixes = strategy != "concat" or len(names) == 1
        values = (
            [to_number(share) for share in shares]
            if shares
            else [1 / len(names) if mixes else math.nan] * len(names)
        )
        numbers = dict.fromkeys(names, math.nan) | dict(zip(names, values, strict=False))
        refused = [*absent(document, names), *_strategy_faults(strategy, shares, names)]
        if content.get("train_type") == "dynamic_mix":
            refused.append(
                "train_type 'dynamic_mix' is DataFlex's, which does not draw by "
                "interleave_probs: use 'dataflex'."
            )
        if given is not None and shares is None:
            refused.append(
                f'interleave_probs must be text such as "0.7,0.3", or a list; got {given!r}.'
            )
        for key in ("dataset", "eval_dataset"):
            there = words(content.get(key))
            if shares and there and len(there) != len(shares):
                refused.append(
                    f"interleave_probs has {len(shares)} probabilities for the "
                    f"{len(there)} names of {key}."
                )
        if shares:
            refused += _faults(numbers)
        traps = (*_surprises(content, shares, mixes and len(names) > 1), *_slow(document))
        return Config({0: numbers}, refused=tuple(refused), traps=traps)

    def recognises(self, document: Document) -> bool:
        """``dataset`` as names, beside another key of LLaMA-Factory's."""
        content = document.mapping
        known = {"dataset_dir", "finetuning_type", "interleave_probs", "mix_strategy", "template"}
        return bool(words(content.get("dataset")) and known & set(content)) and not DATAFLEX & set(
            content
        )


def words(value: Any) -> list[str] | None:
    """The items of a comma list or of a list of plain values, as LLaMA-Factory splits them; None for anything else.

    >>> words("web, code"), words([0.7, 0.3]), words(0.5)
    (['web', 'code'], ['0.7', '0.3'], None)
    """
    if isinstance(value, str):
        return [item.strip() for item in value.split(",")]
    flat = (
        isinstance(value, list)
        and value
        and all(isinstance(item, str | int | float) for item in value)
    )
    return [str(item) for item in value] if flat else None


def alike(items: Sequence[Any], before: Any) -> Any:
    """The items in the form that stands there, which stays where it says the same: a list, else a comma list."""
    if words(before) == [str(item) for item in items]:
        return before
    return list(items) if isinstance(before, list) else ",".join(map(str, items))


def ordered(plan: Plan, before: Mapping[str, Any]) -> list[str]:
    """The names of the plan, first those that ``dataset`` has already, in its order."""
    there = words(before.get("dataset")) or ()
    return list(dict.fromkeys([*(name for name in there if name in plan.numbers), *plan.numbers]))


def named(document: Document, title: str) -> list[str]:
    """The names in ``dataset``; one sentence where there are none."""
    names = words(document.mapping.get("dataset"))
    if not names:
        raise WrongContent(
            path=document.path,
            reason=f"is no config of {title}: it needs 'dataset', the names of datasets",
        )
    return names


def absent(document: Document, names: Sequence[str]) -> list[str]:
    """What LLaMA-Factory would refuse of the names themselves."""
    info = _info(document)
    unknown = [name for name in names if info is not None and name not in info]
    twice = sorted({name for name in names if names.count(name) > 1})
    return ([f"each dataset may stand once; {listed(twice)} came again."] if twice else []) + (
        [
            f"{INFO} has no entry for {listed(unknown)}: add it there, or merge into the "
            "folder instead of the file."
        ]
        if unknown
        else []
    )


def registry(plan: Plan, old: Document | None, folder: object, column: str) -> dict[str, str]:
    """``dataset_info.json`` with an entry for each name: a new one, or the one beside ``old``, where it lacks any."""
    if _elsewhere(str(folder)):
        return {}
    try:
        text = "{}" if old is None else old.sibling(INFO).text
        there = json.loads(text)
    except ValueError:
        return {}
    if not isinstance(there, dict):
        raise WrongContent(
            path=INFO,
            reason="must map the names of datasets to what they are; here it holds a "
            f"{type(there).__name__}",
        )
    entries = {
        name: _entry(name, entry, column)
        for name, entry in plan.entries.items()
        if name not in there
    }
    return {INFO: _extended(text, entries)} if entries else {}


def _extended(text: str, entries: Mapping[str, Any]) -> str:
    """The text of a JSON object with entries at its end, the rest of it as it was."""
    whole = json.loads(text) | dict(entries)
    body = text.rstrip().removesuffix("}").rstrip()
    new = to_json(entries).removeprefix("{\n")
    longer = body + ("\n" if body.endswith("{") else ",\n") + new
    return longer if json.loads(longer) == whole else to_json(whole)


def _entry(name: str, entry: Entry, column: str) -> dict[str, Any]:
    domain, _, paths = entry
    if len(paths) > 1:
        raise RefusedByFramework(
            framework="LLaMA-Factory",
            reason=f"reads one file or folder for a dataset; sources= has {len(paths)} "
            f"paths for {listed([domain])}: put the files into one folder, and give "
            "that",
        )
    path = paths[0] if paths else f"{name}.jsonl"
    check_utf8(path)
    ending = PurePosixPath(path).suffix
    hub = re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", path) and find_builder(path) is None
    if ending and ending not in ENDINGS and not hub and not path.endswith("/"):
        raise RefusedByFramework(
            framework="LLaMA-Factory",
            reason=f"reads files that end in {listed(ENDINGS)}; got {path!r} for "
            f"{listed([domain])}",
        )
    return {"hf_hub_url" if hub else "file_name": path, "columns": {"prompt": column}}


def _info(document: Document) -> Mapping[str, Any] | None:
    folder = str(document.mapping.get("dataset_dir", "data"))
    for name in () if _elsewhere(folder) else (str(PurePosixPath(folder) / INFO), INFO):
        try:
            text = document.sibling(name).text
        except UnreadableFile:
            continue
        try:
            found = json.loads(text)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}
    return None


def _elsewhere(folder: str) -> bool:
    return folder == "ONLINE" or folder.startswith("REMOTE:")


def _strategy_faults(
    strategy: str, shares: Sequence[str] | None, names: Sequence[str]
) -> Iterable[str]:
    if strategy not in (*STRATEGIES, *LOSES):
        yield f"LLaMA-Factory has no mix_strategy {strategy!r}; there is {listed([*STRATEGIES, *LOSES])}."
    elif strategy == "concat" and shares:
        yield "LLaMA-Factory takes interleave_probs only with an interleaving mix_strategy; here it is 'concat', the default."
    elif strategy in LOSES and len(names) > 1:
        yield f"mix_strategy {strategy!r} {LOSES[strategy]}, so this config asks for no mixture: use {listed(STRATEGIES)}."


def _faults(numbers: Numbers) -> list[str]:
    total = math.fsum(numbers.values())
    if abs(total - 1) <= ROUNDING or (len(numbers) == 1 and total > 0):
        return []
    return [f"interleave_probs must be numbers >= 0 that sum to 1; got {list(numbers.values())}."]


def _slow(document: Document) -> Iterable[str]:
    tokens = math.nan
    with contextlib.suppress(ReweightvizError):
        tokens = to_number(document.record.get("tokens"))
    if tokens > MUCH and not document.mapping.get("streaming"):
        yield (
            f"for {tokens:.4g} tokens LLaMA-Factory loads and tokenises all documents "
            "before training begins: streaming: true does not, "
            "with max_steps and a dataloader_num_workers of 1 or more."
        )


def _surprises(
    content: Mapping[str, Any], shares: Sequence[str] | None, several: bool
) -> Iterable[str]:
    if several and not shares:
        yield "without interleave_probs the datasets take turns, so all of them have one share of the examples."
    if (
        shares
        and len(shares) > 1
        and words(content.get("eval_dataset"))
        and not content.get("eval_on_each_dataset")
    ):
        yield "the datasets of eval_dataset are interleaved by interleave_probs too."
    if content.get("tokenized_path"):
        yield "where tokenized_path exists already, LLaMA-Factory trains on what lies there and ignores interleave_probs."
    if content.get("streaming") and not content.get("dataloader_num_workers"):
        yield "streaming from files needs dataloader_num_workers of 1 or more; with 0 there is no shard to read."
