"""Gives the blend of an exported module to megatron-core, as Megatron-Bridge does, and draws. Run with one JSON argument."""

import collections
import importlib.util
import json
import sys
import types

from order import tenths

LENGTH = 32


def write_dataset(prefix: str, token: int) -> None:
    import torch
    from megatron.core.datasets.indexed_dataset import DType, IndexedDatasetBuilder

    builder = IndexedDatasetBuilder(f"{prefix}.bin", dtype=DType.optimal_dtype(1000))
    for document in range(100):
        size = 10 * token + document % 40
        builder.add_document(torch.full((size,), token, dtype=torch.int64), [size])
    builder.finalize(f"{prefix}.idx")


def main(job: dict) -> None:
    import megatron.core
    from megatron.core.datasets.blended_megatron_dataset_builder import (
        BlendedMegatronDatasetBuilder,
    )
    from megatron.core.datasets.gpt_dataset import GPTDataset, GPTDatasetConfig

    for token, prefix in enumerate(job["prefixes"], 1):
        write_dataset(prefix, token)
    spec = importlib.util.spec_from_file_location("exported", job["config"])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    recipe = types.SimpleNamespace(
        dataset=types.SimpleNamespace(blend=None, blend_per_split=[None] * 3, split=None)
    )
    dataset = vars(module.apply(recipe).dataset) | {"split": "100,0,0"}
    tokenizer = types.SimpleNamespace(
        vocab_size=1000,
        eod=0,
        pad=999,
        unique_identifiers=collections.OrderedDict(tokenizer="tiny"),
    )
    config = GPTDatasetConfig(
        random_seed=1,
        sequence_length=LENGTH,
        path_to_cache=None,
        tokenizer=tokenizer,
        reset_position_ids=False,
        reset_attention_mask=False,
        eod_mask_loss=False,
        **dataset,
    )
    train = BlendedMegatronDatasetBuilder(
        GPTDataset, [job["draws"], 0, 0], lambda: True, config
    ).build()[0]
    drawn = [int(train[sample]["tokens"][0]) for sample in range(job["draws"])]
    counts = collections.Counter(drawn)
    print(
        "RESULT",
        json.dumps(
            {"version": megatron.core.__version__, "split": recipe.dataset.split, "counts": counts}
            | {"order": tenths(drawn)}
        ),
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
