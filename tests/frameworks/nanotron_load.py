"""Reads a Nanotron config with the checkout's own code and draws from the data of each stage. One JSON argument.

Stand-ins: what is imported and not called here (flash_attn, datatrove's folder class, boto3), and an object with the few
attributes of a trainer, whose method tells the stage of each step. The checkout's helpers.cpp is compiled, into another folder.
"""

import collections
import importlib.abc
import importlib.machinery
import importlib.util
import json
import subprocess
import sys
import sysconfig
import types
from pathlib import Path
from unittest.mock import MagicMock

from order import tenths

ABSENT = (
    "flash_attn",
    "grouped_gemm",
    "functorch",
    "apex",
    "triton",
    "s3fs",
    "wandb",
    "boto3",
    "botocore",
    "ring_flash_attn",
    "datatrove",
    "lighteval",
    "einops",
)


class StandIns(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Empty modules for what the checkout imports and never calls here."""

    def find_spec(self, name, *_):
        return (
            importlib.machinery.ModuleSpec(name, self, is_package=True)
            if name.split(".")[0] in ABSENT
            else None
        )

    def create_module(self, spec):
        module = MagicMock(name=spec.name)
        module.__path__, module.__spec__, module.__name__, module.__version__ = (
            [],
            spec,
            spec.name,
            "9.9",
        )
        return module

    def exec_module(self, module):
        pass


def compiled(checkout: str, folder: Path) -> None:
    """``nanotron.data.nemo_dataset.helpers``, as the checkout's Makefile makes it but for the place."""
    import nanotron.data.nemo_dataset as package
    import nanotron.data.tokenized_bytes
    import pybind11

    target = folder / f"helpers{sysconfig.get_config_var('EXT_SUFFIX')}"
    include = [f"-I{path}" for path in (pybind11.get_include(), sysconfig.get_path("include"))]
    source = f"{checkout}/src/nanotron/data/nemo_dataset/helpers.cpp"
    subprocess.run(
        ["g++", "-O0", "-shared", "-std=c++11", "-fPIC", *include, source, "-o", target], check=True
    )
    spec = importlib.util.spec_from_file_location("helpers", target)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules[f"{package.__name__}.helpers"] = package.helpers = module
    nanotron.data.tokenized_bytes.compile_helper = lambda: None


def write_folder(folder: str, token: int, length: int) -> None:
    import numpy as np

    Path(folder).mkdir(parents=True, exist_ok=True)
    np.full(300 * token * (length + 1), token, np.uint16).tofile(f"{folder}/00000_tokens.ds")


def stages_of(config, steps: list[int]) -> list[str]:
    """The name of the stage that the trainer's own method takes at each step; steps are counted from 1."""
    import nanotron.trainer

    nanotron.trainer.sanity_check_dataloader = lambda dataloader, **_: dataloader
    trainer = types.SimpleNamespace(
        config=config,
        current_dataloader=None,
        current_base_dl=None,
        parallel_context=None,
        iteration_step=0,
        metadata=MagicMock(last_stage_idx=0, last_train_step=0),
    )
    nanotron.trainer.compute_remain_train_steps_of_a_data_stage_from_ckp = lambda *_: 0
    nanotron.trainer.get_consumed_train_samples_of_a_data_stage_from_ckp = lambda *_: (0, {})
    update = nanotron.trainer.DistributedTrainer._update_dataloader_based_on_training_stages
    found = []
    for step in range(1, max(steps) + 1):
        trainer.iteration_step = step
        update(trainer, {stage.name: stage.name for stage in config.data_stages})
        if step in steps:
            found.append(trainer.current_dataloader)
    return found


def main(job: dict) -> None:
    import torch

    sys.path.insert(0, job["checkout"] + "/src")
    sys.meta_path.insert(0, StandIns())
    sys.modules["datatrove"] = importlib.import_module("datatrove.utils.dataset")
    sys.modules["datatrove.utils.dataset"].DatatroveFolderDataset = type(
        "DatatroveFolderDataset", (), {}
    )
    from nanotron.config import get_config_from_file

    refused = {}
    for name, path in job["refused"].items():
        try:
            get_config_from_file(path)
        except Exception as error:
            refused[name] = f"{type(error).__name__}: {error}"
    torch.distributed.init_process_group(
        "gloo", store=torch.distributed.HashStore(), rank=0, world_size=1
    )
    config = get_config_from_file(job["config"])
    compiled(job["checkout"], Path(job["work"]))
    for token, folder in enumerate(job["folders"], 1):
        write_folder(folder, token, config.tokens.sequence_length)
    from nanotron.data.tokenized_bytes import get_tb_datasets

    context = types.SimpleNamespace(world_pg=torch.distributed.group.WORLD)
    counts = {}
    for stage in config.data_stages:
        dataset, _ = get_tb_datasets(
            stage.data.dataset,
            sequence_length=config.tokens.sequence_length,
            global_batch_size=config.global_batch_size,
            train_steps=config.tokens.train_steps,
            current_iteration=0,
            parallel_context=context,
            eos_token_id=0,
            seed=stage.data.seed,
            last_stages_consumed_tokens_per_dataset_folder={},
        )
        drawn = [int(dataset[place]["input_ids"][0]) for place in range(len(dataset))]
        tokens = collections.Counter(drawn)
        counts[stage.name] = {
            "start": stage.start_training_step,
            "seed": stage.data.seed,
            "counts": tokens,
            "order": tenths(drawn),
        }
    print(
        "RESULT",
        json.dumps({"stages": counts, "at": stages_of(config, job["steps"]), "refused": refused}),
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
