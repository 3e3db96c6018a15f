"""DataFlex: training YAMLs through its launcher's arguments, its own ``get_dataset``, and the mixers of ``components.yaml``.

Run as a script: dataflex_load.py '<json: configs, extra, draws, words>'; ``words`` are the names of the domains, each of which is
also the one word of its documents. DoReMi's losses, which need a model, are stood in for by zeros.
"""

import collections
import json
import os
import sys
from pathlib import Path

from order import tenths


def tokenizer(words: list[str]):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = ["<unk>", "</s>", "<pad>", *words]
    model = Tokenizer(
        models.WordLevel({word: place for place, word in enumerate(vocabulary)}, unk_token="<unk>")
    )
    model.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=model, eos_token="</s>", pad_token="<pad>", unk_token="<unk>"
    ), vocabulary


def load(config: str, job: dict) -> dict:
    os.chdir(Path(config).parent)
    sys.argv = ["dataflex-cli", config, *job["extra"]]
    import numpy as np
    from dataflex.core.registry import REGISTRY
    from dataflex.launcher import read_args
    from dataflex.utils.load_component import load_component
    from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
    from llamafactory.hparams.parser import get_train_args

    model_args, data_args, training_args, finetuning_args, _ = get_train_args(read_args())
    words, vocabulary = tokenizer(job["words"])
    template = get_template_and_fix_tokenizer(words, data_args)
    manager = get_dataset(
        template, model_args, data_args, training_args, finetuning_args.stage, tokenizer=words
    )["mixture_manager"]
    data = manager.rebuild(num_samples=job["draws"])
    tokens = collections.Counter()
    drawn = []
    for place in range(len(data)):
        row = data[place]
        drawn.append(manager.names[row["domain_id"]])
        tokens.update(vocabulary[token] for token in row["input_ids"])
    name = finetuning_args.component_name
    params = load_component("mixers", finetuning_args.components_cfg_file, name, runtime_vars={})
    mixer = REGISTRY.build(
        "mixer", name, runtime={"output_dir": None}, cfg=params | {"mixture_manager": manager}
    )
    if name == "doremi":
        mixer.reference_model_loaded = True
        mixer.compute_batch_excess_losses = lambda *_: (
            np.zeros(manager.k),
            np.ones(manager.k, dtype=bool),
        )
    later = mixer.mix(model=None, step_id=finetuning_args.warmup_step, batch={}, domain_ids=[])
    return {
        "names": manager.names,
        "rows": collections.Counter(drawn),
        "order": tenths(drawn),
        "tokens": {word: tokens[word] for word in manager.names},
        "later": list(later),
        "packing": data_args.packing,
        "static": finetuning_args.static_mix,
        "type": finetuning_args.train_type,
    }


def main(job: dict) -> None:
    from dataflex.launcher import patch_finetune_params, patch_get_dataset

    patch_finetune_params()
    patch_get_dataset()
    import dataflex.train.mixer  # noqa: F401
    from dataflex.version import __version__

    print(
        "RESULT",
        json.dumps(
            {"version": __version__, "found": [load(config, job) for config in job["configs"]]}
        ),
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
