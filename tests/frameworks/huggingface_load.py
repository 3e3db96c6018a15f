"""Draws from the mixture in a folder with its own load_mixture.py; prints what came as JSON. Run as a script."""

import json
import sys
from collections import Counter
from itertools import islice

import datasets
from order import tenths


def main(folder: str, draws: int) -> None:
    sys.path.insert(0, folder)
    from load_mixture import load

    first = [row["source"] for row in islice(load(), draws)]
    streamed = Counter(first)
    ready = {name: datasets.Dataset.from_dict({"source": [name] * draws}) for name in streamed}
    second = [row["source"] for row in islice(load(ready), draws)]
    in_memory = Counter(second)
    found = {"version": datasets.__version__, "streamed": streamed, "in_memory": in_memory}
    print("RESULT", json.dumps(found | {"order": [tenths(first), tenths(second)]}))


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
