"""Oumi: a training YAML through its own ``TrainingConfig`` and ``build_dataset_mixture``.

Run as a script: oumi_load.py '<json: config, draws>'. The first word of a document is its domain. Stand-ins: what
logs a run, which Oumi imports with everything else and a data loader never calls.
"""

import collections
import importlib.machinery
import importlib.metadata
import json
import sys
import types
from itertools import islice

from order import tenths

LOGGERS = ("mlflow", "torch.utils.tensorboard", "wandb")


def main(job: dict) -> None:
    for name in LOGGERS:
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__spec__ = importlib.machinery.ModuleSpec(name, None)
    sys.modules["torch.utils.tensorboard"].SummaryWriter = None
    from oumi.builders.data import build_dataset_mixture
    from oumi.core.configs import DatasetSplit, TrainingConfig
    from oumi.core.datasets import BaseSftDataset
    from oumi.core.registry import register_dataset
    from oumi.exceptions import OumiConfigError

    @register_dataset("words")
    class Words(BaseSftDataset):
        """JSON lines of text, as they are: no tokenizer is needed to count them."""

        default_dataset = "words"

        def transform_conversation(self, example):
            raise NotImplementedError

        def transform(self, sample):
            return {"text": sample["text"]}

    words = ["model.model_name=none"]
    try:
        config = TrainingConfig.from_yaml_and_arg_list(job["config"], words)
        data = build_dataset_mixture(config.data, None, DatasetSplit.TRAIN)
    except (OumiConfigError, ValueError, IndexError) as error:
        print("RESULT", json.dumps({"refused": str(error)}))
        return
    rows = [row["text"].split()[0] for row in islice(data, job["draws"])]
    result = {
        "version": importlib.metadata.version("oumi"),
        "documents": collections.Counter(rows),
        "order": tenths(rows),
    }
    print("RESULT", json.dumps(result))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
