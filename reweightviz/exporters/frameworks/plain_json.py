"""The house's own JSON, which ``Mixture.save`` and ``Schedule.save`` write too."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from reweightviz.core import mixture, schedule
from reweightviz.core.errors import UnreadableFile, WrongContent
from reweightviz.core.mixture import SUM_TOLERANCE, Mixture
from reweightviz.core.schedule import Schedule
from reweightviz.core.sources import Sources
from reweightviz.core.validation import whole_number
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.plan import Config, Plan, to_number
from reweightviz.exporters.text.encoding import to_json
from reweightviz.exporters.units import SHARES


class PlainJson(Exporter):
    """JSON: what `Mixture.save` and `Schedule.save` write, weights in shares of tokens and in full."""

    name = "json"
    aliases = ("mixture",)
    title = "JSON"
    units = (SHARES,)
    writes_zeros = True
    takes_schedules = True

    def render(self, plan: Plan, old: Document | None) -> dict[str, str]:
        """The JSON, without options."""
        head = {"unit": "share of training tokens", "source": plan.record["source"]}
        if len(plan.stages) == 1:
            return {"": to_json({"format": mixture.FORMAT, "weights": plan.numbers} | head)}
        stages = [{"step": start, "weights": numbers} for start, numbers in plan.stages.items()]
        return {
            "": to_json({"format": schedule.FORMAT, "steps": plan.steps, "stages": stages} | head)
        }

    def parse(self, document: Document) -> Config:
        """``weights``, or ``stages``."""
        content = document.mapping
        stages = content.get("stages", [{"step": 0, "weights": content.get("weights")}])
        try:
            pairs = [
                (
                    stage["step"],
                    {str(name): to_number(weight) for name, weight in stage["weights"].items()},
                )
                for stage in stages
            ]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise WrongContent(
                path=document.path,
                reason=f"is no mixture ({self.title} with 'weights') or schedule (with "
                f"'stages'): {error}",
            ) from error
        found = {_step(start, document): numbers for start, numbers in pairs}
        if len(found) < len(pairs):
            starts = [start for start, _ in pairs]
            raise UnreadableFile(
                path=document.path,
                reason=f"each stage must begin at a step of its own; got {starts[:12]}",
            )
        steps = content.get("steps")
        return Config(
            found, steps=None if steps is None else _step(steps, document), refused=faults(found)
        )

    def to_schedule(
        self, config: Config, document: Document, sources: Sources | Mapping[str, Any] | None = None
    ) -> Schedule:
        """As for every exporter; a file without provenance, such as ``Mixture.save`` writes, tells its source itself."""
        found = super().to_schedule(config, document, sources)
        given = document.mapping.get("source")
        if document.record or not isinstance(given, Mapping):
            return found
        whole = {start: Mixture(dict(stage), source=given) for start, stage in found.items()}
        return Schedule(whole, steps=found.steps, source=given)

    def recognises(self, document: Document) -> bool:
        """Our format, or bare ``weights``."""
        content = document.mapping
        own = content.get("format") in {mixture.FORMAT, schedule.FORMAT}
        bare = set(content) <= {"weights", "source"} and isinstance(content.get("weights"), Mapping)
        return document.text.lstrip().startswith("{") and (own or bare)


def faults(stages: Mapping[int, Mapping[str, float]]) -> tuple[str, ...]:
    """A sentence for each stage whose weights are no numbers >= 0 that sum to 1: what they would be scaled to is a guess."""
    found = []
    for start, numbers in stages.items():
        where = "" if len(stages) == 1 else f" from step {start} on"
        bad, total = (
            [name for name, value in numbers.items() if not value >= 0],
            math.fsum(numbers.values()),
        )
        if bad:
            found.append(
                f"the weights{where} must be numbers >= 0; that of {bad[0][:60]!r} is not."
            )
        elif not total > 0:
            found.append(f"at least one weight{where} must be above 0.")
        elif not abs(total - 1) <= SUM_TOLERANCE:
            found.append(
                f"the weights{where} are shares and must sum to 1; they sum to {total:.9g}."
            )
    return tuple(found)


def _step(value: object, document: Document) -> int:
    return whole_number(f"a step in {document.path}", value)
