"""Draws from the RandomMix of an exported module. Run with one JSON argument: config, shards, draws.

``shards`` maps a tar file to its domain and to the tokens of its 300 documents, each the domain's name that often.
"""

import importlib.util
import io
import json
import random
import sys
import tarfile
from collections import Counter
from importlib.metadata import version
from itertools import islice

from order import tenths


def write(path: str, name: str, size: int) -> None:
    with tarfile.open(path, "w") as shard:
        for row in range(300):
            text = " ".join([name] * size).encode()
            member = tarfile.TarInfo(f"{row:06d}.txt")
            member.size = len(text)
            shard.addfile(member, io.BytesIO(text))


def main(job: dict) -> None:
    for path, (name, size) in job["shards"].items():
        write(path, name, size)
    spec = importlib.util.spec_from_file_location("mixture", job["config"])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    random.seed(1)
    mix = module.dataset(prepare=lambda part: part.decode(), shuffle=10)
    texts = [sample["txt"].split() for sample in islice(mix, job["draws"])]
    print(
        "RESULT",
        json.dumps(
            {
                "version": version("webdataset"),
                "kind": type(mix).__name__,
                "examples": Counter(text[0] for text in texts),
                "order": tenths(text[0] for text in texts),
                "tokens": Counter(word for text in texts for word in text),
            }
        ),
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
