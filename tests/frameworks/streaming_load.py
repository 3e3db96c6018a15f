"""Writes MDS folders and draws an epoch of each exported YAML with MosaicML Streaming; prints the draws as JSON.

Run as a script: streaming_load.py '<json: folders, configs>'; ``folders`` maps a path to [label, samples, tokens of a sample],
``configs`` are paths of YAMLs with streams and what else a StreamingDataset takes.
"""

import collections
import json
import sys
from pathlib import Path

from order import tenths


def write_folder(path: str, label: int, samples: int, length: int) -> None:
    import numpy as np
    from streaming import MDSWriter

    with MDSWriter(out=path, columns={"tokens": "ndarray:int32"}) as writer:
        for _ in range(samples):
            writer.write({"tokens": np.full(length, label, np.int32)})


def draw(config: str) -> dict:
    import yaml
    from streaming import Stream, StreamingDataset
    from streaming.base.util import clean_stale_shared_memory

    clean_stale_shared_memory()
    options = yaml.safe_load(Path(config).read_text("utf-8"))
    tokens = collections.Counter()
    drawn = []
    try:
        streams = [Stream(**one) for one in options.pop("streams").values()]
        dataset = StreamingDataset(
            streams=streams, batch_size=8, num_canonical_nodes=1, shuffle_seed=7, **options
        )
        for sample in dataset:
            drawn.append(str(sample["tokens"][0]))
            tokens[drawn[-1]] += len(sample["tokens"])
    except ValueError as error:
        return {"error": str(error)}
    return {"samples": collections.Counter(drawn), "tokens": tokens, "order": tenths(drawn)}


def main(job: dict) -> None:
    for path, (label, samples, length) in job["folders"].items():
        write_folder(path, label, samples, length)
    print("RESULT", json.dumps([draw(config) for config in job["configs"]]))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
