"""A map-style dataset as a stream of batches by a mixture, drawn in the DataLoader's workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from torch.utils.data import Dataset, IterableDataset, default_collate, get_worker_info

from reweightviz.core.errors import ReweightvizError
from reweightviz.training.mixture_sampler import MixtureSampler
from reweightviz.training.ranks import find_worker

__all__ = ["MixtureDataset", "WithDomains"]


class WithDomains(Dataset[Any]):
    """A map-style dataset of dicts, each with ``domain_ids``.

    That is the place of the row's domain among the sampler's domains.

    Args:
        data: rows as the sampler counts them.
        sampler: of the same rows.
    """

    def __init__(self, data: Any, sampler: MixtureSampler) -> None:
        self._data = data
        self._sampler = sampler

    def __len__(self) -> int:
        return len(self._data)

    def __getitem__(self, row: int) -> dict[str, Any]:
        return {**self._data[row], "domain_ids": int(self._sampler.domain_codes(row))}


class MixtureDataset(IterableDataset[Any]):
    """Whole batches of this rank, without end.

    For ``DataLoader(MixtureDataset(data, sampler), batch_size=None, num_workers=2)``. The workers
    of a DataLoader take turns, so the batches come in the order of the sampler whatever their
    number.

    Args:
        data: a map-style dataset of dicts.
        sampler: of the rows; where it stands is where the stream begins.
        collate: makes a batch of a list of rows.

    Raises:
        ReweightvizError: a worker is to begin a second time (``persistent_workers=True``).
    """

    def __init__(
        self,
        data: Any,
        sampler: MixtureSampler,
        collate: Callable[[list[Any]], Any] = default_collate,
    ) -> None:
        self._rows = WithDomains(data, sampler)
        self._sampler = sampler
        self._collate = collate
        self._begun = False  # in this worker

    def __iter__(self) -> Iterator[Any]:
        if self._begun:
            raise ReweightvizError(
                "a worker that lives on has no sight of where the sampler went since: "
                "leave persistent_workers=False."
            )
        self._begun = get_worker_info() is not None
        mine, workers = find_worker()
        first = self._sampler.step * self._sampler.accumulation
        for place in count(first + mine, workers):
            yield self._collate([self._rows[row] for row in self._sampler.rows(place).tolist()])
