"""Loads the mixture of a TRL config with TRL's own parser and get_dataset. Run with one JSON argument: config.

A document is its domain's name, as often as it has tokens.
"""

import json
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import trl
from trl.scripts.sft import make_parser


def main(job: dict) -> None:
    words = [
        "--config",
        job["config"],
        "--output_dir",
        str(Path.cwd() / "out"),
        "--use_cpu",
        "true",
    ]
    *_, mixture = make_parser().parse_args_and_config(words)
    texts = [text.split() for text in trl.get_dataset(mixture)["train"]["text"]]
    tokens = Counter(word for text in texts for word in text)
    print(
        "RESULT",
        json.dumps(
            {
                "version": trl.__version__,
                "examples": Counter(text[0] for text in texts),
                "tokens": tokens,
                "changes": sum(one[0] != other[0] for one, other in pairwise(texts)),
            }
        ),
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
