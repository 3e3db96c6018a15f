"""Builds tiny indexed datasets and the blends that name them with megatron-core; prints the draws as JSON.

Run as a script with one JSON argument.
"""

import argparse
import collections
import json
import shlex
import sys
from pathlib import Path

import megatron.core
import torch
from megatron.core.datasets.blended_megatron_dataset_builder import BlendedMegatronDatasetBuilder
from megatron.core.datasets.gpt_dataset import GPTDataset, GPTDatasetConfig
from megatron.core.datasets.indexed_dataset import DType, IndexedDatasetBuilder
from megatron.core.datasets.utils import compile_helpers, get_blend_from_list
from order import tenths

LENGTH = 32


class Tokenizer:
    """The least that a GPTDataset asks for."""

    vocab_size, eod, pad = 1000, 0, 999
    unique_identifiers = collections.OrderedDict(tokenizer="tiny")


def write_dataset(prefix: str, token: int) -> None:
    builder = IndexedDatasetBuilder(prefix + ".bin", dtype=DType.optimal_dtype(1000))
    for document in range(100):
        size = 20 + document % 40
        builder.add_document(torch.full((size,), token, dtype=torch.int64), [size])
    builder.finalize(prefix + ".idx")


def draw(blend, draws: int, **split) -> tuple[list[int], list[dict]]:
    """How often each token, one a dataset, came first in ``draws`` samples, and in each tenth."""
    config = GPTDatasetConfig(
        random_seed=1,
        sequence_length=LENGTH,
        path_to_cache=None,
        tokenizer=Tokenizer(),
        reset_position_ids=False,
        reset_attention_mask=False,
        eod_mask_loss=False,
        create_attention_mask=False,
        **blend,
        **split,
    )
    sizes = [draws, 0 if split else None, 0 if split else None]
    data = BlendedMegatronDatasetBuilder(GPTDataset, sizes, lambda: True, config).build()[0]
    drawn = [int(data[sample]["tokens"][0]) for sample in range(min(draws, len(data)))]
    counts = collections.Counter(drawn)
    return [counts[token + 1] for token in range(max(counts))], tenths(drawn)


def main(
    prefixes: list[str], draws: int, text: str, per_split: str, arguments: str, phase: str
) -> None:
    try:
        from megatron.core.datasets import helpers_cpp  # noqa: F401
    except ImportError:
        compile_helpers()
    for token, prefix in enumerate(prefixes, 1):
        write_dataset(prefix, token)
    # The same lines as in megatron.training.utils.get_blend_and_blend_per_split.
    splits = json.loads(Path(per_split).read_text("utf-8"))
    blends = [get_blend_from_list(splits[name]) for name in ("train", "valid", "test")]
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-path", nargs="*")
    words = parser.parse_args(shlex.split(Path(arguments).read_text("utf-8"))).data_path
    plain = [word for word in words if word in prefixes]
    found = {
        "text": draw(
            {"blend": get_blend_from_list(Path(text).read_text("utf-8").split())},
            draws,
            split="100,0,0",
        ),
        "per_split": draw({"blend_per_split": blends}, draws),
        "arguments": draw({"blend": get_blend_from_list(words)}, draws, split="100,0,0"),
        "phase": draw(
            {"blend": get_blend_from_list(Path(phase).read_text("utf-8").split())},
            draws,
            split="100,0,0",
        ),
    }
    # What no export writes: no weights, and a prefix at two places.
    twice = ["0.5", prefixes[0], "0.2", prefixes[0], "0.3", prefixes[1]]
    others = {
        "unweighted": draw({"blend": get_blend_from_list(plain)}, draws, split="100,0,0"),
        "twice": draw({"blend": get_blend_from_list(twice)}, draws, split="100,0,0"),
    }
    counts = {name: totals for name, (totals, _) in (found | others).items()}
    order = {name: parts for name, (_, parts) in (found | others).items()}
    result = {"version": megatron.core.__version__, "counts": counts, "order": order}
    print("RESULT", json.dumps(result))


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
