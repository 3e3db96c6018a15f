"""Draws documents and packed tokens through Lingua's own data loader from an exported YAML; prints the draws as JSON.

Run as a script: lingua_load.py '<json: checkout, config, documents, draws>'; ``documents`` maps a folder to [letter, characters].
"""

import collections
import json
import sys
from pathlib import Path

from order import tenths


def main(job: dict) -> None:
    sys.path.insert(0, job["checkout"])
    from lingua.data import (
        DataArgs,
        build_dataloader_from_args,
        choose_source,
        init_dataloader_state_from_args,
        setup_sources,
    )
    from omegaconf import OmegaConf

    for folder, (letter, size) in job["documents"].items():
        Path(folder).mkdir(parents=True)
        line = json.dumps({"text": letter * size}) + "\n"
        (Path(folder) / f"{letter}.chunk.00.jsonl").write_text(line * 500, "utf-8")
    # As apps/main/train.py does with TrainArgs, of which data is this part.
    args = OmegaConf.to_object(
        OmegaConf.merge(OmegaConf.structured(DataArgs()), OmegaConf.load(job["config"]).data)
    )
    state = init_dataloader_state_from_args(args, rank=0, world_size=1)
    choice = state["it_state"]["it_state"]["it_state"]
    drawn = choose_source(
        setup_sources(choice),
        choice["source_to_state"],
        choice["root_dir"],
        choice["sources"],
        choice["rng_state"],
    )
    letters_drawn = [next(drawn)[0]["text"][0] for _ in range(job["draws"])]
    documents = collections.Counter(letters_drawn)
    tokens = collections.Counter()
    with build_dataloader_from_args(args, state) as batches:
        for _ in range(job["batches"]):
            tokens.update(next(batches)[0][:, :, 0].ravel().tolist())
    letters = [letter for letter, _ in job["documents"].values()]
    print(
        "RESULT",
        json.dumps(
            {
                "documents": documents,
                "order": tenths(letters_drawn),
                "tokens": {letter: tokens[ord(letter)] for letter in letters},
                "tokenizer": args.tokenizer.name,
            }
        ),
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
