"""The skills graph: the use of training on one domain alone for every other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from reweightviz.core.corpus import Corpus
from reweightviz.core.mixture import Mixture
from reweightviz.models.byte_transformer import ByteTransformer
from reweightviz.training.measurements import mean_losses
from reweightviz.training.proxy_data import ProxyData, cut_corpus
from reweightviz.training.train_config import TrainConfig
from reweightviz.training.trainer import train

__all__ = ["skill_graph"]


def skill_graph(
    corpus: Corpus | ProxyData,
    config: TrainConfig,
    seeds: Sequence[int] = (0,),
    *,
    device: str = "auto",
) -> NDArray[np.float64]:
    """Learn the skills graph (K, K) that Skill-It starts from, by K short runs a seed.

    Row i is the domain trained on, column j the domain looked at: the share of its validation
    loss that a run on i alone takes off, the mean over seeds; a harmful domain is negative. The
    documents looked at are the half that no final comparison uses.

    Args:
        corpus: documents, or :class:`ProxyData` made from them.
        config: of each run; a tenth of the steps of the real run is enough for the order.
        seeds: of the runs.
        device: "auto" takes CUDA where there is one.
    """
    data = cut_corpus(corpus, config.model.context)
    K = len(data.domains)
    total = np.zeros((K, K))
    for seed in seeds:
        # As in train, so that this is the model that each of its runs begins with.
        torch.manual_seed(seed)
        start = mean_losses(ByteTransformer(config.model), data.validation)
        for row, name in enumerate(data.domains):
            alone = Mixture({domain: float(domain == name) for domain in data.domains})
            model = train(data, alone, seed=seed, config=config, device=device).model
            total[row] += 1 - mean_losses(model, data.validation) / start
    return total / len(seeds)
