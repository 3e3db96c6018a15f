"""The house's own JSON, which ``Mixture.save`` and ``Schedule.save`` write too."""

from __future__ import annotations

from collections.abc import Mapping

from reweightviz.core import mixture, schedule
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks._plain import UNIT, PlainMixture, list_stages
from reweightviz.exporters.frameworks._published import find_published
from reweightviz.exporters.plan import Plan
from reweightviz.exporters.text.encoding import to_json

__all__ = ["PlainJson"]


class PlainJson(PlainMixture):
    """JSON: weights in shares of tokens, as `Mixture.save` and `Schedule.save` write them."""

    name = "json"
    aliases = ("mixture",)
    title = "JSON"

    def render(self, plan: Plan, old: Document | None) -> dict[str, str]:
        """Return the JSON, without options."""
        tail = {"unit": UNIT, "source": plan.record["source"]}
        if len(plan.stages) == 1:
            return {"": to_json({"format": mixture.FORMAT, "weights": plan.numbers} | tail)}
        head = {"format": schedule.FORMAT, "steps": plan.steps, "stages": list_stages(plan)}
        return {"": to_json(head | tail)}

    def recognises(self, document: Document) -> bool:
        """Return whether it is our format, bare ``weights``, or a form that papers publish."""
        content = document.mapping
        own = content.get("format") in (mixture.FORMAT, schedule.FORMAT)
        bare = set(content) <= {"weights", "source"} and isinstance(content.get("weights"), Mapping)
        known = own or bare or find_published(content) is not None
        return document.text.lstrip().startswith("{") and known
