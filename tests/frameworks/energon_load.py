"""Draws samples from a MetadatasetV2 with Megatron-Energon; prints how many came of each text. Run with one JSON argument."""

import collections
import importlib.metadata
import json
import sys
from pathlib import Path

from order import tenths


def write_dataset(folder: str, text: str) -> None:
    """A prepared WebDataset of 40 samples, all of one text."""
    import webdataset
    from megatron.energon.flavors import BaseWebdatasetFactory

    (Path(folder) / "parts").mkdir(parents=True)
    with webdataset.ShardWriter(f"{folder}/parts/data-%d.tar", maxcount=20, verbose=0) as shards:
        for key in range(40):
            shards.write({"__key__": f"{key:06d}", "txt": text.encode()})
    BaseWebdatasetFactory.prepare_dataset(
        folder, ["parts/data-{0..1}.tar"], split_parts_ratio=[("train", 1.0)], shuffle_seed=None
    )
    lines = [
        "sample_type:",
        "  __module__: megatron.energon",
        "  __class__: TextSample",
        "field_map:",
        "  text: txt",
    ]
    (Path(folder) / ".nv-meta" / "dataset.yaml").write_text("\n".join(lines))


def draw(config: str, draws: int) -> dict:
    """Draw samples, by the number of words of their text; the error where Energon refuses."""
    from megatron.energon import WorkerConfig, get_loader, get_train_dataset

    workers = WorkerConfig(rank=0, world_size=1, num_workers=0, seed_offset=1)
    try:
        dataset = get_train_dataset(
            config,
            worker_config=workers,
            batch_size=10,
            shuffle_buffer_size=None,
            max_samples_per_sequence=None,
        )
        batches = zip(range(draws // 10), get_loader(dataset), strict=False)
        drawn = [len(text.split()) for _, batch in batches for text in batch.text]
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {"counts": collections.Counter(drawn), "order": tenths(drawn)}


def main(job: dict) -> None:
    for folder, words in job["folders"].items():
        write_dataset(folder, "w " * words)
    found = [draw(config, job["draws"]) for config in job["configs"]]
    print(
        "RESULT",
        json.dumps({"version": importlib.metadata.version("megatron-energon"), "found": found}),
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
