"""Load mixture.yaml with Hugging Face datasets: `from load_mixture import load`."""

from pathlib import Path

import yaml
from datasets import interleave_datasets, load_dataset

HERE = Path(__file__).parent


def load(datasets=None, *, streaming=True, file=HERE / "mixture.yaml"):
    """One interleaved dataset. `datasets` maps names to datasets that are at hand already."""
    config = yaml.safe_load(Path(file).read_text("utf-8"))
    ready = datasets or {}
    parts = [ready[e["name"]] if e["name"] in ready else _open(e, streaming) for e in config["datasets"]]
    probabilities = [entry["probability"] for entry in config["datasets"]]
    return interleave_datasets(parts, probabilities=probabilities, seed=config["seed"],
                               stopping_strategy=config["stopping_strategy"])


def _open(entry, streaming):
    if "path" not in entry:
        raise ValueError(f"mixture.yaml has no path for {entry['name']!r}: call load({{name: dataset}}).")
    files = entry.get("data_files")
    return load_dataset(entry["path"], entry.get("config"), data_files=files, split=entry["split"], streaming=streaming)


if __name__ == "__main__":
    for row, example in zip(range(3), load()):
        print(row, example)
