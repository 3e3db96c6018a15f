"""The settings of the reference trainer."""

from __future__ import annotations

from dataclasses import dataclass

from reweightviz.core.errors import UnmetNeed
from reweightviz.core.validation import whole_number
from reweightviz.models.byte_transformer import ModelConfig

__all__ = ["COUNTS", "TrainConfig"]


COUNTS = (
    "steps",
    "batch",
    "log_every",
    "evaluate_every",
    "accumulate",
    "probe_blocks",
    "gradient_batch",
)
"""Fields that are whole numbers of at least 1."""


@dataclass(frozen=True)
class TrainConfig:
    """The length and speed of a training, and its measurements.

    Args:
        steps: updates.
        batch: sequences an update; the budget is steps * batch * context bytes.
        rate: peak learning rate of AdamW, warmed up over a tenth of the steps, then cosine to a
            tenth.
        log_every: steps between lines of the log.
        evaluate_every: steps between held-out evaluations; the last step is always evaluated.
        model: size of the model.
        accumulate: parts that a batch is split into; mixers still learn once an update, from the
            whole batch.
        probe_blocks: validation sequences a domain for a mixer's held-out losses.
        gradient_batch: sequences a domain for a mixer's gradients.
        gradient_layers: take gradients of the last so many blocks and the final norm only; None is
            all parameters.
        test_only: evaluate on the half of the held-out documents that mixers never look at, so
            that runs compare with those of a mixer that looks at the other half; such a run is
            evaluated there in any case.
    """

    steps: int = 300
    batch: int = 32
    rate: float = 4e-3
    log_every: int = 5
    evaluate_every: int = 100
    model: ModelConfig = ModelConfig()  # noqa: RUF009  frozen
    accumulate: int = 1
    probe_blocks: int = 16
    gradient_batch: int = 4
    gradient_layers: int | None = None
    test_only: bool = False

    def __post_init__(self) -> None:
        for name in COUNTS:
            count = whole_number(f"{name} of TrainConfig", getattr(self, name), 1)
            object.__setattr__(self, name, count)
        if not isinstance(self.rate, int | float) or not 0 < self.rate < float("inf"):
            raise UnmetNeed(name="TrainConfig", value=self.rate, expected="a rate above 0")

    @property
    def tokens(self) -> int:
        """Bytes trained on."""
        return self.steps * self.batch * self.model.context
