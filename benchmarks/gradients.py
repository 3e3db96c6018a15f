"""Documents a second of projected gradients, beside a pass backwards for each document.

    python benchmarks/gradients.py [model] [documents] [layers]

Both are in one run, on the same documents of mixed lengths and the same parameters. The plain loop
is what public code does, a batch of one and its gradient flattened; it does not project, and ours
does. With "proxy" the model is the demo's.
"""

from __future__ import annotations

import os
import sys
import time

import numpy as np
import torch

import reweightviz as rv
from reweightviz.models.gradients import choose_parameters
from reweightviz.models.load_model import load_language_model
from reweightviz.readers.demo.runs import proxy_path

DIMENSIONS = 4096
LONGEST = 256


def main(name="proxy", documents=128, layers=2):
    model = proxy_path() if name == "proxy" else name
    corpus = rv.demo_corpus()
    rows = np.random.default_rng(0).permutation(len(corpus))[: int(documents)]
    corpus = corpus.take(np.sort(rows))
    texts = corpus.text(np.arange(len(corpus)))
    os.environ["REWEIGHTVIZ_CACHE"] = "off"
    options = {"dimensions": DIMENSIONS, "layers": int(layers), "longest": LONGEST}
    options["label"] = "ours"
    rv.gradients(corpus.take(range(4)), model, **options)  # what is made once
    start = time.perf_counter()
    ours = rv.gradients(corpus, model, **options)["gradient:ours"]
    batched = time.perf_counter() - start
    start = time.perf_counter()
    lengths, exact = run_plain_loop(texts, model, int(layers))
    plain = time.perf_counter() - start
    fine = np.isfinite(ours).all(1) & np.isfinite(exact)
    ratio = float(((ours[fine] ** 2).sum(1) / exact[fine]).mean())
    print(
        f"{name}: {len(texts)} documents, {sum(lengths):,} tokens, last {layers} blocks, "
        f"{torch.get_num_threads()} threads; ours {len(texts) / batched:.1f} documents/s "
        f"({sum(lengths) / batched:,.0f} tokens/s), one by one {len(texts) / plain:.1f}, "
        f"{plain / batched:.1f} times; squared length kept {ratio:.3f}"
    )


def run_plain_loop(texts, model, layers):
    """Return tokens and the squared length of each document's gradient."""
    loaded = load_language_model(model)
    parameters = list(choose_parameters(loaded.module, layers).values())
    lengths = []
    squares = []
    for tokens in loaded.encode(texts):
        cut = tokens[: min(LONGEST, loaded.context)]
        ids = torch.from_numpy(cut.copy())[None].to(loaded.device)
        lengths.append(ids.shape[1])
        if ids.shape[1] < 2:
            squares.append(np.nan)
            continue
        loss = loaded.token_losses(ids, torch.ones_like(ids, dtype=torch.bool)).mean()
        gradient = torch.cat([one.flatten() for one in torch.autograd.grad(loss, parameters)])
        squares.append(float((gradient**2).sum()))
    return lengths, np.array(squares)


if __name__ == "__main__":
    main(*sys.argv[1:])
