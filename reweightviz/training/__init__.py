"""What runs inside a training job, and the small reference trainer behind the demo's numbers."""

from __future__ import annotations

from reweightviz.training.model import ByteTransformer, ModelConfig
from reweightviz.training.trainer import ProxyData, TrainConfig, TrainingRun, evaluate, train

__all__ = ["ByteTransformer", "ModelConfig", "ProxyData", "TrainConfig", "TrainingRun", "evaluate", "train"]
