"""The logs of LLaMA-Factory, DataFlex and fms-acceleration, written by their own code while a tiny model trains or is asked.

Run as a script: loggers_mixers.py '<json: what, out, steps>' with what = llamafactory, dataflex_odm, dataflex_doremi or fms_odm. DataFlex and
fms are called as their trainers call them, with a model that is not trained between.
"""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import torch

DOMAINS = ("code", "math", "web")


def model():
    from transformers import GPT2Config, GPT2LMHeadModel, set_seed

    torch.set_num_threads(1)
    set_seed(0)
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=64,
            n_positions=16,
            n_embd=16,
            n_layer=1,
            n_head=2,
            bos_token_id=0,
            eos_token_id=0,
        )
    )


def data(rows: int = 32):
    """A set a domain: each has tokens of its own."""
    from datasets import Dataset

    draw = torch.Generator().manual_seed(0)
    sets = {}
    for k, name in enumerate(DOMAINS):
        ids = torch.randint(20 * k, 20 * k + 20, (rows, 16), generator=draw).tolist()
        sets[name] = Dataset.from_dict({"input_ids": ids, "labels": ids})
    return sets


def llamafactory(out: Path, steps: int) -> dict:
    from datasets import concatenate_datasets
    from llamafactory.train.callbacks import LogCallback
    from transformers import Trainer, TrainingArguments

    sets = data()
    args = TrainingArguments(
        output_dir=str(out),
        max_steps=steps,
        logging_steps=2,
        eval_strategy="steps",
        eval_steps=steps // 2,
        report_to=[],
        use_cpu=True,
        save_strategy="no",
    )
    trainer = Trainer(
        model(),
        args,
        train_dataset=concatenate_datasets(list(sets.values())),
        eval_dataset=sets,
        callbacks=[LogCallback()],
    )
    trainer.train()
    trainer.save_state()
    return {"history": trainer.state.log_history}


def _manager():
    from dataflex.train.dataset.mixed_proportion_manager import MixedProportionManager

    return MixedProportionManager(data(), proportions=[0.5, 0.3, 0.2])


def dataflex_odm(out: Path, steps: int) -> dict:
    from dataflex.train.mixer.odm_mixer import ODMMixer

    manager = _manager()
    mixer = ODMMixer(manager, warmup_steps=1, output_dir=str(out))
    weights = {}
    for step in range(2, steps):
        mixer.update_batch_info(3.0 + step % 3, step % 3)
        weights[step] = mixer.mix(None, step).tolist()
    return {"weights": weights}


def dataflex_doremi(out: Path, steps: int) -> dict:
    from dataflex.train.mixer.doremi_mixer import DoremiMixer

    mixer, proxy = DoremiMixer(_manager(), output_dir=str(out)), model()
    weights, excess = {}, {}
    for step in range(1, steps):
        rows = torch.tensor([data(4)[name][step % 4]["input_ids"] for name in DOMAINS])
        mixer.mix(
            proxy, step, batch={"input_ids": rows, "labels": rows}, domain_ids=torch.arange(3)
        )
        weights[step], excess[step] = mixer.domain_weights.tolist(), mixer.perdomain_scores.tolist()
    return {"weights": weights, "excess": excess}


def fms_odm(out: Path, steps: int) -> dict:
    from datasets import DatasetDict
    from fms_acceleration_odm import OnlineMixingDataset

    sets = DatasetDict(data())
    collators = dict.fromkeys(
        DOMAINS, lambda rows: {"input_ids": torch.tensor([row["input_ids"] for row in rows])}
    )
    mixed = OnlineMixingDataset(
        sets,
        collators,
        {},
        {},
        {"code": 0.5, "math": 0.3, "web": 0.2},
        output_dir=str(out),
        reward_type="train_loss",
    )
    accelerator = SimpleNamespace(
        device="cpu", prepare=lambda loader: loader, reduce=lambda tensor, **_: tensor
    )
    ratios = {}
    for step in range(1, steps + 1):
        next(mixed)
        if step % 4 == 0:
            mixed.update_sampling_weights(
                None, accelerator, SimpleNamespace(log_history=[{"loss": 3.0 / step}])
            )
            ratios[step] = list(mixed.sampling_ratio)
    return {"weights": ratios, "counts": mixed.curr_cat_count}


def main(job: dict) -> None:
    out = Path(job["out"])
    out.mkdir(parents=True, exist_ok=True)
    print("RESULT", json.dumps(globals()[job["what"]](out, job["steps"])))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
