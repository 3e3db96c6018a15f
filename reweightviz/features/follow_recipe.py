"""Follow a recipe: make a column's values for texts that are not in the corpus."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import ReweightvizError
from reweightviz.core.recipes import is_alike
from reweightviz.core.types import kind_of
from reweightviz.features.embed import embed_texts
from reweightviz.features.gradients import gradients
from reweightviz.features.losses import losses

__all__ = ["FROM_TEXT", "follow_recipe"]


FROM_TEXT = ("embed", "losses", "gradients")
"""Verbs that make a document's value of its own text."""


def follow_recipe(corpus: Corpus, column: str, texts: Sequence[str], *, plain: bool = False) -> Any:
    """Return the values (n, ...) of texts, made as those of a column were.

    Args:
        corpus: with the column, and its recipe.
        column: which one; its verb is of ``FROM_TEXT``.
        texts: n of them.
        plain: without Adam's moments, where the column's gradients have them: LESS
            preconditions the documents and not the target.

    Raises:
        ReweightvizError: the column was made by a model that lies nowhere, or by another one than
            lies there now.
    """
    recipe = corpus.recipes[column]
    if recipe["verb"] == "embed":
        return embed_texts(corpus, column, texts)
    verbs: dict[str, Callable[..., Corpus]] = {"losses": losses, "gradients": gradients}
    _check_model(column, recipe, plain=plain)
    small = Corpus({"text": list(texts), "domain": ["target"] * len(texts)})
    made = verbs[recipe["verb"]](small, recipe["model"], label="made", **recipe["options"])
    # Of a run that keeps the losses of tokens there are two columns.
    own = f"{kind_of(column)}:made"
    if not is_alike(made.recipes[own], recipe):
        raise ReweightvizError(
            f"column {column!r} was made by {recipe['model']!r} when another model lay there; "
            f"rv.{recipe['verb']}(corpus, {recipe['model']!r}) makes the column anew."
        )
    return made[own]


def _check_model(column: str, recipe: Mapping[str, Any], *, plain: bool) -> None:
    """Refuse to follow a recipe whose model or moments were only in memory."""
    what = ""
    if recipe["model"] is None:
        what = "a model in memory"
    elif recipe.get("moments") and not plain:
        what = "moments in memory"
    if what:
        raise ReweightvizError(
            f"column {column!r} was made with {what}, so no other text can be put through the "
            "same; a model that is saved, and given by its path, can."
        )
