"""Try mixing laws on runs held out: seconds to fit, rank correlation, coverage of intervals.

.venv/bin/python benchmarks/laws.py                     5-fold on the demo swarm
.venv/bin/python benchmarks/laws.py --regmix FOLDER
    the public RegMix tables: fit 512 runs, hold out 256
.venv/bin/python benchmarks/laws.py --compare FOLDER
    the same tables: speed against the authors' recipe on 1 and 2 threads, every law on the
    held-out runs, one mixture while dragging; writes benchmarks/results/laws.json (minutes)
.venv/bin/python benchmarks/laws.py --browser FOLDER
    after that: one mixture in Chromium, as in the editor

A busy machine slows the threads of the linear algebra down; OPENBLAS_NUM_THREADS=1 measures the
fit itself. --compare limits the threads by itself and reads the processor's time too: on 1 thread
what else runs hardly touches it; 2 threads also spin while they wait.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
from scipy.stats import spearmanr
from threadpoolctl import threadpool_limits

import reweightviz as rv
from reweightviz.core.swarm import Swarm
from reweightviz.laws import GaussianProcess, Olmix, RegMix, ScalingMixtures
from reweightviz.numerics.hull import distance_outside
from reweightviz.readers.swarms import two_tables as swarms

RESULTS = Path(__file__).parent / "results" / "laws.json"
LAWS = {
    "Olmix": Olmix(),
    "RegMix linear": RegMix(model="linear"),
    "RegMix": RegMix(),
    "ScalingMixtures": ScalingMixtures(),
    "GaussianProcess": GaussianProcess(),
}

TOKEN_PRIOR = Path(__file__).parents[1] / "tests" / "golden" / "regmix_token_prior.json"
PILE_PRIOR = np.array(json.loads(TOKEN_PRIOR.read_text("utf-8"))["shares"])


def timed(swarm: Swarm, spec: Olmix):
    began = time.perf_counter()
    law = rv.fit(swarm, spec)
    return law, time.perf_counter() - began


def scores(predicted, low, high, losses):
    """Spearman, mean absolute error, coverage and mean width (M,) of each target."""
    rho = np.array(
        [spearmanr(guess, loss)[0] for guess, loss in zip(predicted.T, losses.T, strict=True)]
    )
    return (
        rho,
        np.abs(predicted - losses).mean(0),
        ((low <= losses) & (losses <= high)).mean(0),
        (high - low).mean(0),
    )


def report(title: str, targets, parts) -> None:
    """Rows of targets from (predicted, low, high, losses) of one or several folds."""
    rho, error, inside, width = scores(
        *(np.concatenate(column) for column in zip(*parts, strict=True))
    )
    columns = f"{'Spearman x100':>14}{'MAE':>9}{'coverage 90 %':>15}{'mean width':>12}"
    print(f"\n{title}\n{'target':<24}{columns}")
    means = rho.mean(), error.mean(), inside.mean(), width.mean()
    rows = [*zip(targets, rho, error, inside, width, strict=True), ("mean", *means)]
    for name, r, e, i, w in rows:
        print(f"{name[:23]:<24}{100 * r:>14.2f}{e:>9.4f}{100 * i:>15.1f}{w:>12.4f}")


def judged(law, held_out: Swarm):
    return law.predict(held_out.mixtures), *law.interval(held_out.mixtures, 0.9), held_out.losses


def folds(swarm: Swarm, count: int = 5) -> None:
    order = np.random.default_rng(0).permutation(len(swarm))
    parts = []
    for fold in range(count):
        seen, unseen = np.delete(order, np.s_[fold::count]), order[fold::count]
        parts.append(judged(rv.fit(swarm.take(seen), Olmix()), swarm.take(unseen)))
    report(f"{swarm}, {count}-fold", swarm.targets, parts)


def tables(folder: Path) -> tuple[Swarm, Swarm]:
    """The 512 runs to fit and the 256 to hold out."""
    train, test = (
        swarms.read(folder / f"{part}_mixture_1m.csv", folder / f"{part}_pile_loss_1m.csv")
        for part in ("train", "test")
    )
    return train, test


def regmix(folder: Path) -> None:
    train, test = tables(folder)
    for draws in (0, 100, 200):
        law, seconds = timed(train, Olmix(draws=draws))
        print(f"{train}: {seconds:.2f} s with {draws} bootstrap draws")
    report("fitted on 512 runs, held out 256", test.targets, [judged(law, test)])
    rng = np.random.default_rng(0)
    for runs in (32, 64, 96, 128, 256):
        part = rv.fit(train.take(rng.permutation(len(train))[:runs]), Olmix())
        _, low, high, losses = judged(part, test)
        print(
            f"fitted on {runs} runs: coverage of 90 % intervals "
            f"{100 * ((low <= losses) & (losses <= high)).mean():.1f} %"
        )
    prior, pile_cc = PILE_PRIOR / PILE_PRIOR.sum(), np.array(law.targets) == "pile_cc"
    for kl in (0.0, 0.01, 0.05, 0.1, 0.3):
        weight = law.minimise(pile_cc, kl=kl, prior=prior)[law.domains.index("pile_cc")]
        print(f"optimum for pile_cc under KL {kl:g}: pile_cc {weight:.4f}")
    best = law.minimise(kl=0.05, prior=prior)
    for name, mixture in (
        ("law's optimum of the mean, KL 0.05", best),
        ("uniform", np.full(17, 1 / 17)),
        ("prior", prior),
    ):
        low, high = (np.quantile(law.samples(mixture).mean(2), level) for level in (0.05, 0.95))
        print(
            f"{name}: mean predicted loss {law.predict(mixture).mean():.4f} [{low:.4f}, {high:.4f}]"
        )


# ---- --compare


@contextmanager
def threads(count: int) -> Iterator[None]:
    """``count`` processors for this process, and so many threads for linear algebra and OpenMP."""
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(own)[:count])  # laws.parallel counts these
    try:
        with threadpool_limits(count):
            yield
    finally:
        os.sched_setaffinity(0, own)


def clocked(work: Callable[[], Any]) -> tuple[Any, np.ndarray]:
    """The answer, and its seconds by the clock and by the processors."""
    began = np.array([time.perf_counter(), time.process_time()])
    return work(), np.array([time.perf_counter(), time.process_time()]) - began


def authors_recipe(
    train: Swarm, test: Swarm, count: int, trees: int, draws: int
) -> tuple[dict[str, np.ndarray], list[Any]]:
    """Run the recipe of the RegMix authors, in our words.

    LightGBM a target, stopped on the test runs; the mean of the best 128 draws.
    """
    prior, pile_cc = PILE_PRIOR / PILE_PRIOR.sum(), train.targets.index("pile_cc")
    settings = {
        "objective": "regression",
        "metric": ["l1", "l2"],
        "learning_rate": 0.01,
        "seed": 42,
        "num_threads": count,
        "verbosity": -1,
    }

    def grown(m: int) -> lightgbm.Booster:
        seen = lightgbm.Dataset(train.mixtures, train.losses[:, m])
        return lightgbm.train(
            settings,
            seen,
            trees,
            valid_sets=[seen.create_valid(test.mixtures, test.losses[:, m])],
            callbacks=[lightgbm.early_stopping(3, verbose=False)],
        )

    models, fit = clocked(lambda: [grown(m) for m in range(len(train.targets))])
    mixtures, drawing = clocked(lambda: np.random.RandomState(42).dirichlet(prior, draws))
    first, one = clocked(lambda: models[pile_cc].predict(mixtures, num_threads=count))
    others, rest = clocked(
        lambda: sum(
            model.predict(mixtures, num_threads=count)
            for m, model in enumerate(models)
            if m != pile_cc
        )
    )
    found = [mixtures[np.argsort(value)[:128]].mean(0) for value in (first, first + others)]
    return {"fit": fit, "pile_cc": fit + drawing + one, "mean": fit + drawing + one + rest}, found


def ours(train: Swarm, spec: Any) -> tuple[dict[str, np.ndarray], list[Any], Any]:
    """Fit all targets and find the optimum: exact under KL 0.05 to the prior, or by search."""
    prior, pile_cc = PILE_PRIOR / PILE_PRIOR.sum(), np.array(train.targets) == "pile_cc"
    law, fit = clocked(lambda: rv.fit(train, spec))
    best = (
        (lambda of: law.minimise(of, kl=0.05, prior=prior))
        if isinstance(spec, Olmix)
        else (lambda of: law.propose(of, prior=prior))
    )
    (first, one), (second, other) = clocked(lambda: best(pile_cc)), clocked(lambda: best(None))
    return {"fit": fit, "pile_cc": fit + one, "mean": fit + other}, [first, second], law


def speed(
    train: Swarm, test: Swarm, count: int, trees: int = 1000, draws: int = 100_000
) -> tuple[dict[str, Any], Any]:
    """Both sides in this process on ``count`` threads; and the law of RegMix(), for later."""
    for spec in (Olmix(draws=2), RegMix(trees=2, folds=0)):
        rv.fit(train.take(np.arange(64)), spec)  # what is imported late is not measured
    took, best = {}, {}
    for name, spec in {
        "Olmix, no draws": Olmix(draws=0),
        "Olmix, 200 draws": Olmix(),
        "RegMix": RegMix(trees=trees),
    }.items():
        took[name], best[name], law = ours(train, spec)
    _, fit = clocked(lambda: rv.fit(train, RegMix(trees=trees, folds=0)))
    took["RegMix, no folds"] = {"fit": fit} | {
        goal: fit + took["RegMix"][goal] - took["RegMix"]["fit"] for goal in ("pile_cc", "mean")
    }
    took["authors' recipe"], best["authors' recipe"] = authors_recipe(
        train, test, count, trees, draws
    )
    print(
        f"\n{count} thread(s): seconds by the clock (processor), and how many times "
        "faster than the authors' recipe"
    )
    found: dict[str, Any] = {"load_average": round(os.getloadavg()[0], 2)}
    for name, row in took.items():
        ratio = {goal: took["authors' recipe"][goal] / row[goal] for goal in row}
        found[name] = {
            goal: {
                "wall_s": round(row[goal][0], 3),
                "cpu_s": round(row[goal][1], 3),
                "times_faster_wall": round(ratio[goal][0], 2),
                "times_faster_cpu": round(ratio[goal][1], 2),
            }
            for goal in row
        }
        if name in best:
            found[name]["proposed"] = [mixture.round(4).tolist() for mixture in best[name]]
        print(
            f"{name:<18}"
            + "".join(
                f"  {goal} {row[goal][0]:>7.2f} ({row[goal][1]:>6.2f}) "
                f"x{ratio[goal][0]:<6.2f}(x{ratio[goal][1]:.2f})"
                for goal in row
            )
        )
    return found, law


def judged_by_hull(name: str, law: Any, test: Swarm, outside: np.ndarray) -> dict[str, float]:
    parts = judged(law, test)
    rho, error, inside, width = (float(score.mean()) for score in scores(*parts))
    near, far = (
        float(scores(*(part[rows] for part in parts))[2].mean()) if rows.any() else None
        for rows in (~outside, outside)
    )
    found = {
        "spearman_mean": rho,
        "mae": error,
        "coverage_90": inside,
        "width_mean": width,
        "coverage_90_inside_the_hull": near,
        "coverage_90_outside": far,
    }
    print(
        f"{name}, held out:",
        ", ".join(f"{key} {value:.4f}" for key, value in found.items() if value is not None),
    )
    return {key: value if value is None else round(value, 4) for key, value in found.items()}


def dragging(name: str, law: Any, changes: int = 30) -> dict[str, float]:
    """Time predict and interval of one mixture in ms, as in the kernel while a weight moves."""
    rows = np.random.default_rng(0).dirichlet(np.ones(len(law.domains)), (changes, 1))
    times = [
        1e3 * clocked(lambda row=row: (law.predict(row), law.interval(row, 0.9)))[1][0]
        for row in rows
    ]
    found = {
        "median_ms": round(float(np.median(times)), 2),
        "p90_ms": round(float(np.quantile(times, 0.9)), 2),
    }
    print(f"{name}, one mixture: median {found['median_ms']} ms, 90 % below {found['p90_ms']} ms")
    return found


IN_THE_BROWSER = """async ([code, header, bytes, mixtures]) => {
  const blob = new Blob([code], { type: "text/javascript" });
  const { readLaw, evaluateLaw } = await import(URL.createObjectURL(blob));
  const law = readLaw(header, new DataView(Uint8Array.from(bytes).buffer), header.domains);
  return mixtures.map((weights) => {
    const began = performance.now();
    for (let n = 0; n < 10; n++) evaluateLaw(law, weights, 0.9);
    return (performance.now() - began) / 10;
  });
}"""


def browsing(folder: Path) -> None:
    """Time the same in Chromium, by the module that the editor runs."""
    import sys

    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "browser"))
    import chromium
    from playwright.sync_api import sync_playwright

    results = json.loads(RESULTS.read_text())
    code = (Path(rv.__file__).parent / "widgets" / "editor" / "law.js").read_text("utf-8")
    with sync_playwright() as playwright:
        page = playwright.chromium.launch(
            executable_path=chromium.find(), args=["--no-sandbox"]
        ).new_page()
        for name, swarm in (("demo", rv.demo_swarm()), ("regmix", tables(folder)[0])):
            form = rv.fit(swarm, LAWS["Olmix"]).browser_form()
            rows = np.random.default_rng(0).dirichlet(np.ones(len(swarm.domains)), 100).tolist()
            times = page.evaluate(IN_THE_BROWSER, [code, dict(form.header), list(form.data), rows])[
                20:
            ]  # the first ones compile it
            results["one_mixture"][name]["Olmix in Chromium"] = found = {
                "median_ms": round(float(np.median(times)), 2),
                "p90_ms": round(float(np.quantile(times, 0.9)), 2),
            }
            print(f"Olmix in Chromium, {name}, one mixture and its intervals: {found}")
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def compare(folder: Path) -> None:
    """Write every result as soon as it is there; the slowest law, GaussianProcess, comes last."""
    train, test = tables(folder)
    demo = rv.demo_swarm()
    results: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "versions": {name: version(name) for name in ("numpy", "scipy", "lightgbm")},
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python "
        f"{platform.python_version()}, niceness {os.nice(0)}",
        "speed": {},
        "held_out": {"threads": 1},
        "one_mixture": {"threads": 1, "demo": {}, "regmix": {}},
    }

    def write() -> None:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")

    with threads(1):
        results["speed"]["1 thread"], forest = speed(train, test, 1)
        write()
        outside = distance_outside(test.mixtures, train.mixtures) > 0
        results["held_out"] |= {
            "runs_inside_the_hull": int((~outside).sum()),
            "runs_outside": int(outside.sum()),
        }

    def law_by_law(names: Sequence[str]) -> None:
        for name in names:
            results["one_mixture"]["demo"][name] = dragging(
                f"{name}, demo", rv.fit(demo, LAWS[name])
            )
            law = forest if name == "RegMix" else rv.fit(train, LAWS[name])
            results["one_mixture"]["regmix"][name] = dragging(f"{name}, RegMix", law)
            results["held_out"][name] = judged_by_hull(name, law, test, outside)
            write()

    with threads(1):
        law_by_law([*LAWS][:-1])
    with threads(2):
        results["speed"]["2 threads"], _ = speed(train, test, 2)
        write()
    with threads(1):
        law_by_law([*LAWS][-1:])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--regmix",
        type=Path,
        metavar="FOLDER",
        help="folder of train_ and test_ mixture and pile_loss tables",
    )
    parser.add_argument(
        "--compare",
        type=Path,
        metavar="FOLDER",
        help="the same folder: speed, held-out runs and dragging, into results/laws.json",
    )
    parser.add_argument(
        "--browser",
        type=Path,
        metavar="FOLDER",
        help="the same folder: one mixture in Chromium, into the same results",
    )
    asked = parser.parse_args()
    if asked.browser:
        browsing(asked.browser)
    elif asked.compare:
        compare(asked.compare)
    elif asked.regmix:
        regmix(asked.regmix)
    else:
        folds(rv.demo_swarm())


if __name__ == "__main__":
    main()
