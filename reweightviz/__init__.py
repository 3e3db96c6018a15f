"""reweightviz: choose the training mix of a language model by looking at it.

Names are loaded when they are first used, so that importing reweightviz imports no torch, umap or
plotly.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from reweightviz.core.version import VERSION

__version__ = VERSION

_VERBS = (
    "check",
    "cluster",
    "decision_record",
    "demo_corpus",
    "demo_log",
    "demo_swarm",
    "embed",
    "export",
    "fit",
    "load_mixture",
    "load_schedule",
    "load_selection",
    "losses",
    "methods",
    "mix",
    "open_corpus",
    "project",
    "read_corpus",
    "read_log",
    "read_sources",
    "read_swarm",
    "score",
    "select",
    "split_domain",
)
_HOMES = dict.fromkeys(_VERBS, "api") | {
    "compare": "evaluation.compare",
    "design_swarm": "proposals.design_swarm",
    "diagnose": "diagnostics.diagnose",
    "optimize": "proposals.optimize",
    "pareto": "proposals.pareto",
    "replay": "diagnostics.replay",
    "sensitivity": "diagnostics.sensitivity",
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
    "errors": "core.errors"
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
