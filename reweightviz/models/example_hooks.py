"""Hooks that see the gradient of every example of a batch in one pass backwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

__all__ = ["Place", "watch_examples"]


_NUMBERS = 1 << 26  # of gradients, made at once


class Place(NamedTuple):
    """Where a parameter stands in the whole gradient."""

    name: str
    start: int
    parameter: nn.Parameter


Add = Callable[[Place, Tensor, int], None]


@contextmanager
def watch_examples(
    module: nn.Module, places: dict[int, Place], rows: int, add: Add
) -> Iterator[None]:
    """Hand the gradients of every example on while a pass runs within.

    Args:
        module: the model.
        places: the parameters that are wanted, by identity.
        rows: examples B of the batch.
        add: takes a parameter, a part (B, n) of its gradients and where that starts.
    """
    handles = []
    for layer in module.modules():
        own = {
            name: places[id(one)]
            for name, one in layer.named_parameters(recurse=False)
            if id(one) in places
        }
        if own:
            handles.append(layer.register_forward_hook(_Watch(own, rows, add)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Watch:
    """The hook of one layer: called behind its pass forwards, it waits for the one backwards."""

    def __init__(self, own: dict[str, Place], rows: int, add: Add) -> None:
        self._own = own
        self._rows = rows
        self._add = add
        self._is_busy = False  # within a pass that the hook itself runs

    def __call__(self, layer: nn.Module, given: tuple[Any, ...], output: Any) -> Tensor | None:
        if self._is_busy or len(given) != 1 or not isinstance(output, Tensor):
            return None
        inputs: Tensor = given[0].detach()
        if len(inputs) == 1 < self._rows:
            # One row for all, as positions are embedded: each example gets its own.
            inputs = inputs.expand(self._rows, *inputs.shape[1:])
            output = output.expand(self._rows, *output.shape[1:])
        if len(inputs) != self._rows or not torch.is_grad_enabled():
            return None
        if not output.requires_grad:
            # Here the pass backwards ends. The copy may be changed in place, a leaf may not.
            output = output.detach().requires_grad_().clone()

        watched: Tensor = output

        def record(gradient: Tensor) -> None:
            self._is_busy = True
            try:
                with torch.no_grad():
                    _add_layer(layer, self._own, inputs, gradient, self._add)
            finally:
                self._is_busy = False

        watched.register_hook(record)  # type: ignore[no-untyped-call]
        return watched


def _add_layer(
    layer: nn.Module, own: dict[str, Place], inputs: Tensor, gradient: Tensor, add: Add
) -> None:
    """Add the gradients of one layer's parameters for each example."""
    kind = type(layer).__name__
    left = dict(own)
    if kind == "Embedding" and "weight" in left:
        _add_embedding(layer, left.pop("weight"), inputs, gradient, add)
    elif isinstance(layer, nn.Linear) or kind == "Conv1D":
        rows = len(inputs)
        x = inputs.reshape(rows, -1, inputs.shape[-1]).float()
        g = gradient.reshape(rows, -1, gradient.shape[-1]).float()
        if "weight" in left:
            # transformers' Conv1D, of GPT-2, holds its weights the other way around.
            first, second = (x, g) if kind == "Conv1D" else (g, x)
            _add_products(left.pop("weight"), first, second, add)
        if "bias" in left:
            add(left.pop("bias"), g.sum(1), 0)
    if left:
        _add_other(layer, left, inputs, gradient, add)


def _add_products(place: Place, first: Tensor, second: Tensor, add: Add) -> None:
    """Add sums over positions of first (B, T, m) times second (B, T, n), some rows at once."""
    rows = len(first)
    height = first.shape[-1]
    width = second.shape[-1]
    step = max(_NUMBERS // (rows * width), 1)
    for start in range(0, height, step):
        part = first[..., start : start + step].transpose(1, 2) @ second
        add(place, part.reshape(rows, -1), start * width)


def _add_embedding(
    layer: nn.Module, place: Place, inputs: Tensor, gradient: Tensor, add: Add
) -> None:
    """Add the gradient of each position to the row of its token, some of the table at once."""
    height, width = place.parameter.shape
    rows = len(inputs)
    tokens = inputs.reshape(rows, -1)
    g = gradient.reshape(rows, -1, width).float()
    padding: Any = getattr(layer, "padding_idx", None)
    if padding is not None:
        g = g * (tokens != padding)[..., None]
    step = max(_NUMBERS // (rows * width), 1)
    for start in range(0, height, step):
        count = min(step, height - start)
        here = (tokens >= start) & (tokens < start + count)
        if not here.any():
            continue
        part = g.new_zeros(rows, count, width)
        index = (tokens - start).clamp(0, count - 1)
        part.scatter_add_(1, index[..., None].expand_as(g), g * here[..., None])
        add(place, part.reshape(rows, -1), start * width)


def _add_other(
    layer: nn.Module, own: dict[str, Place], inputs: Tensor, gradient: Tensor, add: Add
) -> None:
    """Add gradients of any small layer, such as a norm: its own pass, mapped over the examples."""
    weights = {name: getattr(layer, name).detach() for name in own}

    def pull(x: Tensor, g: Tensor) -> dict[str, Tensor]:
        def run(weights: dict[str, Tensor]) -> Tensor:
            out: Tensor = torch.func.functional_call(layer, weights, (x[None],))
            return out

        back = torch.func.vjp(run, weights)[1]
        found: dict[str, Tensor] = back(g[None])[0]
        return found

    with torch.enable_grad():
        found = torch.func.vmap(pull)(inputs, gradient)
    for name, place in own.items():
        add(place, found[name].reshape(len(inputs), -1), 0)
