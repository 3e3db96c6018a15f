"""Draws records from exported mixtures with MaxText's own ``get_datasets``; prints the draws as JSON. One JSON argument.

Real are grain_data_processing of the checkout, grain and array_record; stand-ins are MaxText's other modules, of which only the
log is called here, and ml_collections, which is imported only. ``files`` maps a path to [name, records].
"""

import collections
import importlib.util
import json
import sys
import types
from itertools import islice
from pathlib import Path
from unittest.mock import MagicMock

import yaml
from order import tenths

NAMES = (
    "data_processing_utils",
    "input_pipeline_utils",
    "grain_tokenizer",
    "dpo_utils",
    "multihost_dataloading",
)


def load_module(checkout: str):
    for name in ("maxtext", "maxtext.input_pipeline", "maxtext.utils"):
        sys.modules[name] = types.ModuleType(name)
    stand_ins = [f"input_pipeline.{name}" for name in NAMES]
    for name in (*stand_ins, "utils.gcs_utils", "utils.max_logging"):
        parent, _, child = f"maxtext.{name}".rpartition(".")
        sys.modules[f"maxtext.{name}"] = MagicMock()
        setattr(sys.modules[parent], child, sys.modules[f"maxtext.{name}"])
    sys.modules.setdefault("ml_collections", MagicMock())
    path = f"{checkout}/src/maxtext/input_pipeline/grain_data_processing.py"
    spec = importlib.util.spec_from_file_location("grain_data_processing", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_file(path: str, name: str, records: int) -> None:
    from array_record.python.array_record_module import ArrayRecordWriter

    writer = ArrayRecordWriter(path, "group_size:1")
    for _ in range(records):
        writer.write(name.encode())
    writer.close()


def draw(module, config: str, draws: int) -> dict:
    """Draw from the JSON of a mixture, or from the files of a YAML, with MaxText's defaults."""
    files, mixture = "", None
    if config.endswith(".json"):
        mixture = config
    else:
        files = yaml.safe_load(Path(config).read_text("utf-8"))["grain_train_files"]
    try:
        dataset = module.get_datasets(
            files,
            "arrayrecord",
            shuffle=True,
            shuffle_seed=1,
            shuffle_buffer_size=100,
            num_epoch=1,
            dataloading_host_index=0,
            dataloading_host_count=1,
            grain_worker_count=0,
            grain_num_threads=1,
            grain_prefetch_buffer_size=10,
            grain_data_source_max_workers=2,
            mixture_config_path=mixture,
        )
        drawn = [record.decode() for record in islice(dataset, draws)]
    except (ValueError, AssertionError) as error:
        return {"error": str(error)}
    return {"counts": collections.Counter(drawn), "order": tenths(drawn)}


def main(job: dict) -> None:
    module = load_module(job["checkout"])
    for path, (name, records) in job["files"].items():
        write_file(path, name, records)
    found = [draw(module, config, job["draws"]) for config in job["configs"]]
    print("RESULT", json.dumps(found))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
