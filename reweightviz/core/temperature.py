"""Weights by temperature, also one that changes as training goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import InvalidValue, ReweightvizError, UnknownName
from reweightviz.core.validation import whole_number

__all__ = ["PATHS", "cooldown_stages", "parse_temperatures", "temperature_weights"]


PATHS: dict[str, Callable[[float], float]] = {
    "step": lambda _: 0.0,
    "linear": lambda part: part,
    "cosine": lambda part: (1 - float(np.cos(np.pi * part))) / 2,
}
"""Share of the way from one exponent to the next, by the share of the steps that are done."""


def temperature_weights(tokens: ArrayLike, exponent: float) -> NDArray[np.float64]:
    """Return weights (K,) proportional to ``tokens ** exponent``; empty domains get 0.

    The exponent is 1/T of the temperature convention: 1 is natural, 0 is uniform over the domains
    that hold anything.
    """
    n = np.asarray(tokens, np.float64)
    if n.ndim != 1 or not n.size or not np.isfinite(n).all() or (n < 0).any() or not n.any():
        raise InvalidValue(
            name="tokens", value=n, expected="(K,) numbers >= 0, at least one above 0"
        )
    if not np.isfinite(exponent):
        raise InvalidValue(
            name="exponent", value=exponent, expected="a finite number (1 natural, 0 uniform)"
        )
    # Natural shares are exact, without the rounding of a logarithm and its exponential.
    if exponent == 1:
        return np.asarray(n / n.sum(), np.float64)
    filled = n > 0
    # By logarithms, for a large exponent overflows.
    scaled = np.log(n[filled]) * exponent
    weights = np.zeros(n.shape)
    weights[filled] = np.exp(scaled - scaled.max())
    return np.asarray(weights / weights.sum(), np.float64)


def cooldown_stages(
    tokens: ArrayLike,
    temperatures: Sequence[tuple[int, float]],
    *,
    path: str = "step",
    every: int = 100,
) -> dict[int, NDArray[np.float64]]:
    """Return first step to weights (K,), as the temperature changes by the step.

    Weights are proportional to ``tokens ** (1 / temperature)``.

    Args:
        tokens: (K,) available in each domain; one without any gets 0.
        temperatures: (step, temperature) pairs, the first at step 0; the last temperature holds to
            the end.
        path: "step" holds each temperature until the next; "linear" and "cosine" go there in the
            exponent, 1 / temperature.
        every: steps that a stage lasts on the way; each has the temperature of its first step.

    Example:
        >>> stages = cooldown_stages([9, 1], [(0, 2.0), (200, 1.0)], path="linear")
        >>> {step: weights.round(3).tolist() for step, weights in stages.items()}
        {0: [0.75, 0.25], 100: [0.839, 0.161], 200: [0.9, 0.1]}
    """
    pairs = parse_temperatures(temperatures)
    if path not in PATHS:
        raise UnknownName(kind="path of a cooldown", name=path, known=PATHS)
    every = whole_number("every", every, 1)
    exponents = {pairs[-1][0]: 1 / pairs[-1][1]}
    for (begin, hot), (end, cold) in pairwise(pairs):
        steps = [begin] if path == "step" else range(begin, end, every)
        for step in steps:
            way = PATHS[path]((step - begin) / (end - begin))
            exponents[step] = 1 / hot + (1 / cold - 1 / hot) * way
    return {step: temperature_weights(tokens, exponents[step]) for step in sorted(exponents)}


def parse_temperatures(temperatures: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Return the (step, temperature) pairs of a cooldown, in order; refuse what is none."""
    try:
        pairs = [(whole_number("a step", step), float(value)) for step, value in temperatures]
    except (TypeError, ValueError) as error:
        raise InvalidValue(
            name="temperatures",
            value=temperatures,
            expected="(step, temperature) pairs, such as ((0, 5), (8000, 1))",
        ) from error
    steps = [step for step, _ in pairs]
    if not pairs or steps[0] != 0 or any(later <= earlier for earlier, later in pairwise(steps)):
        raise ReweightvizError(
            "the temperatures of a cooldown begin at step 0, each later than the one "
            f"before; got steps {steps[:12]}."
        )
    if not all(temperature > 0 for _, temperature in pairs):
        raise InvalidValue(
            name="every temperature",
            value=[t for _, t in pairs][:12],
            expected="above 0 (1 natural, larger is flatter)",
        )
    return pairs
