"""The state machine of two explorers on one folder, a short walk of it; ``benchmarks`` take longer ones."""

from __future__ import annotations

from explorer_machine import ExplorerMachine
from hypothesis import HealthCheck, settings

TestExplorers = ExplorerMachine.TestCase
TestExplorers.settings = settings(
    max_examples=12, stateful_step_count=20, suppress_health_check=list(HealthCheck)
)
