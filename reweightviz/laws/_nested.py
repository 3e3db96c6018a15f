"""Nested scaling laws: the loss of each mixture at other training tokens and another model size.

The first two steps of Jiasheng Ye et al., "Data Mixing Laws: Optimizing Data Mixtures by
Predicting Language Modeling Performance", ICLR 2025, https://arxiv.org/abs/2403.16952: a power law
over training tokens, then one over model size, each with an exponent that all mixtures and targets
share; the mixing law is then fitted to what they give. Followed: the form in the authors' public
code, ``exp(log c) + exp(alpha (log x0 - log x))``. Ours: least squares with the linear part solved
exactly, where they use L-BFGS from a grid under a Huber loss.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.repeats import group_equal_mixtures
from reweightviz.core.types import Array
from reweightviz.numerics.power_laws import fit_power_laws

__all__ = ["Extrapolated", "extrapolate"]


class Extrapolated(NamedTuple):
    """G mixtures (G, K), their losses (G, M) at one length and size, and the exponents."""

    mixtures: Array
    losses: Array
    exponents: dict[str, list[float]]


def extrapolate(
    mixtures: Array,
    losses: Array,
    *,
    run_tokens: Array | None = None,
    tokens: float | None = None,
    size: Array | None = None,
    to_size: float | None = None,
) -> Extrapolated:
    """Return the losses of each mixture at ``tokens`` training tokens and ``to_size`` parameters.

    Args:
        mixtures: (R, K); rows of one mixture at several tokens or sizes are runs, or checkpoints,
            of it.
        losses: (R, M), above 0.
        run_tokens: (R,), needed with ``tokens``.
        tokens: training tokens to read the curves at; None leaves the tokens alone.
        size: (R,) parameters of the models, needed with ``to_size``.
        to_size: parameters to read the curves at; None leaves the sizes alone.

    Raises:
        ReweightvizError: a mixture has too few tokens or sizes for a curve.

    Example:
        >>> tokens = np.array([1e9, 2e9, 4e9])
        >>> losses = (2 + (tokens / 1e9) ** -0.5)[:, None]
        >>> found = extrapolate(
        ...     np.tile([0.5, 0.5], (3, 1)), losses, run_tokens=tokens, tokens=100e9
        ... )
        >>> found.mixtures.tolist(), found.losses.round(4).tolist()
        ([[0.5, 0.5]], [[2.1]])
    """
    sizes = np.ones(len(mixtures)) if size is None else size
    exponents: dict[str, list[float]] = {}
    # Tokens first, at each size by itself; then sizes, at those tokens.
    if tokens is not None:
        if run_tokens is None:
            raise ReweightvizError(
                "to extrapolate over tokens, run_tokens must hold how long each run trained."
            )
        curves = []
        for one in np.unique(sizes):
            rows = sizes == one
            curve = _read_curves(
                mixtures[rows], losses[rows], run_tokens[rows], tokens, "training tokens"
            )
            curves.append((curve, np.full(len(curve.mixtures), one)))
        mixtures = np.concatenate([curve.mixtures for curve, _ in curves])
        losses = np.concatenate([curve.losses for curve, _ in curves])
        sizes = np.concatenate([each for _, each in curves])
        exponents["tokens"] = [curve.exponent for curve, _ in curves]
    if to_size is not None:
        if size is None:
            raise ReweightvizError(
                "to extrapolate over model size, size must hold how many parameters each run had."
            )
        curve = _read_curves(mixtures, losses, sizes, to_size, "model sizes")
        return Extrapolated(curve.mixtures, curve.losses, {**exponents, "size": [curve.exponent]})
    return Extrapolated(mixtures, losses, exponents)


class _Readings(NamedTuple):
    """G mixtures (G, K), their losses (G, M) where the curves were read, and the exponent."""

    mixtures: Array
    losses: Array
    exponent: float


def _read_curves(w: Array, y: Array, x: Array, where: float, what: str) -> _Readings:
    """Fit a curve over x (R,) to the runs of each mixture, and read it at ``where``."""
    group = group_equal_mixtures(w)
    _, first = np.unique(group, return_index=True)
    different = np.array([len(np.unique(x[group == g])) for g in range(len(first))])
    # A floor and a scale for every mixture, and one exponent for all of them.
    if (different < 2).any() or different.max() < 3:
        run = int(first[np.argmin(different)])
        raise ReweightvizError(
            f"a curve over {what} needs at least two of them for every mixture and three for one; "
            f"that of run {run} has {different.min()}, and the most is {different.max()}: add runs "
            "or checkpoints."
        )
    laws = fit_power_laws(x, y, group)
    # The mixtures keep the order in which they came.
    order = np.argsort(first)
    return _Readings(w[first[order]], laws.at(where)[order], laws.exponent)
