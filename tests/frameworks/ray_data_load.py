"""Draws from the mixed dataset of an exported module. Run with one JSON argument: config, draws, block_rows.

A document is its domain's name, as often as it has tokens.
"""

import importlib.util
import json
import os
import sys
from collections import Counter

os.environ |= {
    "RAY_AUTH_MODE": "disabled",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}
import ray
from order import tenths


def main(job: dict) -> None:
    ray.init(
        num_cpus=2,
        object_store_memory=200_000_000,
        include_dashboard=False,
        log_to_driver=False,
        configure_logging=False,
    )
    ray.data.DataContext.get_current().enable_progress_bars = False
    spec = importlib.util.spec_from_file_location("mixture", job["config"])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tokens = Counter()
    drawn = []
    for row in module.dataset(block_rows=job["block_rows"]).iter_rows():
        words = row["text"].split()
        drawn.append(words[0])
        tokens.update(words)
        if len(drawn) >= job["draws"]:
            break
    ray.shutdown()
    found = {"version": ray.__version__, "examples": Counter(drawn), "tokens": tokens}
    print("RESULT", json.dumps(found | {"order": tenths(drawn)}))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
