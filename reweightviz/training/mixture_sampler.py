"""MixtureSampler: batches of documents by weights that may change while the training runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import InvalidValue, ReweightvizError, WrongContent, warn
from reweightviz.core.live import LiveMixture
from reweightviz.core.mixture import Mixture
from reweightviz.core.protocols import Mixer
from reweightviz.core.schedule import Schedule
from reweightviz.core.types import Rows
from reweightviz.core.validation import whole_number
from reweightviz.training.domain_rows import DomainRows
from reweightviz.training.draws import Draws
from reweightviz.training.live_driver import LiveDriver
from reweightviz.training.live_weights import LiveWeights
from reweightviz.training.ranks import find_rank, is_leader
from reweightviz.training.step_weights import follow_weights

__all__ = ["FORMAT", "MixtureSampler"]


FORMAT = "reweightviz.sampler/1"


class MixtureSampler:
    """A torch batch sampler: lists of row numbers without end, in shares that follow a mixture.

    The rows are a function of the seed and of the weights by step, so :meth:`history` (a
    :class:`Schedule`) with the same seed gives the same rows again. All ranks decide the same
    global batch and each takes its part; a step is one update of the model, which may be
    accumulated from several batches.

    A change of a live mixture is drawn from the next block of ``every`` steps on, behind what the
    workers of a DataLoader have drawn ahead (``num_workers * prefetch_factor`` batches on each
    rank). The history has the step whose batch it was, so it is exact.

    Args:
        data: the domain of every row (N,), or domain to number of rows, one domain after the other
            (as ConcatDataset puts them).
        follow: a mixture, a schedule, or a :class:`LiveMixture`, which rank 0 (its first worker)
            reads every ``every`` steps.
        batch: rows a step, over all ranks and accumulated batches.
        seed: of the order of the rows.
        accumulation: batches a step on each rank.
        rank: of this process; that of torch.distributed or the launcher when neither it nor ranks
            is given.
        ranks: how many there are.
        every: steps between two looks at the live mixture; 10, or 1 with a mixer.
        timeout: seconds that a rank waits for the decision of rank 0.
        mixer: a mixer that sets the live mixture, fed through :meth:`update`. One that needs
            costly signals (Aioli, SkillIt) names them in :attr:`measures`; draw with
            ``num_workers=0`` where its weights are to hold from the very next step.
        given: what the mixer's ``init`` may name beside ``tokens`` (here the rows) and ``prior``
            (the live mixture).

    Example:
        >>> sampler = MixtureSampler({"web": 90, "code": 10}, {"web": 0.75, "code": 0.25}, batch=8)
        >>> batch = next(iter(sampler))
        >>> len(batch), sum(row >= 90 for row in batch)
        (8, 2)
    """

    def __init__(
        self,
        data: Mapping[str, int] | Sequence[str] | NDArray[Any],
        follow: Mapping[str, float] | Schedule | LiveMixture,
        *,
        batch: int,
        seed: int = 0,
        accumulation: int = 1,
        rank: int | None = None,
        ranks: int | None = None,
        every: int | None = None,
        timeout: float = 300.0,
        mixer: Mixer | None = None,
        given: Mapping[str, Any] | None = None,
    ) -> None:
        if isinstance(data, Mapping):
            self._rows = DomainRows.from_sizes(data)
        else:
            self._rows = DomainRows.from_names(data)
        self.domains = self._rows.domains
        self._rank, self.ranks = _check_rank(rank, ranks)
        self.accumulation = whole_number("accumulation", accumulation, 1)
        if every is None:
            every = 10 if mixer is None else 1
        self._draws = Draws(self._rows.sizes, batch, seed)
        self._parts = self.ranks * self.accumulation
        if self._draws.batch % self._parts:
            raise ReweightvizError(
                "batch counts the rows of a step over all ranks, a multiple of "
                f"{self.ranks} ranks times {self.accumulation} batches; got {batch}."
            )
        self._weights = follow_weights(
            follow,
            self.domains,
            self._rows.sizes > 0,
            rank=self._rank,
            every=whole_number("every", every, 1),
            timeout=timeout,
        )
        self._driver = None
        if mixer is not None:
            self._driver = self._drive(mixer, given or {})
        self._place = 0  # of the next batch of this rank
        # Two counts, or a look at an earlier step between two batches would begin from 0 each time.
        self._ahead = _Seen(0, np.zeros(len(self.domains), np.int64))
        self._behind = self._ahead
        self._resumed = False

    @property
    def batch_size(self) -> int:
        """Rows in each list."""
        return self._draws.batch // self._parts

    @property
    def has_mixer(self) -> bool:
        """True where :meth:`update` is to be called."""
        return self._driver is not None

    @property
    def has_costly_mixer(self) -> bool:
        """True where a mixer will name signals in :attr:`measures` now and then."""
        return self._driver is not None and self._driver.is_costly

    @property
    def measures(self) -> tuple[str, ...]:
        """Signals beside the step's losses for the next :meth:`update`, measured after the step."""
        if self._driver is None:
            return ()
        return self._driver.measures

    @property
    def step(self) -> int:
        """The next step to be drawn; DataLoader workers draw ahead of the training."""
        return self._place // self.accumulation

    def __iter__(self) -> Iterator[list[int]]:
        while True:
            place = self._place
            self._place += 1
            yield self.rows(place).tolist()

    def rows(self, place: int) -> Rows:
        """Return the rows of this rank's batch number ``place``.

        Batch ``step * accumulation`` is the first of a step.
        """
        step, part = divmod(place, self.accumulation)
        if step == 0 and not self._resumed:
            self._warn_if_used()
        self._ahead = self._count_until(step, self._ahead)
        domains = self._draws.draw_domains(step, self._weights.at(step))
        # Domains stand in order in a step: a contiguous part would hold one or two of them alone.
        mine = slice(part * self.ranks + self._rank, None, self._parts)
        places = self._draws.draw_places(domains, self._ahead.counts, mine)
        return self._rows.find_rows(domains[mine], places)

    def domain_codes(self, rows: ArrayLike) -> Rows:
        """Return the place in ``domains`` of the domain of each row."""
        return self._rows.find_domains(np.asarray(rows, np.int64))

    def weights(self, step: int) -> Mixture:
        """Return the weights of a step by name: the order of ``domains`` is the sampler's own."""
        return Mixture(zip(self.domains, self._weights.at(step).tolist(), strict=True))

    def history(self, *, steps: int | None = None) -> Schedule:
        """Return the weights that are decided; a sampler that follows them draws the same rows."""
        return self._weights.history(steps)

    def drawn(self, step: int) -> Rows:
        """Return the rows drawn of each domain (K,) before a step."""
        self._behind = self._count_until(step, self._behind)
        return self._behind.counts.copy()

    def update(self, signals: Mapping[str, ArrayLike]) -> None:
        """Give the mixer the signals (K,) of a step; rank 0 writes its weights to the live mixture.

        Args:
            signals: by name, the same on every rank.

        Raises:
            ReweightvizError: there is no mixer, or a signal is missing that :attr:`measures` names.
        """
        if self._driver is None:
            raise ReweightvizError(
                "this sampler has no mixer to update: MixtureSampler(..., mixer=...)."
            )
        self._driver.update(signals)

    def state_dict(self, step: int | None = None) -> dict[str, Any]:
        """Return what a checkpoint keeps, small and ready for JSON.

        Args:
            step: updates done by the training. Without it, the steps drawn here, which is more
                where DataLoader workers draw ahead.
        """
        if step is None:
            step = self.step
        state = {**self._describe(), "step": step, "seen": self.drawn(step).tolist()}
        if self._driver is not None:
            state["mixer"] = self._driver.state_dict()
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint.

        Raises:
            ReweightvizError: it is the state of other data, domains, batch or seed; or of steps
                that the live mixture's journal lacks.
        """
        mine = self._describe()
        different = [
            f"{name} {state.get(name)!r:.60} instead of {mine[name]!r:.60}"
            for name in mine
            if state.get(name) != mine[name]
        ]
        if different:
            raise ReweightvizError(f"this is the state of another sampler: {'; '.join(different)}.")
        self.seek(int(state["step"]), np.array(state["seen"], np.int64))
        if self._driver is not None and "mixer" in state:
            self._driver.load_state_dict(state["mixer"])

    def seek(self, step: int, seen: Rows | None = None) -> None:
        """Go on at a step.

        Args:
            step: to be drawn next.
            seen: (K,) rows drawn before it; without them they are counted again, about 10
                microseconds a step.

        Raises:
            ReweightvizError: the live mixture's journal ends before the step.
        """
        if isinstance(self._weights, LiveWeights):
            journal = self._weights.live.journal
            journal.poll()
            if step > journal.through:
                raise WrongContent(
                    path=journal.path,
                    reason=f"records {journal.through} steps, the checkpoint is at {step}: bring "
                    "back the journal that belongs to it",
                )
        if seen is not None:
            # Both, or a look back would count from the first step again.
            self._ahead = self._behind = _Seen(step, seen)
        self._place = step * self.accumulation
        self._resumed = True

    def _drive(self, mixer: Mixer, given: Mapping[str, Any]) -> LiveDriver:
        if not isinstance(self._weights, LiveWeights):
            raise ReweightvizError(
                "a mixer steers through a LiveMixture, so that every change is recorded; "
                "make one and pass it as follow."
            )
        known = {"tokens": self._rows.sizes.astype(float), **given}
        writes = self._rank == 0  # all ranks update the mixer, so that any can be resumed
        return LiveDriver(mixer, self._weights.live, known, self.domains, writes=writes)

    def _count_until(self, step: int, seen: _Seen) -> _Seen:
        """Return what was drawn before a step, counted on from ``seen`` where that lies before."""
        if step < seen.step:
            seen = self._behind
        if step < seen.step:
            seen = _Seen(0, np.zeros(len(self.domains), np.int64))
        counts = seen.counts.copy()
        for t in range(seen.step, step):
            domains = self._draws.draw_domains(t, self._weights.at(t))
            counts += np.bincount(domains, minlength=len(counts))
        return _Seen(step, counts)

    def _describe(self) -> dict[str, Any]:
        """Return what must be the same where a state is loaded."""
        return {
            "format": FORMAT,
            "seed": self._draws.seed,
            "batch": self._draws.batch,
            "domains": list(self.domains),
            "rows": self._rows.sizes.tolist(),
            "data": self._rows.digest,
        }

    def _warn_if_used(self) -> None:
        self._resumed = True  # once is enough
        if not isinstance(self._weights, LiveWeights) or not is_leader(self._rank):
            return
        journal = self._weights.live.journal
        journal.poll()
        if journal.through:
            warn(
                f"{journal.path} holds the weights of {journal.through} steps of an earlier "
                "start, which are followed again; a new run takes a new live mixture."
            )


class _Seen(NamedTuple):
    """Rows drawn of each domain (K,) before a step."""

    step: int
    counts: Rows


def _check_rank(rank: int | None, ranks: int | None) -> tuple[int, int]:
    """Return rank and number of ranks, found where neither is given."""
    if rank is None and ranks is None:
        return find_rank()
    if rank is None or ranks is None:
        raise InvalidValue(
            name="rank and ranks",
            value=(rank, ranks),
            expected="given together, 0 <= rank < ranks",
            got=f"{rank!r} of {ranks!r}",
        )
    number = whole_number("ranks", ranks, 1)
    return whole_number("rank", rank, most=number - 1), number
