"""YAML for no framework in particular: ``weights`` by domain, or ``stages`` of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks._foreign import as_entries
from reweightviz.exporters.frameworks._plain import UNIT, PlainMixture, check_form, list_stages
from reweightviz.exporters.frameworks._published import find_published
from reweightviz.exporters.plan import Plan
from reweightviz.exporters.text import yaml_edit

__all__ = ["FORMAT", "PlainYaml"]


FORMAT = "reweightviz.yaml/1"


class PlainYaml(PlainMixture):
    """YAML: weights by domain in shares of tokens and in full, for scripts of one's own."""

    name = "yaml"
    aliases = ("yml",)
    title = "YAML"
    merges = True

    def render(self, plan: Plan, old: Document | None) -> dict[str, str]:
        """Return the YAML, without options."""
        check_form(old)
        values: dict[str, Any] = {}
        if len(plan.stages) == 1:
            values["weights"] = plan.numbers
        else:
            if plan.steps is not None:
                values["steps"] = plan.steps
            values["stages"] = list_stages(plan)

        def fill(root: Any) -> None:
            if old is None:
                yaml_edit.put_all(root, {"format": FORMAT, "unit": UNIT})
            # A mixture and a schedule exclude one another.
            for other in {"weights", "stages", "steps"} - set(values):
                root.pop(other, None)
            yaml_edit.put_all(root, values)

        return {"": self.render_yaml(plan, old, fill)}

    def recognises(self, document: Document) -> bool:
        """Return whether it is our format, a published one, or YAML of nothing but weights."""
        # JSON is YAML too, and has an exporter of its own.
        if document.text.lstrip().startswith("{"):
            return False
        content = document.mapping
        if str(content.get("format")) == FORMAT or find_published(content) is not None:
            return True
        if set(content) <= {"weights", "unit", "source"}:
            return isinstance(content.get("weights"), Mapping)
        stages = as_entries(content.get("stages"))
        known = set(content) <= {"stages", "steps", "unit", "source"}
        return bool(stages) and known and all({"step", "weights"} <= set(one) for one in stages)
