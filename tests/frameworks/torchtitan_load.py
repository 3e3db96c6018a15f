"""Draws from the dataloader that an exported module configures. Run with one JSON argument: config, draws.

With ``source``, torchtitan is that checkout and ``grain`` a folder that holds the package grain. The tokenizer is a
stand-in: a word is the token that ``ids`` says, and a text ends in token 1. Only rows of one token are counted as one.
"""

import importlib.util
import json
import sys
from collections import Counter
from importlib.metadata import version

from order import tenths

LENGTH = 32


class Tokenizer:
    """The least that torchtitan asks for."""

    eos_id, bos_id = 1, 2

    def __init__(self, ids: dict) -> None:
        self.ids = ids

    def encode(self, text: str, **_: bool) -> list[int]:
        return [self.ids[word] for word in text.split()] + [self.eos_id]


def main(job: dict) -> None:
    if "source" in job:
        sys.path.insert(0, job["source"])
        sys.path.append(job["grain"])
    spec = importlib.util.spec_from_file_location("mixture", job["config"])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tokenizer, names = Tokenizer(job["ids"]), {number: name for name, number in job["ids"].items()}
    config = module.config(**job.get("options", {}))
    tokens = Counter()
    drawn = []
    if "source" in job:
        loader = config.build(
            dp_world_size=1,
            dp_rank=0,
            tokenizer=tokenizer,
            max_context_length=LENGTH,
            num_tokens_per_batch=LENGTH,
        )
    else:
        from torchtitan.hf_datasets.text_datasets import InterleavedHuggingFaceTextDataLoader

        loader = InterleavedHuggingFaceTextDataLoader(
            config,
            dp_world_size=1,
            dp_rank=0,
            tokenizer=tokenizer,
            seq_len=LENGTH,
            local_batch_size=8,
        )
    for inputs, _ in loader:
        for row in inputs["input"].reshape(-1, LENGTH).tolist():
            words = [names[token] for token in row if token in names]
            drawn.append(words[0])
            tokens.update(words)
        if len(drawn) >= job["draws"]:
            break
    said = "source" if "source" in job else version("torchtitan")
    print(
        "RESULT",
        json.dumps(
            {
                "version": said,
                "kind": type(loader).__name__,
                "rows": Counter(drawn),
                "tokens": tokens,
            }
            | {"order": tenths(drawn)}
        ),
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
