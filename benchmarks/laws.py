"""How good is a mixing law? Seconds to fit, rank correlation and coverage of its intervals on runs it has not seen.

.venv/bin/python benchmarks/laws.py                     5-fold on the demo swarm
.venv/bin/python benchmarks/laws.py --regmix FOLDER     the public RegMix tables: fitted on 512 runs, held out 256

A busy machine slows the threads of the linear algebra down; OPENBLAS_NUM_THREADS=1 measures the fit itself.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

import reweightviz as rv
from reweightviz.core.swarm import Swarm
from reweightviz.laws import Olmix
from reweightviz.readers import swarms

PILE_PRIOR = np.array([.11328527, .07960865, .00391349, .1853759, .05108136, .01596293, .10175077, .00370752, .06652935, .00175077,
                       .02708548, .23686921, .01184346, .00792997, .00803296, .03882595, .04644696])


def timed(swarm: Swarm, spec: Olmix):
    began = time.perf_counter()
    law = rv.fit(swarm, spec)
    return law, time.perf_counter() - began


def report(title: str, targets, parts) -> None:
    """Rows of targets from (predicted, low, high, losses) of one or several folds."""
    predicted, low, high, losses = (np.concatenate(column) for column in zip(*parts, strict=True))
    inside = ((low <= losses) & (losses <= high)).mean(0)
    rho = np.array([spearmanr(predicted[:, m], losses[:, m])[0] for m in range(len(targets))])
    width = (high - low).mean(0)
    print(f"\n{title}\n{'target':<24}{'Spearman x100':>14}{'MAE':>9}{'coverage 90 %':>15}{'mean width':>12}")
    for m, target in enumerate(targets):
        print(f"{target[:23]:<24}{100 * rho[m]:>14.2f}{np.abs(predicted - losses)[:, m].mean():>9.4f}{100 * inside[m]:>15.1f}{width[m]:>12.4f}")
    print(f"{'mean':<24}{100 * rho.mean():>14.3f}{np.abs(predicted - losses).mean():>9.4f}{100 * inside.mean():>15.1f}{width.mean():>12.4f}")


def judged(law, held_out: Swarm):
    return law.predict(held_out.mixtures), *law.interval(held_out.mixtures, 0.9), held_out.losses


def folds(swarm: Swarm, count: int = 5) -> None:
    order = np.random.default_rng(0).permutation(len(swarm))
    parts = []
    for fold in range(count):
        seen, unseen = np.delete(order, np.s_[fold::count]), order[fold::count]
        parts.append(judged(rv.fit(swarm.take(seen), Olmix()), swarm.take(unseen)))
    report(f"{swarm}, {count}-fold", swarm.targets, parts)


def regmix(folder: Path) -> None:
    train, test = (swarms.read(folder / f"{part}_mixture_1m.csv", folder / f"{part}_pile_loss_1m.csv") for part in ("train", "test"))
    for draws in (0, 100, 200):
        law, seconds = timed(train, Olmix(draws=draws))
        print(f"{train}: {seconds:.2f} s with {draws} bootstrap draws")
    report("fitted on 512 runs, held out 256", test.targets, [judged(law, test)])
    rng = np.random.default_rng(0)
    for runs in (32, 64, 96, 128, 256):
        part = rv.fit(train.take(rng.permutation(len(train))[:runs]), Olmix())
        _, low, high, losses = judged(part, test)
        print(f"fitted on {runs} runs: coverage of 90 % intervals {100 * ((low <= losses) & (losses <= high)).mean():.1f} %")
    prior, pile_cc = PILE_PRIOR / PILE_PRIOR.sum(), np.array(law.targets) == "pile_cc"
    for kl in (0.0, 0.01, 0.05, 0.1, 0.3):
        weight = law.minimise(pile_cc, kl=kl, prior=prior)[law.domains.index("pile_cc")]
        print(f"optimum for pile_cc under KL {kl:g}: pile_cc {weight:.4f}")
    best = law.minimise(kl=0.05, prior=prior)
    for name, mixture in (("law's optimum of the mean, KL 0.05", best), ("uniform", np.full(17, 1 / 17)), ("prior", prior)):
        low, high = (np.quantile(law.samples(mixture).mean(2), level) for level in (0.05, 0.95))
        print(f"{name}: mean predicted loss {law.predict(mixture).mean():.4f} [{low:.4f}, {high:.4f}]")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--regmix", type=Path, metavar="FOLDER", help="folder of train_ and test_ mixture and pile_loss tables")
    folder = parser.parse_args().regmix
    if folder:
        regmix(folder)
    else:
        folds(rv.demo_swarm())


if __name__ == "__main__":
    main()
