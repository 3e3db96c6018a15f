"""YAML for no framework in particular: ``weights`` by domain, or ``stages`` of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reweightviz.core.errors import ReweightvizError
from reweightviz.exporters import yaml_text
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Config, Exporter, Plan, number
from reweightviz.exporters.plain_json import faults
from reweightviz.exporters.units import SHARES

FORMAT = "reweightviz.yaml/1"


class PlainYaml(Exporter):
    """YAML: weights by domain in shares of tokens and in full, for scripts of one's own."""

    name = "yaml"
    aliases = ("yml",)
    title = "YAML"
    units = (SHARES,)
    zeros = True
    schedules = True
    merges = True

    def render(self, plan: Plan, old: Document | None) -> dict[str, str]:
        """The YAML, without options."""
        stages = [{"step": start, "weights": numbers} for start, numbers in plan.stages.items()]
        key, value = ("weights", plan.numbers) if len(stages) == 1 else ("stages", stages)

        def fill(root: Any) -> None:
            if old is None:
                yaml_text.put_all(root, {"format": FORMAT, "unit": "share of training tokens"})
            for other in {"weights", "stages", "steps"} - {key}:
                root.pop(other, None)
            if key == "stages" and plan.steps is not None:
                yaml_text.put(root, ["steps"], plan.steps)
            yaml_text.put(root, [key], value)

        return {"": self.filled(plan, old, fill)}

    def parse(self, document: Document) -> Config:
        """``weights``, or ``stages``."""
        content = document.mapping
        stages = content.get("stages", [{"step": 0, "weights": content.get("weights")}])
        try:
            found = {int(stage["step"]): {str(name): number(weight) for name, weight in stage["weights"].items()} for stage in stages}
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ReweightvizError(f"{document.path} is no mixture (YAML with 'weights') or schedule (with 'stages'): {error}.") from error
        if 0 not in found:
            raise ReweightvizError(f"the first stage of {document.path} must begin at step 0.")
        refused = tuple(sentence for numbers in found.values() for sentence in faults(numbers))
        return Config(found, steps=content.get("steps"), refused=refused)

    def recognises(self, document: Document) -> bool:
        """Our format, or YAML with nothing but ``stages`` or weights and what they count."""
        content = document.mapping
        own = str(content.get("format")) == FORMAT
        return own or (isinstance(content.get("stages"), list) and set(content) <= {"stages", "steps", "unit", "source"}) \
            or (isinstance(content.get("weights"), Mapping) and "unit" in content and set(content) <= {"weights", "unit", "source"})
