"""A real Lightning Trainer on a bigram model of bytes, with accumulation: steered, logged, resumed from its checkpoint."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import lightning.pytorch as pl
import numpy as np
import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader

from reweightviz.core.live import LiveMixture
from reweightviz.core.runlog import RunLog
from reweightviz.training import LightningSteering, MixtureSampler, RunLogger, WithDomains

ROWS, LENGTH = 40, 9


class Bytes(torch.utils.data.Dataset):
    def __init__(self):
        text = Path(json.__file__).read_bytes()
        self.rows = [
            np.frombuffer(text[at * LENGTH : at * LENGTH + LENGTH], np.uint8).astype(np.int64)
            for at in range(ROWS)
        ]

    def __len__(self):
        return ROWS

    def __getitem__(self, row):
        return {"row": row, "tokens": torch.from_numpy(self.rows[row])}


class Bigrams(pl.LightningModule):
    def __init__(self, steering):
        super().__init__()
        self.table, self.steering, self.rows, self.sums = (
            torch.nn.Embedding(256, 256),
            steering,
            [],
            {},
        )

    def training_step(self, batch):
        tokens = batch["tokens"]
        losses = F.cross_entropy(
            self.table(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten(), reduction="none"
        ).view(len(tokens), -1)
        self.steering.losses.add(losses.detach(), batch["domain_ids"])
        self.rows.append(batch["row"].tolist())
        for domain, row in zip(batch["domain_ids"].tolist(), losses.detach(), strict=True):
            self.sums.setdefault(self.global_step, {}).setdefault(domain, []).extend(row.tolist())
        return losses.mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.5)


def run(folder, steps, checkpoint=None):
    data = Bytes()
    names = np.array(["web", "code"])[np.arange(ROWS) % 2]
    sampler = MixtureSampler(
        names, LiveMixture(folder / "mix.json"), batch=8, accumulation=2, every=1
    )
    steering = LightningSteering(sampler, RunLogger(folder / "run.jsonl", domains=sampler.domains))
    model = Bigrams(steering)
    trainer = pl.Trainer(
        max_steps=steps,
        accumulate_grad_batches=2,
        callbacks=[steering],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        accelerator="cpu",
        default_root_dir=folder,
    )
    trainer.fit(
        model, DataLoader(WithDomains(data, sampler), batch_sampler=sampler), ckpt_path=checkpoint
    )
    trainer.save_checkpoint(folder / f"{steps}.ckpt")
    return model


def main(job):
    torch.set_num_threads(1)
    folder = Path(job["folder"])
    live = LiveMixture.create(folder / "mix.json", {"web": 0.75, "code": 0.25})
    pl.seed_everything(0)
    first = run(folder, 6)
    live.set({"web": 0.25, "code": 0.75}, author="ann")
    second = run(folder, 12, folder / "6.ckpt")
    replay = iter(
        MixtureSampler(
            np.array(["web", "code"])[np.arange(ROWS) % 2], live.history(), batch=8, accumulation=2
        )
    )
    whole = [next(replay) for _ in range(24)]
    log = RunLog.load(folder / "run.jsonl")
    sums = {**first.sums, **second.sums}
    by_hand = [[float(np.mean(sums[step][domain])) for domain in (0, 1)] for step in range(12)]
    assert first.rows == whole[: len(first.rows)]
    print(
        "RESULT",
        json.dumps(
            {
                "whole": whole,
                "resumed": second.rows,
                "steps": log.steps.tolist(),
                "tokens": log["drawn_tokens"].tolist(),
                "loss": log["loss"].tolist(),
                "by_hand": by_hand,
                "effect": int(live.changes().loc[2, "step"]),
            }
        ),
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
