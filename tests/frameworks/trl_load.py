"""Loads the mixture of a TRL config with TRL's own parser and get_dataset. Run with one JSON argument: config.

A document is its domain's name, as often as it has tokens.
"""

import json
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import torch
import transformers
import trl
from order import tenths
from trl.scripts.sft import make_parser


def draw_as_trained(texts: list[list[str]], strategy: str) -> list[str]:
    """The first word of each text, in the order of the trainer that TRL's own are made of."""
    trainer = transformers.Trainer(
        model=torch.nn.Linear(1, 1),
        args=transformers.TrainingArguments(
            output_dir="out",
            use_cpu=True,
            report_to=[],
            remove_unused_columns=False,
            train_sampling_strategy=strategy,
        ),
        train_dataset=[{"word": text[0]} for text in texts],
        data_collator=lambda rows: [row["word"] for row in rows],
    )
    return [word for batch in trainer.get_train_dataloader() for word in batch]


def main(job: dict) -> None:
    words = [
        "--config",
        job["config"],
        "--output_dir",
        str(Path.cwd() / "out"),
        "--use_cpu",
        "true",
    ]
    _, training, _, mixture = make_parser().parse_args_and_config(words)
    texts = [text.split() for text in trl.get_dataset(mixture)["train"]["text"]]
    tokens = Counter(word for text in texts for word in text)
    print(
        "RESULT",
        json.dumps(
            {
                "version": trl.__version__,
                "examples": Counter(text[0] for text in texts),
                "tokens": tokens,
                "order": tenths(draw_as_trained(texts, training.train_sampling_strategy)),
                "changes": sum(one[0] != other[0] for one, other in pairwise(texts)),
            }
        ),
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
