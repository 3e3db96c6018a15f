"""The type of a figure, for rooms whose nouns offer one and that import no plotly."""

from __future__ import annotations

from typing import TypeAlias

import plotly.graph_objects as go

__all__ = ["Figure"]


Figure: TypeAlias = go.Figure
