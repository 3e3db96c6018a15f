"""LLaMA-Factory: a training YAML, through its own reader of arguments and ``get_dataset`` of the pre-training stage.

Run as a script: llama_factory_load.py '<json: config, extra, draws>'; ``extra`` are arguments for the command line, as in
``llamafactory-cli train config extra``. A document is a marker and words of its domain, so both can be counted after packing.
"""

import collections
import itertools
import json
import os
import sys
from pathlib import Path

from order import tenths


def tokenizer(names: list[str]):
    """One token a word: ``<name>`` opens a document of a domain, and ``name`` is each of its other words."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ["<unk>", "</s>", "<pad>", *names, *(f"<{name}>" for name in names)]
    model = Tokenizer(
        models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="<unk>")
    )
    model.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=model, eos_token="</s>", pad_token="<pad>", unk_token="<unk>"
    ), words


def arguments(config: str, extra: list[str]):
    """What ``llamafactory-cli train config extra`` makes of a file, started in its folder."""
    from llamafactory.hparams.parser import get_train_args, read_args

    os.chdir(Path(config).parent)
    sys.argv = ["llamafactory-cli", config, *extra]
    return get_train_args(read_args())


def main(job: dict) -> None:
    from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
    from llamafactory.extras.env import VERSION

    model_args, data_args, training_args, finetuning_args, _ = arguments(
        job["config"], job["extra"]
    )
    words, vocabulary = tokenizer(data_args.dataset)
    template = get_template_and_fix_tokenizer(words, data_args)
    data = get_dataset(
        template, model_args, data_args, training_args, finetuning_args.stage, tokenizer=words
    )["train_dataset"]
    tokens = collections.Counter()
    drawn = []
    for token in itertools.chain.from_iterable(row["input_ids"] for row in data):
        word = vocabulary[token]
        if word in {"<unk>", "</s>", "<pad>"}:
            continue
        name = word.strip("<>")
        if name != word:
            if len(drawn) == job["draws"]:
                break
            drawn.append(name)
        tokens[name] += 1
    print(
        "RESULT",
        json.dumps(
            {
                "version": VERSION,
                "names": data_args.dataset,
                "probabilities": data_args.interleave_probs,
                "packing": data_args.packing,
                "documents": collections.Counter(drawn),
                "order": tenths(drawn),
                "tokens": tokens,
            }
        ),
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
