"""The notes below the tables of a decision record."""

from __future__ import annotations

from reweightviz.decision.decision import Decision

__all__ = ["note_intervals", "note_weights"]


def note_weights(decision: Decision) -> str:
    """Return what a weight is."""
    if not decision.tokenizer:
        return "A weight is a share of training tokens."
    return f"A weight is a share of training tokens, as counted by {decision.tokenizer}."


def note_intervals(decision: Decision, dots: str = "") -> str:
    """Return how the intervals were made, and what they do not hold.

    Args:
        decision: has the predictions.
        dots: how a drawing marks what holds on average alone.
    """
    hopeful = ""
    # The least of noisy predictions is more often one that errs low: the optimiser's curse.
    if ("method", "optimize") in decision.constraints:
        hopeful = " The mixture was found by minimising this law, which flatters it."
    if decision.paired:
        return (
            "Beside them 90 % intervals: for a loss, of one new run; for the difference, "
            f"of {decision.paired} paired draws of the law, "
            "in which the noise that both runs share cancels. "
            f"“On average”{dots}: less than the noise of one run, which may not show it.{hopeful}"
        )
    if not any(one.chosen.has_interval for one in decision.targets):
        return (
            "The law gives no intervals, so it is not known whether a difference is more "
            f"than noise.{hopeful}"
        )
    return (
        "Beside them 90 % intervals; that of a difference is as wide as the intervals of both "
        "allow, and that of a mean as if all targets erred together, since the law gives no "
        f"paired draws.{hopeful}"
    )
