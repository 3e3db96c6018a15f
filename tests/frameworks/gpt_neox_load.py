"""Reads a GPT-NeoX config with the checkout's own NeoXArgs and draws from the training data that it builds. One JSON argument.

Stand-ins: deepspeed and what else is imported and not called, one GPU that is only counted, CPU tensors for the flags. The
checkout's helpers.cpp is compiled, into another folder.
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
    "deepspeed",
    "sentencepiece",
    "best_download",
    "einops",
    "wandb",
    "ftfy",
    "lm_dataformat",
    "zstandard",
    "tiktoken",
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
        module.__path__, module.__spec__, module.__name__ = [], spec, spec.name
        return module

    def exec_module(self, module):
        pass


def prepare(checkout: str) -> None:
    import packaging.version
    import torch

    sys.path.insert(0, checkout)
    sys.meta_path.insert(0, StandIns())
    sys.modules["pkg_resources"] = types.SimpleNamespace(packaging=packaging)
    runner = importlib.import_module("deepspeed.launcher.runner")
    runner.DLTS_HOSTFILE, runner.fetch_hostfile = "", lambda _: None
    runner.parse_inclusion_exclusion = lambda pool, *_: {
        host: list(range(count)) for host, count in pool.items()
    }
    torch.cuda.device_count = lambda: 1
    torch.cuda.LongTensor = torch.LongTensor


def compiled(checkout: str, folder: Path) -> None:
    """``megatron.data.helpers``, as the checkout's Makefile makes it but for the place."""
    import pybind11

    target = folder / f"helpers{sysconfig.get_config_var('EXT_SUFFIX')}"
    include = [f"-I{path}" for path in (pybind11.get_include(), sysconfig.get_path("include"))]
    subprocess.run(
        [
            "g++",
            "-O0",
            "-shared",
            "-std=c++11",
            "-fPIC",
            *include,
            f"{checkout}/megatron/data/helpers.cpp",
            "-o",
            target,
        ],
        check=True,
    )
    spec = importlib.util.spec_from_file_location("helpers", target)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    import megatron.data

    sys.modules["megatron.data.helpers"] = megatron.data.helpers = module


def write_dataset(prefix: str, token: int) -> None:
    """Documents of one length for each dataset, another for each."""
    import numpy as np
    from megatron.data.indexed_dataset import MMapIndexedDatasetBuilder

    builder = MMapIndexedDatasetBuilder(f"{prefix}.bin", dtype=np.uint16)
    for _ in range(3000 // token):
        builder.add_item(np.full(10 * token, token, np.uint16))
        builder.end_document()
    builder.finalize(f"{prefix}.idx")


def main(job: dict) -> None:
    prepare(job["checkout"])
    import torch
    from megatron import mpu
    from megatron.data.data_utils import build_train_valid_test_data_loaders
    from megatron.neox_arguments import NeoXArgs

    compiled(job["checkout"], Path(job["work"]))
    for token, prefix in enumerate(job["prefixes"], 1):
        write_dataset(prefix, token)
    torch.distributed.init_process_group(
        "gloo", store=torch.distributed.HashStore(), rank=0, world_size=1
    )
    mpu.initialize_model_parallel(1)
    own = {
        "pipe_parallel_size": 0,
        "seq_length": 32,
        "train_iters": job["draws"] // 4,
        "train_micro_batch_size_per_gpu": 4,
        "lr_decay_iters": job["draws"] // 4,
        "num_workers": 0,
        "data_impl": "mmap",
    }
    arguments = NeoXArgs.from_ymls(
        [f"{job['checkout']}/configs/125M.yml", job["config"]], overwrite_values=own
    )
    train = build_train_valid_test_data_loaders(arguments)["train"].dataset
    drawn = [int(train[place]["text"][0]) for place in range(job["draws"])]
    counts = collections.Counter(drawn)
    weights = dict(zip(arguments.train_data_paths, arguments.train_data_weights, strict=True))
    print(
        "RESULT",
        json.dumps(
            {"counts": counts, "weights": weights, "valid": arguments.valid_data_paths}
            | {"order": tenths(drawn)}
        ),
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
