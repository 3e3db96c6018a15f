"""MixtureSampler: batches of documents by weights that may change while the training runs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import InvalidValue, ReweightvizError, WrongContent, warn
from reweightviz.core.live import LiveMixture
from reweightviz.core.mixture import Mixture
from reweightviz.core.protocols import Mixer
from reweightviz.core.schedule import Schedule
from reweightviz.core.types import Rows
from reweightviz.core.validation import whole_number
from reweightviz.training.draws import Draws
from reweightviz.training.followed import FollowedLive, follower
from reweightviz.training.live_driver import LiveDriver
from reweightviz.training.ranks import here, worker

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
        rank: of this process; asked of torch.distributed or the launcher when neither it nor ranks
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
        self.domains, self._rows, sizes = _by_domain(data)
        self._rank, self.ranks = _place(rank, ranks)
        self.accumulation = whole_number("accumulation", accumulation, 1)
        every = whole_number(
            "every", (1 if mixer is not None else 10) if every is None else every, 1
        )
        self._draws = Draws(sizes, batch, seed)
        self._parts = self.ranks * self.accumulation
        if self._draws.batch % self._parts:
            raise ReweightvizError(
                "batch counts the rows of a step over all ranks, a multiple of "
                f"{self.ranks} ranks times "
                f"{self.accumulation} batches; got {batch}."
            )
        self._followed = follower(
            follow, self.domains, sizes > 0, leads=self._leads, every=every, timeout=timeout
        )
        self._driver = None
        if mixer is not None:
            self._driver = LiveDriver(
                mixer,
                self._live("a mixer"),
                {"tokens": sizes.astype(float), **(given or {})},
                self.domains,
                writes=self._rank == 0,
            )
        self._place = 0  # of the next batch of this rank
        self._drawn, self._kept = _Seen(len(sizes)), _Seen(len(sizes))
        self._resumed = False

    @property
    def batch_size(self) -> int:
        """Rows in each list."""
        return self._draws.batch // self._parts

    @property
    def has_mixer(self) -> bool:
        """Whether :meth:`update` is to be called."""
        return self._driver is not None

    @property
    def measures(self) -> tuple[str, ...]:
        """Signals beside the losses of the step that the next :meth:`update` needs, measured after the coming step."""
        return self._driver.measures if self._driver is not None else ()

    @property
    def looks(self) -> bool:
        """Whether there is a mixer that will need such signals now and then."""
        return self._driver is not None and self._driver.looks

    @property
    def step(self) -> int:
        """The next step to be drawn; DataLoader workers draw ahead of the training."""
        return self._place // self.accumulation

    def __iter__(self) -> Iterator[list[int]]:
        while True:
            place, self._place = self._place, self._place + 1
            yield self.rows(place).tolist()

    def rows(self, place: int) -> Rows:
        """The rows of this rank's batch number ``place``; batch ``step * accumulation`` is the first of a step."""
        step, part = divmod(place, self.accumulation)
        if step == 0 and not self._resumed:
            self._say_if_used()
        self._drawn = self._until(step, self._drawn)
        domains = self._draws.domains(step, self._followed.at(step))
        mine = slice(part * self.ranks + self._rank, None, self._parts)
        within = self._draws.places(domains, self._drawn.counts, mine)
        return self._rows.at(domains[mine], within)

    def domain_codes(self, rows: ArrayLike) -> Rows:
        """The place in ``domains`` of the domain of each row."""
        return self._rows.domains_of(np.asarray(rows, np.int64))

    def weights(self, step: int) -> Mixture:
        """The weights that a step is drawn by, by name: the order of ``domains`` is the sampler's own."""
        return Mixture(zip(self.domains, self._followed.at(step).tolist(), strict=True))

    def history(self, *, steps: int | None = None) -> Schedule:
        """The weights by step, as far as they are decided; a sampler that follows it draws the same rows."""
        return self._followed.history(steps)

    def drawn(self, step: int) -> Rows:
        """Rows drawn of each domain (K,) before a step."""
        self._kept = self._until(step, self._kept)
        return self._kept.counts.copy()

    def update(self, signals: Mapping[str, ArrayLike]) -> None:
        """Tell the mixer the signals (K,) of a step, the same on every rank; rank 0 writes its weights to the live mixture.

        Raises:
            ReweightvizError: there is no mixer, or a signal is missing that :attr:`measures` names.
        """
        if self._driver is None:
            raise ReweightvizError(
                "this sampler has no mixer to update: MixtureSampler(..., mixer=...)."
            )
        self._driver.update(signals)

    def state_dict(self, step: int | None = None) -> dict[str, Any]:
        """What to keep in a checkpoint, small and ready for JSON.

        Args:
            step: updates done by the training. Without it, the steps drawn here, which is more
                where DataLoader workers draw ahead.
        """
        step = self.step if step is None else step
        state = {**self._identity(), "step": step, "seen": self.drawn(step).tolist()}
        return state | ({"mixer": self._driver.state_dict()} if self._driver is not None else {})

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint.

        Raises:
            ReweightvizError: it is the state of other data, domains, batch or seed; or of steps
                that the live mixture's journal lacks.
        """
        mine = self._identity()
        different = [
            f"{name} {state.get(name)!r:.60} instead of {mine[name]!r:.60}"
            for name in mine
            if state.get(name) != mine[name]
        ]
        if different:
            raise ReweightvizError(f"this is the state of another sampler: {'; '.join(different)}.")
        step = int(state["step"])
        self.seek(step, np.array(state["seen"], np.int64))
        if self._driver is not None and "mixer" in state:
            self._driver.load_state_dict(state["mixer"])

    def seek(self, step: int, seen: Rows | None = None) -> None:
        """Go on at a step; without ``seen`` (K,) what was drawn before it is counted again (about 10 microseconds a step)."""
        if isinstance(self._followed, FollowedLive):
            journal = self._followed.live.journal
            journal.poll()
            if step > journal.through:
                raise WrongContent(
                    path=journal.path,
                    reason=f"records {journal.through} steps, the checkpoint is at {step}: bring "
                    "back the journal that belongs to it",
                )
        if seen is not None:
            self._drawn = self._kept = _Seen(len(seen), step, seen)
        self._place, self._resumed = step * self.accumulation, True

    def _until(self, step: int, seen: _Seen) -> _Seen:
        """What was drawn before a step, counted on from ``seen`` where that lies before it."""
        if step < seen.step:
            seen = self._kept if self._kept.step <= step else _Seen(len(self.domains))
        counts = seen.counts.copy()
        for t in range(seen.step, step):
            counts += np.bincount(
                self._draws.domains(t, self._followed.at(t)), minlength=len(counts)
            )
        return _Seen(len(counts), step, counts)

    def _identity(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "seed": self._draws.seed,
            "batch": self._draws.batch,
            "domains": list(self.domains),
            "rows": self._draws.sizes.tolist(),
            "data": self._rows.digest,
        }

    def _leads(self) -> bool:
        return self._rank == 0 and worker()[0] == 0

    def _live(self, who: str) -> LiveMixture:
        if not isinstance(self._followed, FollowedLive):
            raise ReweightvizError(
                f"{who} steers through a LiveMixture, so that every change is recorded; "
                "make one and pass it as follow."
            )
        return self._followed.live

    def _say_if_used(self) -> None:
        self._resumed = True
        if isinstance(self._followed, FollowedLive) and self._leads():
            journal = self._followed.live.journal
            journal.poll()
            if journal.through:
                warn(
                    f"{journal.path} holds the weights of {journal.through} steps of an "
                    "earlier start, which are followed again; "
                    "a new run takes a new live mixture."
                )


def _place(rank: int | None, ranks: int | None) -> tuple[int, int]:
    """Rank and number of ranks."""
    if rank is None and ranks is None:
        return here()
    if rank is None or ranks is None:
        raise InvalidValue(
            name="rank and ranks",
            value=(rank, ranks),
            expected="given together, 0 <= rank < ranks",
            got=f"{rank!r} of {ranks!r}",
        )
    number = whole_number("ranks", ranks, 1)
    return whole_number("rank", rank, most=number - 1), number


class _Seen:
    """Rows drawn of each domain (K,) before a step."""

    def __init__(self, K: int, step: int = 0, counts: Rows | None = None) -> None:
        self.step, self.counts = step, np.zeros(K, np.int64) if counts is None else counts


class _Rows:
    """Where the rows of each domain are."""

    def __init__(self, order: Rows | None, sizes: Rows, digest: str) -> None:
        self._order, self._ends, self.digest = order, np.cumsum(sizes), digest
        self._codes: Rows | None = None
        self._starts = self._ends - sizes

    def at(self, domains: Rows, within: Rows) -> Rows:
        place = self._starts[domains] + within
        return place if self._order is None else self._order[place]

    def domains_of(self, rows: Rows) -> Rows:
        if self._order is None:
            return np.searchsorted(self._ends, rows, side="right")
        if self._codes is None:
            self._codes = np.empty(len(self._order), np.int64)
            self._codes[self._order] = np.repeat(
                np.arange(len(self._ends)), self._ends - self._starts
            )
        return self._codes[rows]


def _by_domain(
    data: Mapping[str, int] | Sequence[str] | NDArray[Any],
) -> tuple[tuple[str, ...], _Rows, Rows]:
    """The domains, where their rows are, and how many each has."""
    if isinstance(data, Mapping):
        sizes = np.array(list(data.values()))
        if not sizes.size or sizes.dtype.kind not in "iu" or (sizes < 0).any() or not sizes.any():
            raise InvalidValue(
                name="data",
                value=dict(data),
                expected="domains to their number of rows, at least one above 0",
            )
        domains, order, digest = tuple(map(str, data)), None, ""
    else:
        codes, found = pd.factorize(np.asarray(data, object))  # ten times as fast as np.unique
        if not found.size or codes.min() < 0:
            raise ReweightvizError(
                "there are no rows to draw from, or some without a domain; data is the "
                "domain of every row, "
                "or domain to number of rows."
            )
        names, places = np.unique(np.asarray(found, str), return_inverse=True)
        codes = places[codes]
        domains, order, sizes = (
            tuple(names.tolist()),
            np.argsort(codes, kind="stable"),
            np.bincount(codes),
        )
        digest = hashlib.blake2b(codes.astype("<i8").tobytes(), digest_size=8).hexdigest()
    return domains, _Rows(order, sizes.astype(np.int64), digest), sizes.astype(np.int64)
