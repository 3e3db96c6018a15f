"""YAML for no framework in particular: ``weights`` by domain, or ``stages`` of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks.plain_json import PlainJson
from reweightviz.exporters.plan import Plan
from reweightviz.exporters.text import yaml_edit

FORMAT = "reweightviz.yaml/1"


class PlainYaml(PlainJson):
    """YAML: weights by domain in shares of tokens and in full, for scripts of one's own."""

    name = "yaml"
    aliases = ("yml",)
    title = "YAML"
    merges = True

    def render(self, plan: Plan, old: Document | None) -> dict[str, str]:
        """The YAML, without options."""
        stages = [{"step": start, "weights": numbers} for start, numbers in plan.stages.items()]
        key, value = ("weights", plan.numbers) if len(stages) == 1 else ("stages", stages)

        def fill(root: Any) -> None:
            if old is None:
                yaml_edit.put_all(root, {"format": FORMAT, "unit": "share of training tokens"})
            for other in {"weights", "stages", "steps"} - {key}:
                root.pop(other, None)
            if key == "stages" and plan.steps is not None:
                yaml_edit.put(root, ["steps"], plan.steps)
            yaml_edit.put(root, [key], value)

        return {"": self.render_yaml(plan, old, fill)}

    def recognises(self, document: Document) -> bool:
        """Our format, or YAML with nothing but ``stages`` or weights and what they count."""
        content = document.mapping
        own = str(content.get("format")) == FORMAT
        stages = content.get("stages")
        staged = (
            isinstance(stages, list)
            and set(content) <= {"stages", "steps", "unit", "source"}
            and all(
                isinstance(stage, Mapping) and {"step", "weights"} <= set(stage) for stage in stages
            )
        )
        bare = isinstance(content.get("weights"), Mapping) and set(content) <= {
            "weights",
            "unit",
            "source",
        }
        return not document.text.lstrip().startswith("{") and (
            own or bool(staged and stages) or bare
        )
