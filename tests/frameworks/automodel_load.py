"""Builds the training data of exported YAMLs with NeMo Automodel's own MegatronPretraining; prints the draws as JSON.

Run as a script with one JSON argument: prefixes, configs, draws. Real are the dataset builder, its compiled helpers and
DomainMixtureConfig, which gets the blend as the recipe hands it over; stand-ins are the tokenizer and the package of the
datasets, whose ``__init__`` imports what images need.
"""

import collections
import importlib.util
import json
import os
import sys
import sysconfig
import types
from pathlib import Path

import torch
import yaml
from order import tenths

# ninja lies beside the interpreter of the environment.
os.environ["PATH"] = f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}"


class Tokenizer:
    """The least that a GPTDataset asks for."""

    vocab_size, eod, pad, eos_token_id, pad_token_id = 1000, 0, 999, 0, 999
    name_or_path = "tiny"
    unique_identifiers = collections.OrderedDict(tokenizer="tiny")


def stand_in_packages() -> None:
    root = Path(importlib.util.find_spec("nemo_automodel").submodule_search_locations[0])
    for name in ("components.datasets", "components.datasets.llm"):
        module = types.ModuleType(f"nemo_automodel.{name}")
        module.__path__ = [str(root.joinpath(*name.split(".")))]
        sys.modules[module.__name__] = module


def write_dataset(prefix: str, token: int) -> None:
    from nemo_automodel.components.datasets.llm.megatron.indexed_dataset import (
        IndexedDatasetBuilder,
    )

    builder = IndexedDatasetBuilder(f"{prefix}.bin")
    for _ in range(300):
        builder.add_item(torch.full((40,), token, dtype=torch.int64))
        builder.end_document()
    builder.finalize(f"{prefix}.idx")


def check_domains(settings: dict, paths: object) -> None:
    """What the recipe does with ``domain_mixture``."""
    from nemo_automodel.components.datasets.llm.megatron.megatron_utils import get_blend_from_list
    from nemo_automodel.components.training.domain_mixture import (
        DomainMixtureConfig,
        DomainWeightConfig,
    )

    domains = tuple(DomainWeightConfig(**one) for one in settings["domains"])
    train = paths["train"] if isinstance(paths, dict) else paths
    blend = get_blend_from_list(list(train))
    if blend[1] is None:
        raise ValueError("domain_mixture requires explicit sampling weights in dataset.paths")
    DomainMixtureConfig(domains).build(blend=blend)


def draw(config: str, draws: int) -> dict:
    from nemo_automodel.components.datasets.llm.megatron_dataset import MegatronPretraining

    content = yaml.safe_load(Path(config).read_text("utf-8"))
    settings = content["dataset"]
    try:
        if "domain_mixture" in content:
            check_domains(content["domain_mixture"], settings["paths"])
        whole = MegatronPretraining(
            paths=settings["paths"],
            seq_length=32,
            tokenizer=Tokenizer(),
            split="1,0,0",
            splits_to_build="train",
            num_train_samples=draws,
            trainer_limit_val_batches=1,
        )
        whole.build()
        data = whole.get_dataset("train")
        drawn = [int(data[place]["input_ids"][0]) for place in range(min(draws, len(data)))]
    except (AssertionError, ValueError) as error:
        return {"error": repr(error)}
    return {"counts": collections.Counter(map(str, drawn)), "order": tenths(drawn)}


def main(job: dict) -> None:
    stand_in_packages()
    for token, prefix in enumerate(job["prefixes"], 1):
        write_dataset(prefix, token)
    found = [draw(config, job["draws"]) for config in job["configs"]]
    print("RESULT", json.dumps(found))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
