"""A Trainer that is resumed between two log lines, whose loss becomes NaN, whose rows have a column too many, and that is trained twice."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

from reweightviz.core.errors import ReweightvizError
from reweightviz.training import MixtureSampler, RunLogger, steer

LENGTH = 8


class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return 40

    def __getitem__(self, row):
        ids = torch.arange(row, row + LENGTH)
        return {"input_ids": ids, "labels": ids, "text": "no tensor"}


def collate(rows):
    return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}


def made(folder, steps):
    sampler = MixtureSampler({"code": 20, "web": 20}, {"code": 0.5, "web": 0.5}, batch=8)
    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=64,
            n_positions=LENGTH,
            n_embd=16,
            n_layer=1,
            n_head=2,
            bos_token_id=0,
            eos_token_id=0,
        )
    )
    args = TrainingArguments(
        output_dir=folder / "checkpoints",
        max_steps=steps,
        per_device_train_batch_size=8,
        logging_steps=2,
        save_steps=3,
        use_cpu=True,
        report_to=[],
        disable_tqdm=True,
    )
    trainer = Trainer(model, args, train_dataset=Rows(), data_collator=collate)
    steer(trainer, sampler, RunLogger(folder / "run.jsonl", domains=sampler.domains))
    return trainer


def main(job):
    torch.set_num_threads(1)
    folder = Path(job["folder"])
    made(folder, 3).train()
    trainer = made(folder, 6)

    def spoil(module, args, kwargs, output):
        if trainer.state.global_step == 5:
            output["logits"] = torch.where(
                kwargs["input_ids"][:, :1, None] < 20, torch.nan, output["logits"]
            )
        return output

    trainer.model.register_forward_hook(spoil, with_kwargs=True)
    trainer.train(resume_from_checkpoint=str(folder / "checkpoints" / "checkpoint-3"))
    try:
        trainer.train()
    except ReweightvizError as error:
        print("RESULT", json.dumps({"again": str(error)}))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
