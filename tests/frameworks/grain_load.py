"""Draws from the mixed dataset of an exported module; prints the counts. Run with one JSON argument: config, rows, options.

An element of a dataset is its domain's name.
"""

import importlib.util
import json
import sys
from collections import Counter
from importlib.metadata import version

from order import tenths


def main(job: dict) -> None:
    import grain

    spec = importlib.util.spec_from_file_location("mixture", job["config"])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    parts = {
        name: grain.MapDataset.source([name] * rows) for name, rows in job["rows"].items() if rows
    }
    mixed = module.dataset(parts)
    found = {"version": version("grain"), "length": len(mixed)}
    drawn = [mixed[place] for place in range(min(len(mixed), job["draws"]))]
    found["drawn"] = Counter(drawn)
    found["order"] = tenths(drawn)
    try:
        grain.MapDataset.mix(list(parts.values()), weights=[0, *[1] * (len(parts) - 1)])
    except ValueError as error:
        found["zero"] = str(error)
    none = grain.MapDataset.mix(list(parts.values()))
    found["none"] = Counter(none[place] for place in range(30))
    print("RESULT", json.dumps(found))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
