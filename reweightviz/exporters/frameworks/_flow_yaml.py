"""A YAML that is one flow mapping ``{...}``: values of keys spliced in, all else left as it is.

ruamel.yaml would write such a mapping anew, without most of its comments.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from reweightviz.exporters.plan import to_number

__all__ = ["Edit", "compose_flow", "splice"]


Edit = tuple[int, int, str]
"""Start and end of a part of a text, and what takes its place."""


def compose_flow(text: str) -> MappingNode | None:
    """Return the root of a text that is one flow mapping, None where it is none."""
    try:
        root = YAML(pure=True).compose(text)
    except (YAMLError, ValueError):
        return None
    return root if isinstance(root, MappingNode) and root.flow_style else None


def splice(text: str, root: MappingNode, lists: Mapping[str, list[Any]], beside: str) -> str:
    """Return the text with the lists under some keys changed, or added.

    Args:
        text: of the file.
        root: of its nodes.
        lists: key to list; keys are spelled with _ here, and as the text has them there.
        beside: the key behind which a new one goes, in its spelling.
    """
    pairs = {str(key.value).replace("-", "_"): (key, value) for key, value in root.value}
    edits: list[Edit] = []
    for name, values in lists.items():
        if name in pairs:
            edits += _replace(pairs[name][1], values)
    absent = {name: values for name, values in lists.items() if name not in pairs}
    if beside in pairs:
        edits += _add_behind(*pairs[beside], absent)
    else:
        edits += _add_first(root, absent)
    # From the end on, so that the places before stay right.
    for start, end, part in sorted(edits, reverse=True):
        text = text[:start] + part + text[end:]
    return text


def _replace(node: Node, values: Sequence[Any]) -> list[Edit]:
    """Return the edits of single items where only they differ, which keeps what stands between."""
    items = node.value if isinstance(node, SequenceNode) else []
    if len(items) != len(values) or not all(isinstance(item, ScalarNode) for item in items):
        return [(node.start_mark.index, node.end_mark.index, _render_list(values))]
    return [
        (item.start_mark.index, item.end_mark.index, _render_scalar(value))
        for item, value in zip(items, values, strict=True)
        if _differs(item, value)
    ]


def _differs(item: ScalarNode, value: Any) -> bool:
    # A number may be written in another way, as 1e-1 or 0.10, and stays so.
    if isinstance(value, str):
        return bool(item.value != value)
    return bool(to_number(item.value) != value)


def _add_behind(key: Node, value: Node, lists: Mapping[str, list[Any]]) -> Iterator[Edit]:
    margin = "\n" + " " * key.start_mark.column
    place = value.end_mark.index
    text = ""
    for name, values in lists.items():
        spelled = name.replace("_", "-") if "-" in key.value else name
        text += f",{margin}{json.dumps(spelled)}: {_render_list(values)}"
    yield place, place, text


def _add_first(root: MappingNode, lists: Mapping[str, list[Any]]) -> Iterator[Edit]:
    column = root.value[0][0].start_mark.column if root.value else 2
    margin = "\n" + " " * column
    place = root.start_mark.index + 1
    text = ""
    for name, values in lists.items():
        text += f"{margin}{json.dumps(name)}: {_render_list(values)},"
    yield place, place, text


def _render_list(values: Sequence[Any]) -> str:
    return f"[{', '.join(map(_render_scalar, values))}]"


def _render_scalar(value: Any) -> str:
    text = json.dumps(value)
    # A reader of YAML 1.1 takes 1e-05 for text and 1.0e-05 for a number.
    if isinstance(value, float) and "e" in text and "." not in text:
        return text.replace("e", ".0e")
    return text
