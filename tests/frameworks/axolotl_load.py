"""Validates an Axolotl config and loads its datasets. Run with one JSON argument: config.

The schema is Axolotl's own, and so is its loading and merging of datasets; the packages above that (``axolotl.utils.data``
imports models and trainers) are not run. Stand-in: addict.Dict, a dictionary whose keys are attributes. A document is
its domain's name, as often as it has tokens.
"""

import importlib.util
import json
import sys
import types
from collections import Counter
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

import yaml
from order import tenths


class Dict(dict):
    """What Axolotl asks of addict.Dict."""

    def __getattr__(self, name: str):
        return self[name]


def main(job: dict) -> None:
    sys.modules["addict"] = types.ModuleType("addict")
    sys.modules["addict"].Dict = Dict
    root = importlib.util.find_spec("axolotl").submodule_search_locations[0]
    for name in ("axolotl", "axolotl.utils", "axolotl.utils.data"):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = [str(Path(root, *name.split(".")[1:]))]
    from axolotl.utils.data.shared import (
        datasets_with_name_generator,
        load_dataset_with_config,
        merge_datasets,
    )
    from axolotl.utils.dict import DictDefault
    from axolotl.utils.schemas.config import AxolotlInputConfig

    content = yaml.safe_load(Path(job["config"]).read_text("utf-8"))
    needed = {
        "base_model": "none",
        "micro_batch_size": 1,
        "gradient_accumulation_steps": 1,
        "num_epochs": 1,
        "learning_rate": 1e-4,
    }
    config = AxolotlInputConfig(**(needed | content)).model_dump(exclude_none=True)
    entries = [DictDefault(entry) for entry in config["datasets"]]
    parts = [
        load_dataset_with_config(entry, use_auth_token=False)
        for entry in datasets_with_name_generator(entries)
    ]
    merged = merge_datasets(parts, DictDefault(config | {"seed": 1}))
    texts = [text.split() for text in merged["text"]]
    print(
        "RESULT",
        json.dumps(
            {
                "version": version("axolotl"),
                "parts": [len(part) for part in parts],
                "examples": Counter(text[0] for text in texts),
                "tokens": Counter(word for text in texts for word in text),
                "order": tenths(text[0] for text in texts),
                "changes": sum(one[0] != other[0] for one, other in pairwise(texts)),
            }
        ),
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
