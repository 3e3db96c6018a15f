"""Monitor: a training run as it goes on."""

from reweightviz.apps.monitor.monitor import Monitor

__all__ = ["Monitor"]
