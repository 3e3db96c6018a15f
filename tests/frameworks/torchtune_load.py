"""Draws from a torchtune config through its recipe's own data setup. Run with one JSON argument: config, draws.

The config is loaded as ``tune run`` does it, with OmegaConf. Stand-ins: the tokenizer, which makes one token of each
word of a message, and the loss, of which only ``ignore_index`` is asked. One process, no model. A document is its
domain's name, as often as it has tokens.
"""

import importlib.util
import json
import sys
import types
from collections import Counter
from importlib.metadata import version
from pathlib import Path

import torchtune
from omegaconf import OmegaConf
from order import tenths


class Tokenizer:
    """The least that the recipe asks for."""

    pad_id = 0

    def __init__(self) -> None:
        self.ids: dict = {}

    def __call__(self, sample: dict) -> dict:
        words = [
            word
            for message in sample.pop("messages")
            if message.role == "assistant"
            for word in message.text_content.split()
        ]
        tokens = [self.ids.setdefault(word, len(self.ids) + 1) for word in words]
        return {"tokens": tokens, "mask": [False] * len(tokens)}


def main(job: dict) -> None:
    path = (
        Path(torchtune.__file__).parents[1]
        / "recipes"
        / "dev"
        / "lora_finetune_distributed_multi_dataset.py"
    )
    spec = importlib.util.spec_from_file_location("recipe", path)
    recipe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipe)
    tokenizer = Tokenizer()
    owner = types.SimpleNamespace(
        _tokenizer=tokenizer, _loss_fn=types.SimpleNamespace(ignore_index=-100)
    )
    config = OmegaConf.merge(
        OmegaConf.load(job["config"]), {"dataloader": {"pin_memory": False}}
    )  # which needs a GPU
    setup = recipe.LoRAFinetuneRecipeDistributed._setup_data
    loader = setup(
        owner, cfg_dataloader=config.dataloader, cfg_datasets=config.datasets, batch_size=8
    )
    tokens = Counter()
    drawn = []
    for batch in loader:
        names = {number: name for name, number in tokenizer.ids.items()}
        for row in batch["tokens"].tolist():
            words = [names[token] for token in row if token]
            drawn.append(words[0])
            tokens.update(words)
        if len(drawn) >= job["draws"]:
            break
    print(
        "RESULT",
        json.dumps(
            {"version": version("torchtune"), "examples": Counter(drawn), "tokens": tokens}
            | {"order": tenths(drawn)}
        ),
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
