"""Oumi: a training YAML through its own ``TrainingConfig`` and ``build_dataset_mixture``.

Run as a script: oumi_load.py '<json: config, draws>'. A document is a conversation whose last word is its domain.
"""

import collections
import importlib.metadata
import json
import sys
from itertools import islice


def main(job: dict) -> None:
    from oumi.builders.data import build_dataset_mixture
    from oumi.core.configs import DatasetSplit, TrainingConfig
    from oumi.core.datasets import BaseSftDataset
    from oumi.core.registry import register_dataset

    @register_dataset("words")
    class Words(BaseSftDataset):
        """JSON lines of text, as they are: no tokenizer is needed to count them."""

        default_dataset = "words"

        def transform_conversation(self, example):
            raise NotImplementedError

        def transform(self, sample):
            return {"text": sample["text"]}

    config = TrainingConfig.from_yaml(job["config"])
    try:
        data = build_dataset_mixture(config.data, None, DatasetSplit.TRAIN)
    except (ValueError, IndexError) as error:
        print("RESULT", json.dumps({"refused": str(error)}))
        return
    rows = [row["text"].split()[0] for row in islice(data, job["draws"])]
    from order import tenths

    result = {
        "version": importlib.metadata.version("oumi"),
        "documents": collections.Counter(rows),
        "order": tenths(rows),
    }
    print("RESULT", json.dumps(result))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
