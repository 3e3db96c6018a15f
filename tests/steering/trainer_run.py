"""A real Trainer of transformers on a tiny GPT-2 made from scratch, one process a rank, steered through a LiveMixture.

``python trainer_run.py '{"folder": ..., "steps": 300, ...}'``; what the model was really given is appended to ``trained.RANK.ATTEMPT.jsonl``.
"""

from __future__ import annotations

import json
import os
import sys
import zlib
from pathlib import Path

import numpy as np
import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    Trainer,
    TrainingArguments,
    default_data_collator,
)
from transformers.trainer_utils import get_last_checkpoint

from reweightviz.core.live import LiveMixture
from reweightviz.mixers import ODM, Aioli
from reweightviz.training import MixtureSampler, RunLogger, steer

LENGTH = 64


class Blocks(torch.utils.data.Dataset):
    """Rows of bytes (N, LENGTH)."""

    def __init__(self, blocks):
        self.blocks = blocks

    def __len__(self):
        return len(self.blocks)

    def __getitem__(self, row):
        ids = torch.from_numpy(self.blocks[row].astype(np.int64))
        return {"input_ids": ids, "labels": ids}


def main(job):
    torch.set_num_threads(1)
    folder, rank = Path(job["folder"]), int(os.environ.get("RANK", "0"))
    stored = np.load(folder / "data.npz")
    mixer = {"ODM": ODM(), "Aioli": Aioli(every=4, lp_rounds=1, lp_steps=2, eta=0.5)}.get(
        job.get("mixer", "")
    )
    sampler = MixtureSampler(
        stored["domains"],
        LiveMixture(folder / "mix.json"),
        batch=job["batch"],
        seed=5,
        every=None if mixer else 5,
        accumulation=job.get("accumulation", 1),
        mixer=mixer,
    )
    torch.manual_seed(0)
    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=256,
            n_positions=LENGTH,
            n_embd=32,
            n_layer=1,
            n_head=2,
            bos_token_id=0,
            eos_token_id=0,
        )
    )
    args = TrainingArguments(
        output_dir=folder / "checkpoints",
        max_steps=job["steps"],
        per_device_train_batch_size=sampler.batch_size,
        gradient_accumulation_steps=sampler.accumulation,
        dataloader_num_workers=job.get("workers", 0),
        save_steps=job["save_every"],
        save_total_limit=2,
        logging_steps=10,
        use_cpu=True,
        report_to=[],
        disable_tqdm=True,
        learning_rate=1e-3,
        seed=0,
        ddp_backend="gloo" if "RANK" in os.environ else None,
    )
    trainer = Trainer(
        model, args, train_dataset=Blocks(stored["blocks"]), data_collator=default_data_collator
    )
    logger = RunLogger(folder / "run.jsonl", domains=sampler.domains) if rank == 0 else None

    def measure(names):
        """The loss of the last blocks of each domain."""
        blocks = [
            torch.from_numpy(stored["blocks"][stored["domains"] == domain][-8:].astype(np.int64))
            for domain in sampler.domains
        ]
        model.eval()
        with torch.no_grad():
            losses = [float(model(input_ids=block, labels=block).loss) for block in blocks]
        model.train()
        return dict.fromkeys(names, losses)

    steer(trainer, sampler, logger, measure=measure, streams=job.get("streams", False))
    trained = (folder / f"trained.{rank}.{job['attempt']}.jsonl").open("a")

    def record(module, args, kwargs):
        if not module.training:
            return
        marks = [zlib.crc32(row.numpy().astype(np.uint8).tobytes()) for row in kwargs["input_ids"]]
        print(json.dumps([trainer.state.global_step, marks]), file=trained, flush=True)

    model.register_forward_pre_hook(record, with_kwargs=True)
    done = trainer.train(
        resume_from_checkpoint=get_last_checkpoint(folder / "checkpoints")
        if job.get("resume")
        else None
    )
    if rank == 0:
        print("RESULT", json.dumps({"loss": done.training_loss, "step": trainer.state.global_step}))
    if torch.distributed.is_initialized():  # all is written: what gloo's threads make of the interpreter's end (some abort it) is not tried here
        torch.distributed.barrier()
        sys.stdout.flush()
        os._exit(0)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
