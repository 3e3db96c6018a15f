"""Prints a training log with Megatron-LM's own ``training_log`` and ``evaluate_and_print_results``, compiled from a checkout.

Run as a script: loggers_megatron.py '<json: checkout, out, steps, sets>'. Stand-ins: everything that those two functions call, and the
losses, which no model computed; a tensor for the GPU is one of the CPU. ``sets`` are the names of the validation sets.
"""

import ast
import builtins
import json
import math
import sys
from contextlib import redirect_stdout
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import torch

WANTED = ("training_log", "evaluate_and_print_results")


class Arguments(SimpleNamespace):
    """Every option that is not named is off."""

    def __getattr__(self, name):
        return None


def functions(source: Path, given: dict) -> SimpleNamespace:
    """The two functions of the checkout; what they name and nobody gives is a mock."""
    tree = ast.parse(source.read_text("utf-8"))
    tree.body = [
        node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in WANTED
    ]
    for node in tree.body:
        node.decorator_list = []
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - set(dir(builtins))
    space = (
        {name: MagicMock(name=name) for name in names}
        | {"math": math, "datetime": datetime}
        | given
    )
    exec(compile(tree, str(source), "exec"), space)  # noqa: S102
    return SimpleNamespace(**{name: space[name] for name in WANTED})


def main(job: dict) -> None:
    args = Arguments(
        log_interval=1,
        train_iters=job["steps"],
        consumed_train_samples=0,
        skipped_train_samples=0,
        world_size=1,
        timing_log_level=0,
        micro_batch_size=4,
        data_parallel_size=1,
        gtp_weight_remat_size=1,
        eval_iters=[1] * len(job["sets"]),
        multiple_validation_sets=True,
        validation_set_names=job["sets"],
        profile_ranks=[],
    )
    cpu = SimpleNamespace(tensor=lambda value, **_: torch.tensor(value), float=torch.float)
    timers = MagicMock()
    timers.return_value.elapsed.return_value = 0.25
    losses = iter([])
    given = {
        "get_args": lambda: args,
        "get_timers": lambda: timers,
        "get_tensorboard_writer": lambda: None,
        "get_wandb_writer": lambda: None,
        "torch": cpu,
        "print_rank_last": print,
        "num_floating_point_operations": lambda *_, **__: 1e12,
        "get_telemetry": lambda: None,
        "is_last_rank": lambda: True,
        "has_rl_utils": False,
        "get_num_microbatches": lambda: 1,
        "reduce_max_stat_across_model_parallel_group": lambda value, **_: value,
        "evaluate": lambda *_, **__: ({"lm loss": torch.tensor(next(losses))}, None, False),
    }
    megatron = functions(Path(job["checkout"]) / "megatron" / "training" / "training.py", given)
    totals, rows = {}, {}
    with Path(job["out"]).open("w") as file, redirect_stdout(file):
        print(
            "using world size: 1, data-parallel size: 1\n> building train, validation, and test datasets ..."
        )
        for step in range(1, job["steps"] + 1):
            args.consumed_train_samples += 4
            loss = 10 * math.exp(-step / 10)
            megatron.training_log(
                {"lm loss": torch.tensor([loss])},
                totals,
                1e-4,
                step,
                1.0,
                False,
                0,
                math.nan if step == 3 else 0.5,
                None,
                None,
                None,
            )
            rows[step] = {"lm loss": loss}
            if step % 5 == 0:
                values = [loss + place for place in range(len(job["sets"]))]
                losses = iter(values)
                given_prefix = f"iteration {step} on validation set"
                megatron.evaluate_and_print_results(
                    given_prefix,
                    None,
                    [None] * len(values),
                    None,
                    step,
                    None,
                    None,
                    write_to_tensorboard=False,
                )
                rows[step] |= dict(zip(job["sets"], values, strict=True))
    print("RESULT", json.dumps(rows))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
