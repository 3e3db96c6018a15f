"""The part inside a training job, and the small reference trainer behind the demo's numbers.

Names are loaded when they are first used: the log and the sampler need no torch, the callbacks
alone need transformers or lightning.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from reweightviz.core.errors import MissingPackage

_HOMES = {
    "ByteTransformer": ".models.byte_transformer",  # beside this room, not in it
    "DomainLosses": "domain_losses",
    "DomainSums": "domain_losses",
    "LightningSteering": "lightning_callback",
    "LiveMixture": "mixture_sampler",
    "MixtureDataset": "mixture_dataset",
    "MixtureSampler": "mixture_sampler",
    "ModelConfig": ".models.byte_transformer",
    "ProxyData": "proxy_data",
    "RunLogger": "run_logger",
    "SteeringCallback": "transformers_callback",
    "TrainConfig": "train_config",
    "TrainingRun": "trainer",
    "WithDomains": "mixture_dataset",
    "domain_loss": "domain_losses",
    "evaluate": "trainer",
    "skill_graph": "skills",
    "steer": "transformers_trainer",
    "train": "trainer",
}

__all__ = sorted(_HOMES)  # noqa: PLE0605  sorted makes a list


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'reweightviz.training' has no attribute {name!r}")
    try:
        value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    except ModuleNotFoundError as error:
        raise MissingPackage(package=str(error.name), who=f"rv.training.{name}") from error
    # From now on the name is found without a call of this function.
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
