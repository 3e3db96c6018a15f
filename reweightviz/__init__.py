"""reweightviz: choose the training mix of a language model by looking at it.

Names are loaded when they are first used, so that importing reweightviz imports no torch, umap or
plotly.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from reweightviz.core.version import VERSION

__version__ = VERSION

_MAP = ("demo_corpus", "read_corpus", "open_corpus", "embed", "project", "cluster", "duplicates")
_SCORE = (
    "losses",
    "gradients",
    "weight_difference",
    "score",
    "grade",
    "distil",
    "evaluate_scores",
    "score_weights",
    "select",
    "split_domain",
    "split_by_score",
)
_MIX = (
    "demo_swarm",
    "read_swarm",
    "fit",
    "mix",
    "compare",
    "design_swarm",
    "optimize",
    "pareto",
)
_WATCH = ("demo_log", "read_log", "replay", "diagnose", "sensitivity")
_SHIP = (
    "read_sources",
    "count_sources",
    "export",
    "load_mixture",
    "load_schedule",
    "load_selection",
    "check",
    "decision_record",
    "methods",
)
_HOMES = {
    **dict.fromkeys(_MAP, "api.map"),
    **dict.fromkeys(_SCORE, "api.score"),
    **dict.fromkeys(_MIX, "api.mix"),
    **dict.fromkeys(_WATCH, "api.watch"),
    **dict.fromkeys(_SHIP, "api.ship"),
    "Corpus": "core.corpus",
    "Explorer": "apps.explorer.explorer",
    "LiveMixture": "core.live",
    "LossCurves": "widgets.curves.curves",
    "Map": "widgets.map.map",
    "Mixture": "core.mixture",
    "MixtureEditor": "widgets.editor.mixture_editor",
    "Monitor": "apps.monitor.monitor",
    "ParetoFront": "widgets.front.pareto",
    "ReweightvizError": "core.errors",
    "ReweightvizWarning": "core.errors",
    "RunLog": "core.runlog",
    "Schedule": "core.schedule",
    "Selection": "core.selection",
    "Source": "core.sources",
    "Sources": "core.sources",
    "Swarm": "core.swarm",
    "WeightTrajectories": "widgets.curves.curves",
}
_MODULES = {name: name for name in ("laws", "mixers", "scorers", "selectors", "training")} | {
    "errors": "core.errors",
    "graders": "features.graders",
}

__all__ = sorted([*_HOMES, *_MODULES])  # noqa: PLE0605  sorted makes a list


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        value: Any = import_module(f"reweightviz.{_MODULES[name]}")
    elif name in _HOMES:
        value = getattr(import_module(f"reweightviz.{_HOMES[name]}"), name)
    else:
        raise AttributeError(f"module 'reweightviz' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
