"""gradient: the projected gradient of every document's loss, from which influence is computed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.cache import Arrays
from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import MissingColumn, MissingPackage, ReweightvizError
from reweightviz.core.types import Array, Single
from reweightviz.core.validation import whole_number
from reweightviz.features._parts import compute_in_parts, plan_parts
from reweightviz.features._vectors import unit_rows
from reweightviz.numerics.inner import precondition
from reweightviz.numerics.projection import check_projection, project

__all__ = ["gradients", "weight_difference"]


PART = 1 << 21
"""Bytes of text whose gradients are kept at once."""


def gradients(
    corpus: Corpus,
    model: Any,
    *,
    label: str | None = None,
    dimensions: int = 4096,
    layers: Any = 2,
    longest: int = 512,
    projection: str = "sparse",
    seed: int = 0,
    moments: Any = None,
    unit: bool = False,
    tokenizer: Any = None,
    device: str = "auto",
    dtype: str = "auto",
    remote_code: bool = False,
) -> Corpus:
    """Add column ``gradient:<label>`` (N, D): gradients of each document's mean loss, projected.

    Inner products are kept on average, with an error of about ``1 / sqrt(dimensions)`` of the
    lengths. A document with fewer than two tokens, or without a finite loss, has NaN. A long run is
    kept part by part: one that was cut short goes on where it was.

    Args:
        corpus: documents.
        model: as :func:`reweightviz.losses` takes it.
        label: what the column is called after the colon; the model's name when not given.
        dimensions: D, 4 bytes each a document.
        layers: whose parameters: the last n blocks, "all", or "trainable", those that require a
            gradient, such as the adapters that LESS trains.
        longest: tokens of a document that are read, from its beginning, and at most as many as the
            model reads at once.
        projection: "sparse", an addition a parameter, or "rademacher", ``dimensions`` of them.
        seed: of the projection.
        moments: (first, second) of Adam, each a mapping of a parameter's name to its moments: the
            gradients are then preconditioned, as LESS does to documents and not to targets.
        unit: whether every row is scaled to length 1.
        tokenizer: of a model of transformers; its own when not given.
        device: torch device; "auto" takes CUDA where there is one.
        dtype: of the weights; "auto" is bfloat16 on CUDA and float32 elsewhere. Sums are in float32
            in any case.
        remote_code: whether code that comes with a model may run here.

    Raises:
        ReweightvizError: no such model, device or layers.
    """
    options = _check_options(dimensions, layers, longest, projection, seed, unit=unit)
    loaded = _load(model, tokenizer, device, dtype, remote_code=remote_code)
    moved = _hash_moments(moments)
    make = _Maker(loaded, options, moments)
    key = (corpus.digest("text"), loaded.stamp, dtype, *options.values(), moved)
    parts = plan_parts(corpus, 8 * longest, PART)

    def compute(rows: NDArray[np.int64]) -> Arrays:
        return {"gradient": make(corpus.text(rows))}

    found = compute_in_parts("gradients", key, parts, compute)["gradient"]
    recipe = {
        "verb": "gradients",
        "model": os.fspath(model) if isinstance(model, str | os.PathLike) else None,
        "stamp": loaded.stamp,
        "tokenizer": loaded.tokenizer,
        "options": options | {"dtype": dtype},
        "moments": moved,
        "missing": int(np.isnan(found).any(1).sum()),
    }
    return corpus.with_column(f"gradient:{label or _name(model)}", found, recipe=recipe)


def weight_difference(
    model: Any,
    reference: Any,
    *,
    dimensions: int = 4096,
    layers: Any = 2,
    projection: Any = "sparse",
    seed: int = 0,
) -> Array:
    """Return a reference's weights less a model's (D,), projected as their gradients are.

    It is what the scorers Mimic and WeightsToData take.

    Args:
        model: the one that the gradients are of: a torch module, or what :func:`gradients` takes.
        reference: one of the same shape.
        dimensions: as of the gradients.
        layers: as of the gradients.
        projection: as of the gradients.
        seed: as of the gradients.
    """
    first = _load_module(model)
    second = _load_module(reference)
    from reweightviz.models.gradients import flatten_difference

    options = _check_options(dimensions, layers, 2, projection, seed, unit=False)
    found = flatten_difference(first, second, layers, _make_projector(options))
    return found.astype(np.float64)


class _Maker:
    """Makes gradients of texts; what was checked at the first batch holds for the next."""

    def __init__(self, model: Any, options: dict[str, Any], moments: Any) -> None:
        from reweightviz.models.gradients import ExampleGradients

        self._model = model
        self._longest = min(options["longest"], model.context)
        self._dimensions = options["dimensions"]
        self._unit = options["unit"]
        self._make = ExampleGradients(
            model,
            layers=options["layers"],
            projector=_make_projector(options),
            precondition=_make_precondition(moments),
        )

    def __call__(self, texts: Sequence[str]) -> Single:
        from reweightviz.models.batches import choose_budget, run_batches
        from reweightviz.models.language_model import pad

        model = self._model
        sequences = [ids[: self._longest] for ids in model.encode(texts)]
        out = np.full((len(sequences), self._dimensions), np.nan, np.float32)
        used = [row for row, ids in enumerate(sequences) if len(ids) > 1]

        def run(batch: NDArray[np.int64]) -> Single:
            found = self._make(*pad([sequences[used[one]] for one in batch], model.device))
            return np.asarray(found.cpu())

        lengths = [len(sequences[row]) for row in used]
        # The pass backwards keeps what the one forwards lets go of.
        budget = choose_budget(model.device, 4 * model.width)
        for batch, found in run_batches(lengths, budget, run, what=f"gradients {model.name}"):
            out[[used[one] for one in batch]] = found
        return unit_rows(out) if self._unit else out


def _load(model: Any, tokenizer: Any, device: str, dtype: str, *, remote_code: bool = False) -> Any:
    try:
        from reweightviz.models.load_model import load_language_model
    except ImportError:
        raise MissingPackage(package="torch", extra="torch", who="rv.gradients") from None
    return load_language_model(
        model, tokenizer=tokenizer, device=device, dtype=dtype, remote_code=remote_code
    )


def _make_projector(options: dict[str, Any]) -> Any:
    """Return the projection of the options, which checks each device at its first use."""
    from reweightviz.models.gradients import Projector

    kind = options["projection"]
    seed = options["seed"]
    dimensions = options["dimensions"]

    def run(part: Any, start: int) -> Any:
        check_projection(part, dimensions, seed=seed, kind=kind)
        return project(part, dimensions, seed=seed, kind=kind, start=start)

    return Projector(dimensions, run)


def _make_precondition(moments: Any) -> Any:
    """Return what Adam with these moments makes of a parameter's gradients."""
    if moments is None:
        return None
    first, second = moments

    def run(name: str, gradient: Any) -> Any:
        if name not in first or name not in second:
            raise MissingColumn(column=name, available=first, who="moments")
        means = [gradient.new_tensor(_as_numbers(one[name])) for one in (first, second)]
        return precondition(gradient, *means)

    return run


def _load_module(model: Any) -> Any:
    if hasattr(model, "named_parameters"):
        return model
    return _load(model, None, "cpu", "float32").module


def _name(model: Any) -> str:
    from reweightviz.models.load_model import name_model

    return name_model(model)


def _check_options(
    dimensions: int, layers: Any, longest: int, projection: str, seed: int, *, unit: bool
) -> dict[str, Any]:
    return {
        "dimensions": whole_number("dimensions", dimensions, 1),
        "layers": layers,
        "longest": whole_number("longest", longest, 2),
        "projection": projection,
        "seed": whole_number("seed", seed),
        "unit": bool(unit),
    }


def _as_numbers(values: Any) -> Single:
    """Return the moments of a parameter in a row, wherever a tensor of them is."""
    if hasattr(values, "detach"):
        values = values.detach().float().cpu()
    return np.ravel(np.asarray(values, np.float32))


def _hash_moments(moments: Any) -> str | None:
    """Return a hash of Adam's moments, by which results are cached; None without them."""
    if moments is None:
        return None
    total = hashlib.blake2b(digest_size=12)
    try:
        for part in moments:
            for name, values in sorted(part.items()):
                total.update(name.encode())
                total.update(_as_numbers(values).tobytes())
    except (AttributeError, TypeError, ValueError) as error:
        raise ReweightvizError(
            "moments must be a pair of mappings, Adam's first and second moments by the name of "
            f"the parameter; got {type(moments).__name__}."
        ) from error
    return total.hexdigest()
