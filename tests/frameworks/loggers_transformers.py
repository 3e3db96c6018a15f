"""Trains a tiny model with the real Trainer, which logs each domain's loss to TensorBoard, ``trainer_state.json`` and our RunLogger.

Run as a script: loggers_transformers.py '<json: out, steps, package>'. The text is that of Python's own modules and licence.
"""

import importlib.metadata
import json
import sys
from pathlib import Path

DOMAINS = ("code", "prose")


def rows(length: int = 64) -> list[dict]:
    import this

    texts = {
        "code": Path(json.__file__).read_text(),
        "prose": "".join(this.d.get(c, c) for c in this.s) * 8,
    }
    found = []
    for place, name in enumerate(DOMAINS):
        data = texts[name].encode()[: 40 * length]
        found += [
            {"input_ids": list(data[at : at + length]), "domain": place}
            for at in range(0, len(data) - length, length)
        ]
    return found


def main(job: dict) -> None:
    sys.path.insert(0, job["package"])
    import torch
    from torch.nn import functional as F
    from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments, set_seed

    from reweightviz.training.run_logger import RunLogger

    torch.set_num_threads(1)
    set_seed(0)
    out = Path(job["out"])
    out.mkdir(parents=True, exist_ok=True)
    logger = RunLogger(out / "run.jsonl", domains=DOMAINS)
    sums = torch.zeros(2, len(DOMAINS))

    class DomainTrainer(Trainer):
        def compute_loss(self, model, inputs, return_outputs=False, **_):
            outputs = model(inputs["input_ids"])
            by_token = F.cross_entropy(
                outputs.logits[:, :-1].transpose(1, 2), inputs["input_ids"][:, 1:], reduction="none"
            )
            if model.training:
                for k in range(len(DOMAINS)):
                    mine = by_token.detach()[inputs["domain"] == k]
                    sums[:, k] += torch.tensor([mine.sum(), mine.numel()])
            return (by_token.mean(), outputs) if return_outputs else by_token.mean()

        def log(self, logs, *args, **kwargs):
            if "loss" in logs:
                losses = {
                    name: float(sums[0, k] / sums[1, k])
                    for k, name in enumerate(DOMAINS)
                    if sums[1, k]
                }
                logs |= {f"loss_{name}": value for name, value in losses.items()}
                logger.write(
                    step=self.state.global_step,
                    losses=losses,
                    scalars={"learning_rate": logs["learning_rate"]},
                )
                sums.zero_()
            super().log(logs, *args, **kwargs)

    def collate(batch):
        return {
            "input_ids": torch.tensor([row["input_ids"] for row in batch]),
            "domain": torch.tensor([row["domain"] for row in batch]),
        }

    data = rows()
    held_out = {
        name: [row for row in data if row["domain"] == k][:4] for k, name in enumerate(DOMAINS)
    }
    config = GPT2Config(
        vocab_size=256,
        n_positions=64,
        n_embd=32,
        n_layer=1,
        n_head=2,
        bos_token_id=0,
        eos_token_id=0,
    )
    args = TrainingArguments(
        output_dir=str(out / "output"),
        max_steps=job["steps"],
        logging_steps=2,
        save_steps=job["steps"] // 2,
        eval_strategy="steps",
        eval_steps=job["steps"] // 2,
        per_device_train_batch_size=4,
        report_to=["tensorboard"],
        label_names=["input_ids"],
        remove_unused_columns=False,
        use_cpu=True,
        learning_rate=1e-2,
        prediction_loss_only=True,
    )
    trainer = DomainTrainer(
        GPT2LMHeadModel(config),
        args,
        data_collator=collate,
        train_dataset=data,
        eval_dataset=held_out,
    )
    trainer.train()
    trainer.save_state()
    events = next(Path(out).rglob("*tfevents*")).parent
    print(
        "RESULT",
        json.dumps(
            {
                "transformers": importlib.metadata.version("transformers"),
                "events": str(events),
                "output": str(out / "output"),
                "lines": str(out / "run.jsonl"),
            }
        ),
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
