"""Difficulty flip: within each task, the larger share to the difficulty that helps the target more.

Siqi Kou, Qingyuan Tian, Hanwen Xu, Zihao Zeng and Zhijie Deng, "Which Data Attributes Stimulate
Math and Code Reasoning? An Investigation via Influence Functions" (Infra), 2025,
https://arxiv.org/abs/2505.19949. Seen: the abstract. The paper's are the influence functions, the
finding (hard math helps math and code; easy code helps code most), and that the data are
reweighted by flipping the difficulty. Ours is all that the abstract leaves open: a flip is the
rearrangement of the weights within a task into the order of the influences, and ``strength`` a
tilt by their size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import UnmetNeed
from reweightviz.core.types import Array
from reweightviz.mixers._fixed import Fixed, State
from reweightviz.mixers._hyperparameters import check_fields
from reweightviz.numerics.simplex import share

__all__ = ["DifficultyFlip"]


@dataclass(frozen=True)
class DifficultyFlip(Fixed):
    """The prior's weights of a task, dealt anew: the largest to the group with the most influence.

    A domain here is a group of one task and one difficulty. Every task keeps its share, so easy
    and hard math change places where hard math helps more and has less. Without influence
    functions, the paper's plain rule is an influence of 1 for hard math and easy code and -1 for
    the others. A group whose influence is not known (NaN) keeps its weight. A prior of 0 is dealt
    out like any other.

    Args:
        strength: 0 for the flip alone; above it, each weight is also multiplied by ``exp(strength
            * influence)``, the influence divided by the largest in its task without its sign, and
            each task brought back to its share.

    Example:
        >>> mixer = DifficultyFlip()
        >>> groups = ["easy math", "hard math", "easy code", "hard code"]
        >>> prior = [0.4, 0.1, 0.2, 0.3]
        >>> state = mixer.init(influence=[-1, 1, 1, -1], task=[0, 0, 1, 1], prior=prior)
        >>> dict(zip(groups, mixer.result(state).tolist()))
        {'easy math': 0.1, 'hard math': 0.4, 'easy code': 0.3, 'hard code': 0.2}
    """

    strength: float = 0.0

    paper: ClassVar[str] = "https://arxiv.org/abs/2505.19949"
    verified: ClassVar[str] = "not verified against the paper"

    def __post_init__(self) -> None:
        check_fields(self)
        if self.strength < 0:
            raise UnmetNeed(
                name="DifficultyFlip", value=self.strength, expected="a strength of at least 0"
            )

    def init(
        self, *, influence: ArrayLike, prior: ArrayLike, task: ArrayLike | None = None
    ) -> State:
        """Deal the weights out.

        Args:
            influence: (K,) how much more of each group lowers the target's loss, in any unit; NaN
                where not known.
            prior: (K,) the weights as they are.
            task: (K,) the number of the task of each group; all of one when not given.
        """
        before = share(prior, "the prior")
        helps = np.asarray(influence, np.float64)
        tasks = np.zeros(before.shape) if task is None else np.asarray(task, np.float64)
        in_shape = helps.shape == tasks.shape == before.shape
        if not in_shape or np.isinf(helps).any() or not np.isfinite(tasks).all():
            raise UnmetNeed(
                name="DifficultyFlip",
                value=(helps, tasks),
                expected=f"an influence, finite or NaN, and a task for each of {before.size} "
                "groups",
                got=f"{helps} and {tasks}",
            )
        after = before.copy()
        for one in np.unique(tasks):
            rows = np.flatnonzero((tasks == one) & ~np.isnan(helps))
            if rows.size:
                after[rows] = self._deal(before[rows], helps[rows])
        return State(after / after.sum())

    def _deal(self, before: Array, helps: Array) -> Array:
        """Return the weights (n,) of one task, by its influences.

        A tie goes to the group that had more, and is shared between groups that had the same.
        """
        dealt = np.empty_like(before)
        # The last key of lexsort counts first: by influence, and at a tie by the weight before.
        dealt[np.lexsort((before, helps))] = np.sort(before)
        # Groups alike in both get the mean, or the order of the domains would decide.
        alike = np.unique(np.stack([before, helps], 1), axis=0, return_inverse=True)[1].ravel()
        dealt = (np.bincount(alike, dealt) / np.bincount(alike))[alike]
        if not self.strength or not helps.any() or not before.any():
            return dealt
        push = self.strength * helps / np.abs(helps).max()
        # Less the largest, or exp overflows at a large strength; the task's share divides it out.
        tilted = dealt * np.exp(push - push[dealt > 0].max())
        return np.asarray(tilted * (before.sum() / tilted.sum()), np.float64)
