"""Passes over each domain at a budget, and the number that is worth a warning."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from reweightviz.core.errors import ReweightvizError, list_names, warn
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Sources

__all__ = ["MAX_EPOCHS", "Stop", "count_epochs", "cut_at_end"]


MAX_EPOCHS = 4.0
"""Passes over one domain after which repeating it is worth a warning (Muennighoff et al., 2023)."""


class Stop(NamedTuple):
    """What ends the data with the first domain that is used up, and what would repeat it.

    Args:
        setting: the setting of the config, or the framework itself.
        remedy: what would repeat the domain, such as "'all_exhausted' repeats it"; "" where
            nothing would.
    """

    setting: str
    remedy: str = ""


def cut_at_end(
    epochs: Mapping[str, float], tokens: float | None, stop: Stop | None
) -> tuple[dict[str, float], str]:
    """Return the passes until the data end, and the sentence on it; "" where they last.

    Args:
        epochs: passes over each domain at the budget.
        tokens: the budget.
        stop: what ends the data; None where every domain is repeated.
    """
    # Ties go by name, so that the sentence does not depend on the order of the domains.
    first = min(epochs, key=lambda domain: (-epochs[domain], domain), default="")
    most = epochs.get(first, 0.0)
    if stop is None or tokens is None or not 1 + 1e-6 < most < math.inf:
        return dict(epochs), ""
    remedy = f"; {stop.remedy}" if stop.remedy else ""
    sentence = (
        f"{stop.setting} ends when {first[:60]!r} is used up, at {tokens / most:.4g} of "
        f"{tokens:.4g} tokens{remedy}."
    )
    return {domain: passes / most for domain, passes in epochs.items()}, sentence


def count_epochs(
    mixture: Mixture, sources: Sources | None, tokens: float, max_epochs: float | None = None
) -> dict[str, float]:
    """Count the passes over each domain with a weight.

    Args:
        mixture: (K,) weights, shares of training tokens.
        sources: tokens of each domain.
        tokens: budget of the run.
        max_epochs: more passes are refused; None warns above ``MAX_EPOCHS``.

    Raises:
        ReweightvizError: there are no sources, a domain with a weight holds nothing, or is passed
            over more than ``max_epochs`` times.
    """
    if sources is None:
        raise ReweightvizError(
            "epochs at a budget need sources=, the tokens of each domain; got none."
        )
    drawn = Mixture({domain: weight for domain, weight in mixture.items() if weight})
    epochs = drawn.epochs(sources.token_table, tokens)
    empty = [domain for domain, passes in epochs.items() if math.isinf(passes)]
    if empty:
        raise ReweightvizError(
            f"{list_names(empty)} has a weight above 0 but no tokens: set its weight to 0."
        )
    _check_epochs(epochs, sources, tokens, max_epochs)
    return epochs


def _check_epochs(
    epochs: Mapping[str, float], sources: Sources, tokens: float, max_epochs: float | None
) -> None:
    limit = MAX_EPOCHS
    if max_epochs is not None:
        limit = max_epochs
    # Weights capped at max_epochs reach it only up to rounding.
    often = [
        f"{domain[:60]!r} {passes:.3g}"
        for domain, passes in epochs.items()
        if passes > limit * (1 + 1e-6)
    ]
    if not often:
        return
    sentence = f"more than {limit:g} epochs at {tokens:.4g} tokens: {', '.join(often[:12])}"
    if max_epochs is None:
        warn(f"{sentence}.")
        return
    # No weights reach a budget beyond all data; then tokens= is what has to change.
    there = limit * float(sum(sources[domain].tokens for domain in epochs))
    whole = ""
    if there < tokens:
        whole = f" (all its data {limit:g} times is {there:.4g} tokens)"
    raise ReweightvizError(
        f"{sentence}{whole}: lower their weights or tokens=, or raise max_epochs."
    )
