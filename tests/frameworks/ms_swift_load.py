"""ms-swift: a config through its own reader of YAML, its arguments and ``load_dataset``.

Run as a script: ms_swift_load.py '<json: config, draws>'. The first word of a document is its domain.
"""

import collections
import json
import sys
from itertools import islice

from order import tenths


def main(job: dict) -> None:
    import swift
    from swift.arguments.base_args.data_args import DataArguments
    from swift.cli.main import parse_yaml_args
    from swift.dataset import load_dataset
    from transformers import HfArgumentParser

    words = [job["config"]]
    parse_yaml_args(words)
    parser = HfArgumentParser(DataArguments)
    (arguments,) = parser.parse_args_into_dataclasses(words)
    try:
        train, _ = load_dataset(
            arguments.dataset,
            split_dataset_ratio=arguments.split_dataset_ratio,
            seed=arguments.data_seed,
            shuffle=False,
            streaming=arguments.streaming,
            interleave_prob=arguments.interleave_prob,
            stopping_strategy=arguments.stopping_strategy,
        )
    # datasets itself trips over probabilities that are too few.
    except (ValueError, IndexError) as error:
        print("RESULT", json.dumps({"refused": str(error)}))
        return
    rows = islice(train, job["draws"])
    drawn = [row["messages"][-1]["content"].split()[0] for row in rows]
    result = {"version": swift.__version__, "documents": collections.Counter(drawn)}
    print("RESULT", json.dumps(result | {"order": tenths(drawn)}))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
