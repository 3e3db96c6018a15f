"""Writes token chunks with litdata and draws from an exported module; prints the draws as JSON.

Run as a script: litdata_load.py '<json: module, folders, draws, block>'; ``folders`` maps a path to [token, blocks].
"""

import collections
import functools
import importlib.util
import itertools
import json
import sys

from order import tenths


def tokens(_, token: int, size: int):
    import torch

    yield torch.full((size,), token, dtype=torch.int64)


def write_folder(path: str, token: int, blocks: int, block: int) -> None:
    from litdata import TokensLoader, optimize

    optimize(
        fn=functools.partial(tokens, token=token, size=block * blocks // 10),
        inputs=list(range(10)),
        output_dir=path,
        chunk_size=block * blocks // 10,
        num_workers=1,
        item_loader=TokensLoader(block_size=block),
        verbose=False,
    )


def counts(batches) -> dict:
    return collections.Counter(str(int(row[0])) for row in batches)


def main(job: dict) -> None:
    import litdata

    block = job["block"]
    for path, (token, blocks) in job["folders"].items():
        write_folder(path, token, blocks, block)
    spec = importlib.util.spec_from_file_location("mixture", job["module"])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    first = [str(int(row[0])) for row in itertools.islice(module.dataset(block), job["draws"])]
    until_the_end = counts(
        row
        for batch in litdata.StreamingDataLoader(module.dataset(block), batch_size=8, num_workers=0)
        for row in batch
    )

    def parts() -> list:
        return [
            litdata.StreamingDataset(path, item_loader=litdata.TokensLoader(block_size=block))
            for path in job["folders"]
        ]

    weights = [source["weight"] for source in module.SOURCES]
    try:
        litdata.CombinedStreamingDataset(parts(), weights=weights)
        refused = ""
    except ValueError as error:
        refused = str(error)
    by_batch = litdata.CombinedStreamingDataset(
        parts(), weights=weights, iterate_over_all=False, batching_method="per_stream"
    )
    lost = counts(
        row
        for batch in litdata.StreamingDataLoader(by_batch, batch_size=8, num_workers=0)
        for row in batch
    )
    print(
        "RESULT",
        json.dumps(
            {
                "version": litdata.__version__,
                "drawn": collections.Counter(first),
                "order": tenths(first),
                "until_the_end": until_the_end,
                "refused": refused,
                "lost": lost,
            }
        ),
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
