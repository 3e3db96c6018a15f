"""Tokenises files with open_lm's own sampling, and asks open_lm which shards it trains on; prints the counts as JSON.

Run as a script: dclm_load.py '<json: checkout, config, files, length, arguments>'; ``files`` maps a path to [token, documents],
``arguments`` are files with open_lm's arguments. Stand-ins: jsonlines (its Reader), loguru, webdataset and xformers (names alone),
and a tokenizer that knows the digits.
"""

import collections
import json
import logging
import shlex
import sys
import types
from pathlib import Path
from unittest import mock


class Reader:
    """What jsonlines.Reader does with lines of JSON."""

    def __init__(self, lines) -> None:
        self.lines = lines

    def __enter__(self):
        return map(json.loads, self.lines)

    def __exit__(self, *_) -> None:
        pass


def stand_in(name: str, **names) -> None:
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__dict__.update(names)


def tokenised(job: dict) -> dict:
    from open_lm.datapreprocess.ray import tokenize_shuffle

    sources, _ = tokenize_shuffle.load_from_yaml(job["config"])
    counts = collections.Counter()
    for path, (token, documents) in job["files"].items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        text = " ".join([str(token)] * (job["length"] - 1))
        Path(path).write_text((json.dumps({"text": text}) + "\n") * documents, "utf-8")
        rows = tokenize_shuffle.process_keys(
            {"path": path},
            tokenizer=(lambda text: [int(word) for word in text.split()], 1000),
            seqlen=job["length"],
            seed=1,
            content_key="text",
            do_sample=True,
            sources=sources,
        )
        counts[str(token)] += sum(1 for _ in rows)
    return counts


def shards(file: str) -> dict:
    from open_lm import params
    from open_lm.file_utils import get_string_for_epoch

    args = params.parse_args(shlex.split(Path(file).read_text("utf-8"), comments=True))
    try:
        _, samples, _ = get_string_for_epoch(
            args.train_num_samples,
            [0] * len(args.dataset_manifest),
            args.dataset_manifest,
            args.train_data_mix_weights,
            args.workers,
            1,
        )
    except (AssertionError, IndexError) as error:
        return {"error": repr(error)}
    return {"samples": samples, "weights": args.train_data_mix_weights}


def main(job: dict) -> None:
    logging.disable()
    sys.path.insert(0, job["checkout"])
    stand_in("jsonlines", Reader=Reader)
    stand_in("loguru", logger=logging.getLogger())
    stand_in("webdataset")
    stand_in("xformers")
    stand_in(
        "xformers.ops",
        **{
            name: mock.MagicMock()
            for name in ("memory_efficient_attention", "LowerTriangularMask", "fmha")
        },
    )
    sys.modules["xformers"].ops = sys.modules["xformers.ops"]
    print(
        "RESULT",
        json.dumps(
            {"tokenised": tokenised(job), "shards": [shards(file) for file in job["arguments"]]}
        ),
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
