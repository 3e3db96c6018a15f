"""Logs made-up curves with a real logger. Run as a script: loggers_write.py '<json: logger, out, steps, first>'.

Prints what was handed to the logger: a row a step, tag to number; ``null`` is NaN.
"""

import json
import math
import os
import sys
from pathlib import Path

DOMAINS = ("web", "code", "pile-cc")


def row(step: int) -> dict[str, float]:
    """What a training loop would log at a step; the loss of code is no number at step 20."""
    losses = {name: (k + 2) + math.exp(-step / (50 * (k + 1))) for k, name in enumerate(DOMAINS)}
    losses["code"] = math.nan if step == 20 else losses["code"]
    shares = {name: (k + 1) / 6 for k, name in enumerate(DOMAINS)}
    return (
        {f"train/loss_{name}": value for name, value in losses.items()}
        | {f"weights/{name}": value for name, value in shares.items()}
        | {"train/lr": 1e-3 / (step + 1)}
    )


def tensorboard(out: Path, steps: range) -> None:
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(out) as writer:
        for step in steps:
            for tag, value in row(step).items():
                writer.add_scalar(tag, value, step)


def tensorboard_scalars(out: Path, steps: range) -> None:
    """``add_scalars``, which writes a folder a domain."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(out) as writer:
        for step in steps:
            writer.add_scalars(
                "train/loss",
                {
                    tag.partition("loss_")[2]: value
                    for tag, value in row(step).items()
                    if "loss_" in tag
                },
                step,
            )
            writer.add_scalar("train/lr", row(step)["train/lr"], step)


def tensorboard_tensors(out: Path, steps: range) -> None:
    """TensorBoard's own writer, whose scalars are tensors as those of TensorFlow 2 and JAX."""
    from tensorboard.summary import Writer

    writer = Writer(str(out))
    for step in steps:
        for tag, value in row(step).items():
            writer.add_scalar(tag, value, step)
    writer.close()


def wandb(out: Path, steps: range) -> None:
    os.environ |= {"WANDB_MODE": "offline", "WANDB_SILENT": "true"}
    import wandb as tracker

    run = tracker.init(project="mixes", name="first", dir=out)
    for step in steps:
        run.log(row(step) | {"note": "text", "nested": {"norm": 1.0}}, step=step)
    run.finish()


def trackio(out: Path, steps: range) -> None:
    os.environ["TRACKIO_DIR"] = str(out)
    import trackio as tracker

    for name in ("first", "second"):
        tracker.init(project="mixes", name=name, embed=False)
        for step in steps if name == "first" else steps[:3]:
            tracker.log(row(step), step=step)
        tracker.finish()


def _mlflow(uri: str, steps: range) -> None:
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    import mlflow

    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment("mixes")
    for name in ("first", "second"):
        with mlflow.start_run(run_name=name):
            for step in steps if name == "first" else steps[:3]:
                mlflow.log_metrics(row(step), step=step)


def mlflow_files(out: Path, steps: range) -> None:
    _mlflow((out / "mlruns").as_uri(), steps)


def mlflow_sqlite(out: Path, steps: range) -> None:
    out.mkdir(parents=True, exist_ok=True)
    _mlflow(f"sqlite:///{out / 'mlflow.db'}", steps)


def _lightning(logger, steps: range) -> None:
    """Rows as a LightningModule logs them, the evaluation as a row of its own beside a step."""
    for step in steps:
        logger.log_metrics(row(step), step)
        if step % 10 == 0:
            logger.log_metrics({f"val_loss_{name}": 3.0 + step for name in DOMAINS}, step)
        logger.save()
    logger.finalize("success")


def lightning_csv(out: Path, steps: range) -> None:
    from lightning.pytorch.loggers import CSVLogger

    _lightning(CSVLogger(out), steps)


def lightning_tensorboard(out: Path, steps: range) -> None:
    from lightning.pytorch.loggers import TensorBoardLogger

    _lightning(TensorBoardLogger(out), steps)


def main(job: dict) -> None:
    steps = range(job.get("first", 0), job["steps"])
    globals()[job["logger"]](Path(job["out"]), steps)
    rows = {
        step: {tag: None if math.isnan(value) else value for tag, value in row(step).items()}
        for step in steps
    }
    print("RESULT", json.dumps({"domains": DOMAINS, "rows": rows}))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
