"""Loads the mixture of a recipe with alignment-handbook's own source. Run with one JSON argument: config, source.

TRL's parser and load_dataset are real; ORPOConfig, which TRL has no more, is SFTConfig here. A document is its
domain's name, as often as it has tokens.
"""

import json
import sys
import types
from collections import Counter

import trl
from order import tenths


def main(job: dict) -> None:
    trl.ORPOConfig = getattr(trl, "ORPOConfig", trl.SFTConfig)
    package = types.ModuleType("alignment")  # its __init__ imports what chat models need
    package.__path__ = [f"{job['source']}/alignment"]
    sys.modules["alignment"] = package
    from alignment.configs import ScriptArguments
    from alignment.data import get_dataset

    (arguments,) = trl.TrlParser((ScriptArguments,)).parse_args_and_config(
        ["--config", job["config"]]
    )
    texts = [text.split() for text in get_dataset(arguments)["train"]["text"]]
    print(
        "RESULT",
        json.dumps(
            {
                "examples": Counter(text[0] for text in texts),
                "order": tenths(text[0] for text in texts),
                "tokens": Counter(w for text in texts for w in text),
            }
        ),
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
