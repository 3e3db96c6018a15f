"""Loads the datasets of an open-instruct config with its own ``load_dataset_configs``, from its source.

Run as a script: open_instruct_load.py '<json: source, config, key>'. The module imports vLLM's and DeepSpeed's
neighbours, so only the class and the function that take the amounts are run, as they stand there.
"""

import ast
import json
import logging
import os
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from datasets import Dataset, load_dataset

WANTED = {"DatasetConfig", "load_dataset_configs"}


def main(job: dict) -> None:
    path = Path(job["source"], "open_instruct", "dataset_transformation.py")
    nodes = [
        node
        for node in ast.parse(path.read_text("utf-8")).body
        if getattr(node, "name", "") in WANTED
    ]
    names = {
        "Any": Any,
        "Dataset": Dataset,
        "dataclass": dataclass,
        "field": field,
        "load_dataset": load_dataset,
        "logger": logging.getLogger(),
        "max_num_processes": lambda: 1,
        "np": np,
        "os": os,
        "__name__": __name__,
    }
    exec(compile(ast.Module(nodes, []), str(path), "exec"), names)  # noqa: S102
    content = yaml.safe_load(Path(job["config"]).read_text("utf-8"))
    key = job["key"]
    found = names["load_dataset_configs"](content[key], content[f"{key}_splits"], [], [])
    rows = Counter()
    for one in found:
        rows[Path(one.dataset_name).stem] += len(one.dataset)
    print("RESULT", json.dumps({"rows": rows}))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
