"""Prints a training log with a trainer's own printing code, compiled from a checkout.

Run as a script: loggers_printed.py '<json: what, checkout, out, steps>'. Each function takes the class, function or printed text out of
the trainer's source and gives it numbers that no model computed; what the code names beside them is a mock. RESULT has the losses by step.
"""

import ast
import builtins
import json
import logging
import math
import os
import subprocess
import sys
from contextlib import redirect_stdout
from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

SETS = ("web", "code")


def loss_of(step: int) -> float:
    return 10 * math.exp(-step / 10)


def compiled(source: Path, *wanted: str, **given) -> SimpleNamespace:
    """The classes and functions of these names, methods among them; what they name and nobody gives is a mock."""
    tree = ast.parse(source.read_text("utf-8"))
    kinds = (ast.FunctionDef, ast.ClassDef)
    tree.body = [node for node in ast.walk(tree) if isinstance(node, kinds) and node.name in wanted]
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.decorator_list, node.returns = [], None
            for argument in ast.walk(node.args):
                if isinstance(argument, ast.arg):
                    argument.annotation = None
        if isinstance(node, ast.ClassDef):
            node.bases, node.decorator_list = [], []
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - set(dir(builtins))
    space = {name: MagicMock(name=name) for name in names} | {"math": math} | given
    future = ast.parse("from __future__ import annotations").body
    tree.body = future + tree.body
    exec(compile(tree, str(source), "exec"), space)  # noqa: S102
    return SimpleNamespace(**{name: space[name] for name in wanted})


def printed(source: Path, start: str, **given) -> str:
    """The first f-string of a source with these words, evaluated."""
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        if isinstance(node, ast.JoinedStr) and start in ast.unparse(node):
            return eval(  # noqa: S307
                compile(ast.Expression(node), str(source), "eval"), given
            )
    raise AssertionError(f"{source} prints no {start}")


def nanotron(root: Path, steps: int) -> None:
    source = root / "src/nanotron/logging/base.py"
    base = compiled(
        source,
        "human_format",
        "LoggerWriter",
        log_rank=lambda text, **_: print(f"11/30 10:00:00 [INFO|DP=0|PP=0|TP=0]: {text}"),
    )
    writer = base.LoggerWriter()
    writer.global_step = steps
    for step in range(1, steps + 1):
        numbers = {"consumed_tokens": step * 24576, "lm_loss": loss_of(step), "lr": 3e-5 / step}
        items = [
            SimpleNamespace(tag=tag, scalar_value=value, log_format="human_format")
            for tag, value in numbers.items()
        ]
        writer.add_scalars_from_list(
            [*items, SimpleNamespace(tag="eta", scalar_value="1:02:03", log_format=None)], step
        )


def composer(root: Path, steps: int) -> None:
    import collections.abc
    import operator
    from functools import reduce

    import numpy as np
    import torch

    loggers = root / "composer/loggers"
    form = compiled(
        loggers / "logger.py",
        "format_log_data_value",
        torch=torch,
        collections=collections,
        operator=operator,
        reduce=reduce,
    )
    units = SimpleNamespace(EPOCH="ep", BATCH=SimpleNamespace(name="BATCH"), ITERATION="it")
    interval = MagicMock(unit=units.BATCH, __int__=lambda _: 1)
    console = compiled(
        loggers / "console_logger.py",
        "ConsoleLogger",
        format_log_data_value=form.format_log_data_value,
        TimeUnit=units,
        Time=SimpleNamespace(from_input=lambda *_: interval),
        NUM_EVAL_LOGGING_EVENTS=11,
        np=np,
        sys=SimpleNamespace(stdout=sys.stdout, stderr=sys.stdout),
    ).ConsoleLogger("1ba", sys.stdout)
    console.hparams_already_logged_to_console = True
    for step in range(1, steps + 1):
        stamp = MagicMock(batch=step, get=lambda _, step=step: step)
        state = MagicMock(
            timestamp=stamp,
            dataloader_len=20,
            max_duration=SimpleNamespace(unit=units.BATCH, value=steps),
        )
        console.log_metrics({"time/batch": step - 1, "time/token": (step - 1) * 524288})
        console.log_metrics(
            {"loss/train/total": torch.tensor(loss_of(step)), "lr-DecoupledAdamW/group0": 0.0001}
        )
        console.batch_end(state, None)
        if step % 5 == 0:
            for place, name in enumerate(SETS):
                state.dataloader_label = f"eval/{name}"
                state.evaluators = [SimpleNamespace(label=f"eval/{name}")]
                console.eval_start(state, None)
                for batch in range(1, 21):
                    state.eval_timestamp.batch = MagicMock(
                        value=batch, __int__=lambda _, batch=batch: batch
                    )
                    console.eval_batch_end(state, None)
                console.log_metrics(
                    {
                        f"metrics/eval/{name}/LanguageCrossEntropy": torch.tensor(
                            loss_of(step) + place
                        )
                    }
                )
                console.eval_end(state, None)


def torchtitan(root: Path, steps: int) -> None:
    source = root / "torchtitan/components/metrics.py"
    colours = {
        name: f"\x1b[{31 + place}m"
        for place, name in enumerate(
            ["red", "green", "orange", "turquoise", "blue", "cyan", "magenta", "yellow"]
        )
    }
    color = SimpleNamespace(**colours, reset="\x1b[39m")
    memory = SimpleNamespace(max_reserved_gib=12.5, max_reserved_pct=13.25)
    for step in range(1, steps + 1):
        shared = {
            "color": color,
            "step": step,
            "device_mem_stats": memory,
            "tps": 12345.6,
            "tflops": 1234.5,
            "mfu_str": "12.00%",
        }
        for rank in range(2):
            line = printed(
                source, "color.red}step", global_avg_loss=loss_of(step), grad_norm=1.5, **shared
            )
            print(f"[rank{rank}]:[titan] 2026-01-15 10:00:{step:02},123 - root - INFO - {line}")
        if step % 5 == 0:
            print(
                "[rank0]:[titan] 2026-01-15 10:00:59,123 - root - INFO - "
                + printed(source, "validate step", loss=loss_of(step) + 1, **shared)
            )


def torchtune(root: Path, steps: int) -> None:
    import torch

    logger = compiled(root / "torchtune/training/metric_logging.py", "StdoutLogger").StdoutLogger()
    for step in range(1, steps + 1):
        bar = printed(
            root / "recipes/full_finetune_distributed.py",
            "Loss: ",
            curr_epoch=0,
            self=SimpleNamespace(global_step=step),
            loss_to_log=loss_of(step),
        )
        print(
            f"\r{bar}: {step * 100 // steps}%|#####     | {step}/{steps} [00:01<00:01,  1.00it/s]",
            end="",
        )
        logger.log_dict(
            {"loss": loss_of(step), "lr": 2e-5, "grad_norm": torch.tensor(0.5)}, step=step
        )


def litgpt(root: Path, steps: int) -> None:
    from datetime import timedelta

    source = root / "litgpt/pretrain.py"
    for step in range(1, steps + 1):
        metrics = {
            "epoch": 0,
            "iter": step * 4,
            "step": step,
            "loss": loss_of(step),
            "iter_time": 0.1,
            "remaining_time": 60,
        }
        print(
            printed(
                source,
                "loss train",
                metrics=metrics,
                val_loss="n/a",
                is_accumulating=False,
                timedelta=timedelta,
            )
        )
        if step % 5 == 0:
            print("Validating ...")
            print(
                printed(
                    source,
                    "val time",
                    state={"iter_num": step * 4},
                    val_loss=loss_of(step) + 1,
                    td=0.5,
                )
            )


def lingua(root: Path, steps: int) -> None:
    source = root / "apps/main/train.py"
    log = compiled(
        root / "lingua/logger.py",
        "LogFormatter",
        time=__import__("time"),
        timedelta=__import__("datetime").timedelta,
        get_global_rank=lambda: 0,
        get_is_slurm_job=lambda: False,
    ).LogFormatter()
    for step in range(1, steps + 1):
        loss = SimpleNamespace(item=lambda step=step: loss_of(step))
        line = printed(
            source,
            "  acc: ",
            train_state=SimpleNamespace(step=step, acc_step=0),
            loss=loss,
            grad_norm=1.5,
            FLOPS=1e14,
            wps=1e5,
            curr_iter_time=0.5,
            data_load_time=0.1,
            curr_lr=3e-4,
            gpu_mem_stats=SimpleNamespace(max_active_pct=50, power_draw=400000),
        )
        record = logging.LogRecord("root", logging.INFO, "train.py", 1, line, (), None)
        print(log.formatPrefix(record) + line)


def levanter(root: Path, steps: int) -> None:
    source = root / "src/levanter/eval.py"
    for step in range(1, steps + 1):
        print(
            f"2026-01-15T10:00:00 - 0 - tqdm_loggable.tqdm_logging - tqdm_logging.py:145 - INFO :: Progress on:train {step:.1f}0it/20.0it "
            f"rate:1.0it/s remaining:00:10 elapsed:00:10 postfix:loss={loss_of(step):.3g}"
        )
        if step % 5 == 0:
            for place, name in enumerate(SETS):
                line = printed(source, "{tag} loss", tag=name, loss=loss_of(step) + place)
                print(f"2026-01-15T10:00:00 - 0 - levanter.eval - eval.py:260 - INFO :: {line}")


def maxtext(root: Path, steps: int) -> None:
    source = root / "src/maxtext/common/metric_logger.py"
    log = compiled(
        source,
        "_log_training_metrics",
        "_log_eval_metrics",
        max_logging=SimpleNamespace(log=print),
        elastic_utils=SimpleNamespace(elastic_enabled=lambda _: False),
    )
    config = MagicMock(
        rampup_end_step=0,
        hide_profiler_step_metric=False,
        num_experts=1,
        mtp_num_layers=0,
        use_indexer=False,
    )
    for step in range(1, steps + 1):
        scalars = {
            f"perf/{name}": 1.5
            for name in (
                "step_time_seconds",
                "per_device_tflops_per_sec",
                "per_device_tokens_per_sec",
            )
        }
        scalars |= {"learning/loss": loss_of(step), "learning/total_weights": 1024}
        log._log_training_metrics(SimpleNamespace(config=config), {"scalar": scalars}, step)
        if step % 5 == 0:
            scalars = {
                "eval/avg_loss": loss_of(step) + 1,
                "eval/avg_perplexity": 9.0,
                "eval/total_weights": 9,
            }
            log._log_eval_metrics(SimpleNamespace(config=config), {"scalar": scalars}, step)


def olmo_core(root: Path, steps: int) -> None:
    core = root / "src/olmo_core"
    form = compiled(core / "utils.py", "format_float")
    console = compiled(
        core / "train/callbacks/console_logger.py",
        "ConsoleLoggerCallback",
        field=lambda default_factory: default_factory(),
        log=SimpleNamespace(
            info=lambda line: print(
                f"2026-01-15 10:00:00.123\thost:0\tolmo_core.train.callbacks.console_logger:71\tINFO\t{line}"
            )
        ),
        format_float=form.format_float,
        fnmatch=fnmatch,
        format_timedelta=lambda _: "1 hour, 2 minutes",
    ).ConsoleLoggerCallback()
    evaluator = core / "train/callbacks/evaluator_callback.py"
    for step in range(1, steps + 1):
        console.trainer = MagicMock(max_steps=steps, epoch=1, hard_stop=None)
        console.log_metrics(
            step,
            {
                "train/CE loss": loss_of(step),
                "optim/LR (group 0)": 3e-4,
                "throughput/total tokens": step * 4194304,
            },
        )
        if step % 5 == 0:
            lines = [
                printed(
                    evaluator,
                    "format_float(value",
                    name=f"{name}/CE loss",
                    value=SimpleNamespace(
                        item=lambda step=step, place=place: loss_of(step) + place
                    ),
                    format_float=form.format_float,
                )
                for place, name in enumerate(SETS)
            ]
            line = printed(
                evaluator,
                "Finished ",
                evaluator=SimpleNamespace(display_name="lm"),
                time=__import__("time"),
                start_time=0.0,
            )
            print(
                f"2026-01-15 10:00:00.123\thost:0\tolmo_core.train.callbacks.evaluator_callback:178\tINFO\t{line}"
                + "\n".join(lines)
            )


def olmo(root: Path, steps: int) -> None:
    log = compiled(
        root / "olmo/train.py",
        "log_metrics_to_console",
        log=SimpleNamespace(
            info=lambda line: print(
                f"2026-01-15 10:00:00.123\thost:0\tolmo.train:979\tINFO\t{line}"
            )
        ),
    )
    for step in range(1, steps + 1):
        log.log_metrics_to_console(
            None,
            f"[step={step}/{steps},epoch=0]",
            {"train/CrossEntropyLoss": loss_of(step), "throughput/total_tokens": step * 4194304},
        )
        if step % 5 == 0:
            for place, name in enumerate(SETS):
                log.log_metrics_to_console(
                    None, name, {f"eval/{name}/CrossEntropyLoss": loss_of(step) + place}
                )


def transformers(root: Path, steps: int) -> None:
    """Drive the real callback; it draws its bars on standard error, which goes to the same place."""
    from transformers import TrainerControl, TrainerState, TrainingArguments
    from transformers.trainer_callback import ProgressCallback

    state = TrainerState(max_steps=steps, is_world_process_zero=True)
    callback, control, args = (
        ProgressCallback(),
        TrainerControl(),
        MagicMock(spec=TrainingArguments),
    )
    callback.on_train_begin(args, state, control)
    for step in range(1, steps + 1):
        state.global_step = step
        callback.on_step_end(args, state, control)
        if step % 5:
            continue
        callback.on_log(
            args,
            state,
            control,
            logs={
                "loss": loss_of(step),
                "grad_norm": 1.5,
                "learning_rate": 2e-4,
                "epoch": step / 10,
            },
        )
        for place, name in enumerate(SETS):
            for _ in range(3):
                callback.on_prediction_step(args, state, control, eval_dataloader=range(3))
            callback.on_log(
                args,
                state,
                control,
                logs={
                    f"eval_{name}_loss": loss_of(step) + place,
                    f"eval_{name}_runtime": 1.0,
                    "epoch": step / 10,
                },
            )
            callback.on_evaluate(args, state, control)
    callback.on_train_end(args, state, control)


def main(job: dict) -> None:
    if job["what"] == "transformers" and "inner" not in job:
        # Its bars and dictionaries share a file only where both streams do, as in a shell's "> log 2>&1".
        with Path(job["out"]).open("w") as file:
            env = os.environ | ({"PYTHONUNBUFFERED": "1"} if job["unbuffered"] else {})
            subprocess.run(
                [sys.executable, __file__, json.dumps(job | {"inner": True})],
                stdout=file,
                stderr=file,
                check=True,
                env=env,
            )
    elif "inner" in job:
        transformers(Path(), job["steps"])
        return
    else:
        with Path(job["out"]).open("w") as file, redirect_stdout(file):
            print("Some other output: {'a': 1}\n" + "config:\n    lr: 0.1\n" * 3)
            globals()[job["what"]](Path(job["checkout"]), job["steps"])
    print("RESULT", json.dumps({str(step): loss_of(step) for step in range(1, job["steps"] + 1)}))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
