"""Gradients of each example's loss, many examples at once, projected as they come.

The gradient of a linear layer's weights is a sum over positions of the layer's input times the
gradient of its output. Hooks see both, a row an example, so one pass backwards gives the gradient
of every example, where autograd alone gives their sum. It is projected layer by layer: no example's
whole gradient is ever held. Nothing below the lowest chosen layer is differentiated.

Whether the hooks saw every use of the weights is checked at the first batch, against autograd: the
projection is linear, so the rows must add up to the projection of the batch's gradient. Where they
do not, as where a model uses weights without calling the module that owns them, each example takes
its own pass backwards: slower, and right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reweightviz.core.errors import InvalidValue, ReweightvizError, UnmetNeed
from reweightviz.models.example_hooks import Place, watch_examples

__all__ = ["ExampleGradients", "Layers", "Projector", "choose_parameters", "flatten_difference"]


Layers = int | Literal["all", "trainable"]
"""Which parameters: of the last n blocks, all, or those that require a gradient (adapters)."""
_LARGEST = 1 << 22  # parameters, of gradients that are not projected


class Projector(NamedTuple):
    """A linear map of whole gradients to shorter ones, block by block.

    Attributes:
        dimensions: D, numbers that are left.
        project: numbers (B, n) and the place of their first in the whole to its share (B, D).
    """

    dimensions: int
    project: Callable[[Tensor, int], Tensor]


def choose_parameters(module: nn.Module, layers: Layers) -> dict[str, nn.Parameter]:
    """Return the parameters by name, in the module's order; one that is shared stands once.

    Args:
        module: a language model.
        layers: the last n blocks, where the blocks are the longest ``nn.ModuleList``; "all"; or
            "trainable", those that require a gradient, such as adapters.

    Raises:
        ReweightvizError: there are none.
    """
    named = dict(module.named_parameters())
    if layers == "trainable":
        named = {name: one for name, one in named.items() if one.requires_grad}
    elif layers != "all":
        if not isinstance(layers, int) or isinstance(layers, bool) or layers < 1:
            raise InvalidValue(
                name="layers",
                value=layers,
                expected="a number of blocks of at least 1, 'all' or 'trainable'",
            )
        lists = [each for each in module.modules() if isinstance(each, nn.ModuleList)]
        blocks = max(lists, key=len, default=nn.ModuleList())
        last = {id(one) for block in list(blocks)[-layers:] for one in block.parameters()}
        named = {name: one for name, one in named.items() if id(one) in last}
    if not named:
        raise UnmetNeed(
            name="rv.gradients",
            value=layers,
            expected="layers that have parameters; 'all' takes every one",
        )
    return named


def flatten_difference(
    module: nn.Module, reference: nn.Module, layers: Layers, projector: Projector
) -> NDArray[np.float32]:
    """Return the reference's weights less the module's, projected (D,) as the gradients are.

    Args:
        module: the model that the gradients are of.
        reference: one of the same shape.
        layers: as of the gradients.
        projector: as of the gradients.

    Raises:
        ReweightvizError: the two have other parameters.
    """
    others = dict(reference.named_parameters())
    out = torch.zeros(1, projector.dimensions)
    start = 0
    for name, one in choose_parameters(module, layers).items():
        other = others.get(name)
        if other is None or other.shape != one.shape:
            raise UnmetNeed(
                name="a difference of weights",
                value=name,
                expected=f"a reference with the parameter {name!r} of shape {tuple(one.shape)}",
                got="a model without it",
            )
        change = (other.detach().float().cpu() - one.detach().float().cpu()).reshape(1, -1)
        out += projector.project(change, start)
        start += one.numel()
    return out[0].numpy()


@dataclass
class ExampleGradients:
    """Gradients (B, D) of the mean token losses of a batch of examples, in float32.

    Args:
        model: has ``module``, an ``nn.Module``, and ``token_losses(ids, mask) -> (B, L-1)`` in
            nats, which can be differentiated.
        layers: whose parameters; see :func:`choose_parameters`.
        projector: makes them shorter; None for the gradients themselves, of small models.
        precondition: a parameter's name and its gradients (B, n) to what is projected instead.
        by_one: whether every example takes its own pass; set where the hooks miss a use.
    """

    model: Any
    layers: Layers = 2
    projector: Projector | None = None
    precondition: Callable[[str, Tensor], Tensor] | None = None
    by_one: bool = False
    _is_checked: bool = False

    def __post_init__(self) -> None:
        self.parameters = choose_parameters(self.model.module, self.layers)
        self.size = sum(one.numel() for one in self.parameters.values())
        if self.projector is None and self.size > _LARGEST:
            raise ReweightvizError(
                f"gradients of {self.size:,} parameters take {self.size * 4 / 1e6:,.0f} MB a "
                f"document; above {_LARGEST:,} they are projected, to 4,096 dimensions, say."
            )
        self.places = _places(self.parameters)

    def __call__(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return gradients (B, D); NaN for an example without a next token or a finite loss.

        Args:
            ids: (B, L) tokens, padded on the right.
            mask: (B, L) whether a token is one of the document.
        """
        module = self.model.module
        mask = mask.bool()
        was_training = module.training
        module.eval()
        try:
            if self.by_one:
                return self._one_by_one(ids, mask)
            with _frozen(module, () if self._is_checked else self.parameters.values()):
                out, losses = self._together(ids, mask)
                if not self._is_checked and bool(torch.isfinite(losses).all()):
                    self._is_checked = True
                    self.by_one = not self._adds_up(out)
            if self.by_one or not self._is_checked:
                return self._one_by_one(ids, mask)
            return self._finish(out, losses)
        finally:
            module.train(was_training)

    def _together(self, ids: Tensor, mask: Tensor) -> tuple[_Sum, Tensor]:
        """Run one pass for all examples; return what the hooks gathered, and the losses (B,)."""
        out = _Sum(self, len(ids), ids.device)
        with (
            watch_examples(self.model.module, self.places, len(ids), out.add),
            torch.enable_grad(),
        ):
            losses = _mean_losses(self.model.token_losses(ids, mask), mask)
            torch.autograd.backward(losses.sum())
        return out, losses.detach()

    def _adds_up(self, out: _Sum) -> bool:
        """Compare the sum of the examples' gradients with the batch's, by autograd."""
        for place in self.places.values():
            whole = place.parameter.grad
            if whole is None:
                continue
            found = out.totals.get(place.name, torch.zeros_like(whole, dtype=torch.float32))
            # Halves have three digits, and sum in another order here.
            slack = 1e-3 if whole.dtype == torch.float32 else 5e-2
            whole = whole.float().reshape(-1)
            if float((found.reshape(-1) - whole).norm()) > slack * float(whole.norm()) + 1e-6:
                return False
        return True

    def _one_by_one(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Run a pass for each example, its padding cut off."""
        rows = []
        parameters = list(self.parameters.values())
        with _frozen(self.model.module, parameters), torch.enable_grad():
            for row in range(len(ids)):
                kept = mask[row]
                one = ids[row, kept][None]
                out = _Sum(self, 1, ids.device)
                loss = torch.full((1,), torch.nan, device=ids.device)
                if one.shape[1] > 1:
                    whole = torch.ones_like(one, dtype=torch.bool)
                    loss = _mean_losses(self.model.token_losses(one, whole), whole)
                    found = torch.autograd.grad(loss.sum(), parameters, allow_unused=True)
                    for place, gradient in zip(self.places.values(), found, strict=True):
                        if gradient is not None:
                            out.add(place, gradient.reshape(1, -1), 0)
                rows.append(self._finish(out, loss.detach()))
        return torch.cat(rows)

    def _finish(self, out: _Sum, losses: Tensor) -> Tensor:
        values = out.finish()
        values[~torch.isfinite(losses)] = torch.nan
        return values


class _Sum:
    """Gradients of a batch as their parts come in: projected, or held where Adam needs them."""

    def __init__(self, of: ExampleGradients, rows: int, device: torch.device) -> None:
        self._of = of
        self._held: dict[str, Tensor] = {}
        self.totals: dict[str, Tensor] = {}
        width = of.projector.dimensions if of.projector else of.size
        self.values = torch.zeros(rows, width, device=device)

    def add(self, place: Place, part: Tensor, start: int) -> None:
        """Add the gradients (B, n) of a parameter's entries from ``start`` on."""
        part = part.detach().float()
        stop = start + part.shape[1]
        if place.parameter.requires_grad:
            # The batch that is checked, the only one in which autograd sums them too.
            total = self.totals.setdefault(place.name, part.new_zeros(place.parameter.numel()))
            total[start:stop] += part.sum(0)
        if self._of.precondition is None:
            self._put(place, part, start)
            return
        if place.name not in self._held:
            self._held[place.name] = part.new_zeros(len(part), place.parameter.numel())
        self._held[place.name][:, start:stop] += part

    def finish(self) -> Tensor:
        """Return the sum, preconditioned where that is wanted."""
        precondition = self._of.precondition
        if precondition is None:
            return self.values
        for place in self._of.places.values():
            held = self._held.get(place.name)
            if held is None:
                held = self.values.new_zeros(len(self.values), place.parameter.numel())
            self._put(place, precondition(place.name, held), 0)
        return self.values

    def _put(self, place: Place, part: Tensor, start: int) -> None:
        projector = self._of.projector
        left = place.start + start
        if projector is None:
            self.values[:, left : left + part.shape[1]] += part
            return
        self.values += projector.project(part, left)


def _places(parameters: dict[str, nn.Parameter]) -> dict[int, Place]:
    """Return where each parameter stands, by its identity."""
    places = {}
    start = 0
    for name, one in parameters.items():
        places[id(one)] = Place(name, start, one)
        start += one.numel()
    return places


def _mean_losses(losses: Tensor, mask: Tensor) -> Tensor:
    """Return the mean (B,) over the tokens that are predicted; NaN where there is none."""
    predicted = mask[:, 1:]
    sums = torch.where(predicted, losses, 0).sum(1)
    return sums / predicted.sum(1)


@contextmanager
def _frozen(module: nn.Module, but: Any) -> Iterator[None]:
    """Switch the gradients of all parameters off but of some, and back afterwards."""
    before = [(one, one.requires_grad, one.grad) for one in module.parameters()]
    try:
        for one, _, _ in before:
            one.requires_grad_(False)
            one.grad = None
        for one in but:
            one.requires_grad_(True)
        yield
    finally:
        for one, required, gradient in before:
            one.requires_grad_(required)
            one.grad = gradient
