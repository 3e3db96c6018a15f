"""Trains on nothing with LLM-Foundry's loader and its curriculum callback, and counts what comes; prints the counts as JSON.

Run as a script: llm_foundry_load.py '<json: foundry, composer, folders, configs>'; ``folders`` maps a path to [token, samples].
Real are build_dataloader, build_text_dataloader, StreamingTextDataset, CurriculumLearning (llm-foundry), Time (composer), streaming
and OmegaConf; stand-ins are composer's trainer, State and DataSpec, llm-foundry's registry, its collator and the tokenizer.
"""

import collections
import copy
import json
import sys
import types
from dataclasses import dataclass
from typing import Any

from order import tenths


def package(name: str, path: str = "", **names) -> None:
    """A module of that name; with a path, its real submodules are found there."""
    module = sys.modules.setdefault(name, types.ModuleType(name))
    module.__dict__.update(names, **({"__path__": [path]} if path else {}))
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)


@dataclass
class DataSpec:
    """What composer hands a loader on in."""

    dataloader: Any


class Anything:
    """A name that is imported, and never used."""


class State:
    """As much of composer's as the callback asks for."""

    def __init__(self, max_duration, loader) -> None:
        self.max_duration, self.train_dataloader, self.dataloader = max_duration, loader, loader
        self._iteration_length = None

    def set_dataloader(self, *, dataloader, **_) -> None:
        self.dataloader = dataloader


def imports(foundry: str, composer: str) -> None:
    package("composer", composer, DataSpec=DataSpec)
    package("composer.core", f"{composer}/core", State=State)
    package("composer.core.data_spec", DataSpec=DataSpec)
    package("composer.loggers", Logger=Anything)
    package("composer.utils", f"{composer}/utils")
    from composer.utils.string_enum import StringEnum

    package("composer.utils", StringEnum=StringEnum)
    from composer.core.time import Time, TimeUnit, ensure_time

    package("composer.core", Time=Time, TimeUnit=TimeUnit, ensure_time=ensure_time)
    package("llmfoundry", foundry)
    for name in ("data", "utils", "callbacks"):
        package(f"llmfoundry.{name}", f"{foundry}/{name}")
    package("llmfoundry.interfaces", CallbackWithConfig=object)
    names = ("dataloaders", "dataset_replication_validators", "collators", "data_specs")
    package("llmfoundry.registry", **{name: name for name in names})
    package("llmfoundry.utils.registry_utils", construct_from_registry=construct)


def construct(name: str, *, registry: str, kwargs: dict, **_) -> Any:
    """What the registry of a fresh llm-foundry would make, as far as a text loader goes."""
    import torch
    from llmfoundry.data.text_data import build_text_dataloader

    if registry == "dataloaders":
        return build_text_dataloader(**kwargs)
    if registry == "dataset_replication_validators":
        return 1, kwargs["device_batch_size"]
    return (
        (torch.stack, kwargs["dataset_batch_size"])
        if registry == "collators"
        else DataSpec(kwargs["dl"])
    )


def write_folder(path: str, token: int, samples: int, length: int) -> None:
    import numpy as np
    from streaming import MDSWriter

    with MDSWriter(out=path, columns={"tokens": "ndarray:int32"}) as writer:
        for _ in range(samples):
            writer.write({"tokens": np.full(length, token, np.int32)})


def train(file: str) -> dict:
    """Counts of each iteration, as composer's Trainer goes through them."""
    from composer.core.time import Time
    from llmfoundry.callbacks.curriculum_learning_callback import CurriculumLearning
    from llmfoundry.data.dataloader import build_dataloader
    from omegaconf import OmegaConf
    from streaming.base.util import clean_stale_shared_memory

    clean_stale_shared_memory()
    config = OmegaConf.to_container(OmegaConf.load(file), resolve=True)
    size = config["global_train_batch_size"]
    state = State(
        Time.from_timestring(config["max_duration"]),
        build_dataloader(copy.deepcopy(config["train_loader"]), "", size).dataloader,
    )
    given = config.get("callbacks", {}).get("curriculum_learning")
    callback = given and CurriculumLearning(config | {"device_train_batch_size": size}, **given)
    if callback:
        callback._tokenizer = ""
        try:
            callback.before_load(state, None)
        except ValueError as error:
            return {"error": str(error)}
    tokens, steps, counts, order = 0, [], [], []
    while tokens < (state.max_duration.value if callback else 1):
        if callback:
            callback.iteration_start(state, None)
        drawn, step, here = [], 0, 0
        for batch in state.dataloader:
            drawn += [str(int(row[0])) for row in batch]
            step, here = step + 1, here + batch.numel()
            if callback and here >= state._iteration_length.value:
                callback.iteration_end(state, None)
                break
        tokens += here
        steps.append(step)
        counts.append(collections.Counter(drawn))
        order.append(tenths(drawn))
    return {"steps": steps, "counts": counts, "order": order}


def main(job: dict) -> None:
    imports(f"{job['foundry']}/llmfoundry", f"{job['composer']}/composer")
    for path, (token, samples) in job["folders"].items():
        write_folder(path, token, samples, job["length"])
    print("RESULT", json.dumps([train(file) for file in job["configs"]]))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
