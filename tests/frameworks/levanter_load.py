"""Loads exported training YAMLs with Levanter's own configuration and draws sequences; prints the draws as JSON.

Run as a script: levanter_load.py '<json: files, jobs>'; ``files`` maps a path to [token, rows, length], each job of ``jobs`` is a
config with the ``windows`` [first, last] of sequences to draw.
"""

import asyncio
import collections
import json
import os
import sys
from pathlib import Path

from order import tenths

LENGTH = 16


def write_file(path: str, token: int, rows: int) -> None:
    Path(path).write_text((json.dumps({"input_ids": [token] * LENGTH}) + "\n") * rows, "utf-8")


def draw(config: str, windows: list) -> dict:
    import draccus
    import haliax
    import jax
    import numpy as np
    from levanter.main.train_lm import TrainLmConfig
    from levanter.schedule import BatchSchedule

    try:
        whole = draccus.parse(TrainLmConfig, config, args=[])
        schedule = BatchSchedule(whole.trainer.train_batch_size)
        data = whole.data.train_set(
            haliax.Axis("position", LENGTH), schedule, key=jax.random.PRNGKey(0)
        )
    except Exception as error:
        return {"error": f"{error.__cause__ or error}"}
    drawn, order = [], []
    for first, last in windows:
        examples = asyncio.run(data.get_batch(list(range(first, last))))
        tokens = [str(int(np.asarray(example.tokens.array)[1])) for example in examples]
        drawn.append(collections.Counter(tokens))
        order.append(tenths(tokens))
    length = asyncio.run(data.async_len()) if data.is_finite() else None
    return {
        "drawn": drawn,
        "order": order,
        "length": length,
        "block": whole.data.mixture_block_size,
        "batch_sizes": [schedule.batch_size_at_step(0), schedule.global_data_offset_by_step(1000)],
    }


def main(job: dict) -> None:
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    for path, (token, rows) in job["files"].items():
        write_file(path, token, rows)
    print("RESULT", json.dumps([draw(one["config"], one["windows"]) for one in job["jobs"]]))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
