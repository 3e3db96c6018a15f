"""fms-hf-tuning: data configs through its own reader and processor; the online one through fms-acceleration's OnlineMixingDataset.

Run as a script: fms_load.py '<json: config, online, draws>'. The first word of a document is its domain.
"""

import collections
import json
import sys
import tempfile
from itertools import islice

from order import tenths


def processed(path: str):
    from tuning.data.data_config import load_and_validate_data_config
    from tuning.data.data_processors import get_datapreprocessor

    config = load_and_validate_data_config(path)
    processor = get_datapreprocessor(processor_config=config.dataprocessor, tokenizer=None)
    return config.dataprocessor, *processor.process_dataset_configs(config.datasets)


def online(path: str):
    """The dataset as ``setup_train_dataset_for_odm`` makes it, with a collator that keeps place and length of a document."""
    import torch
    from fms_acceleration_odm import OnlineMixingDataset
    from tuning.config.acceleration_configs.odm import ODM

    processor, train, evaluation, weights = processed(path)
    settings = ODM(**processor.odm)
    places = {name: place for place, name in enumerate(train)}

    def collate(rows):
        return {
            "input_ids": torch.tensor(
                [[places[row["text"].split()[0]]] * len(row["text"].split()) for row in rows]
            )
        }

    collators = dict.fromkeys(train, collate)
    data = OnlineMixingDataset(
        train,
        collators,
        evaluation,
        collators,
        weights,
        gamma=settings.gamma,
        eta=settings.eta,
        output_dir=tempfile.mkdtemp(),
        sampling_interval=settings.sampling_interval,
        reward_type=settings.reward_type,
    )
    names = list(places)
    documents = ((names[int(row["input_ids"][0])], len(row["input_ids"])) for row in data)
    return dict(zip(data.category_list, data.sampling_ratio, strict=True)), documents


def main(job: dict) -> None:
    import importlib.metadata

    _, train, _, _ = processed(job["config"])
    plain = ((row["text"].split()[0], len(row["text"].split())) for row in train)
    ratio, bandit = online(job["online"])
    found = {}
    for kind, documents in (("plain", plain), ("online", bandit)):
        tokens = collections.Counter()
        drawn = []
        for name, size in islice(documents, job["draws"]):
            drawn.append(name)
            tokens[name] += size
        found[kind] = {
            "documents": collections.Counter(drawn),
            "tokens": tokens,
            "order": tenths(drawn),
        }
    versions = {
        name: importlib.metadata.version(name) for name in ("fms-hf-tuning", "fms-acceleration-odm")
    }
    print(
        "RESULT",
        json.dumps({"versions": versions, "ratio": ratio, "categories": list(ratio)} | found),
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
