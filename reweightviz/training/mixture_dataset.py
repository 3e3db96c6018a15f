"""A map-style dataset as a stream of batches by a mixture, for DataLoader workers that draw for themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from torch.utils.data import Dataset, IterableDataset, default_collate, get_worker_info

from reweightviz.core.errors import ReweightvizError
from reweightviz.training.mixture_sampler import MixtureSampler
from reweightviz.training.ranks import worker


class WithDomains(Dataset[Any]):
    """A map-style dataset of dicts, each with ``domain_ids``: the place of its domain among the sampler's domains.

    Args:
        data: rows as the sampler counts them.
        sampler: knows the domain of every row.
    """

    def __init__(self, data: Any, sampler: MixtureSampler) -> None:
        self._data, self._sampler = data, sampler

    def __len__(self) -> int:
        return len(self._data)

    def __getitem__(self, row: int) -> dict[str, Any]:
        return {**self._data[row], "domain_ids": int(self._sampler.domain_codes(row))}


class MixtureDataset(IterableDataset[Any]):
    """Whole batches of this rank, without end: ``DataLoader(MixtureDataset(data, sampler), batch_size=None, num_workers=2)``.

    The workers of a DataLoader take turns, so the batches come in the order of the sampler
    whatever their number.

    Args:
        data: a map-style dataset of dicts.
        sampler: says which rows; where it stands is where the stream begins.
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
        self._rows, self._sampler, self._collate = WithDomains(data, sampler), sampler, collate
        self._begun = False  # in this worker

    def __iter__(self) -> Iterator[Any]:
        if self._begun:
            raise ReweightvizError(
                "a worker that lives on does not know where the sampler went since: "
                "leave persistent_workers=False."
            )
        self._begun = get_worker_info() is not None
        mine, workers = worker()
        for place in count(self._sampler.step * self._sampler.accumulation + mine, workers):
            yield self._collate([self._rows[row] for row in self._sampler.rows(place).tolist()])
