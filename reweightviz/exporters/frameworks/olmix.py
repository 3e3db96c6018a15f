"""Olmix: the ``mix`` of a launch config, which starts OLMo-core.

A weight is a share of tokens. In a nested mix the weights along the path multiply (source, topic,
quality), and the path, joined by ":", is the name; a flat mix has such names as keys. A name that
``data.sources`` does not hold is left out without a word. A new file has ``data.sources`` and
``mix`` only: a launch config needs more, so merge into one. Read from the source of allenai/olmix
at 9586977, whose own loader the tests run. (``rv.laws.Olmix`` is the mixing law of the same
paper.)
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from reweightviz.core.errors import ReweightvizError, WrongContent, listed
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks.olmo_core import OlmoCore, repetitions
from reweightviz.exporters.plan import Config, Numbers, Plan, to_number
from reweightviz.exporters.text import yaml_edit

PROPERTIES = {"weight", "repetition_factor"}
DEEPEST = 50
Leaves = dict[str, tuple[Any, Any]]
"""Name to weight and repetition factor."""


class Olmix(Exporter):
    """Olmix: `mix` of a launch YAML, nested (weights multiply) or flat, with the sources that it names; caps what is repeated."""

    name = "olmix"
    title = "Olmix"
    merges = True
    prepared_data = OlmoCore.prepared_data
    name_pattern = r"[^\s\"'`$\\]+"
    traps = OlmoCore.traps

    def render(self, plan: Plan, old: Document | None) -> dict[str, str]:
        """The YAML, without options."""
        mix, sources = (old.at("mix"), _sources(old)) if old is not None else ({}, [])
        known, tops = dict(_names(sources)), [str(source["name"]) for source in sources]
        wanted, _ = _fitted(mix, "", plan, None)
        for name, value in plan.numbers.items():
            if name not in _leaves(wanted):
                wanted[name] = {
                    "weight": value,
                    "repetition_factor": _often(plan, name, None) or 1.0,
                }

        def fill(root: Any) -> None:
            new = {
                name: entry
                for name, entry in plan.entries.items()
                if name not in known and entry.paths
            }
            there = dict.fromkeys([*tops, *new], 1.0)
            for name, entry in (
                yaml_edit.match_entries(
                    root, ["data", "sources"], there, lambda entry: entry.get("name")
                )
                if new
                else ()
            ):
                if not entry:
                    yaml_edit.put_all(entry, {"name": name, "paths": list(new[name].paths)})
            yaml_edit.put(root, ["mix"], wanted)

        return {"": self.render_yaml(plan, old, fill)}

    def parse(self, document: Document) -> Config:
        """``mix``, as ``olmix.aliases.flatten_mix`` reads it."""
        mix = document.at("mix")
        if not mix:
            raise WrongContent(
                path=document.path,
                reason="has no 'mix' of names to weights, so it is no launch config of Olmix "
                "with a mixture",
            )
        leaves, known = _leaves(mix), dict(_names(_sources(document)))
        numbers = {name: to_number(weight) for name, (weight, _) in leaves.items()}
        unused = [name for name in known if name not in numbers]
        traps = (
            (
                f"data.sources holds {listed(unused)}, which mix does not name: Olmix "
                "does not train on it.",
            )
            if unused
            else ()
        )
        paths = {name: known[name] for name in numbers if name in known}
        return Config(
            {0: numbers}, paths=paths, refused=tuple(_faults(leaves, numbers, known)), traps=traps
        )

    def recognises(self, document: Document) -> bool:
        """``mix`` with repetition factors, or with weights beside ``data.sources``."""
        keys = _keys(document.at("mix"))
        return "repetition_factor" in keys or ("weight" in keys and bool(_sources(document)))


def _keys(mix: Mapping[Any, Any]) -> set[Any]:
    """The keys of all that is nested in a mix."""
    found, seen, waiting = (
        set[Any](),
        set[int](),
        [node for node in mix.values() if isinstance(node, Mapping)],
    )
    while waiting:
        node = waiting.pop()
        if id(node) not in seen:
            seen.add(id(node))
            found |= set(node)
            waiting += [child for child in node.values() if isinstance(child, Mapping)]
    return found


def _check_depth(name: str) -> None:
    if name.count(":") > DEEPEST:
        raise ReweightvizError(
            f"this config nests its sources more than {DEEPEST} deep, below {name[:60]!r}."
        )


def _sources(document: Document) -> list[Any]:
    sources = document.at("data").get("sources")
    return (
        [source for source in sources if isinstance(source, Mapping) and "name" in source]
        if isinstance(sources, list)
        else []
    )


def _names(nodes: Any, prefix: str = "") -> Iterator[tuple[str, list[str]]]:
    """Each name that a mix can hold, with its paths."""
    _check_depth(prefix)
    for node in nodes if isinstance(nodes, list) else ():
        if isinstance(node, Mapping):
            name, below, paths = (
                f"{prefix}{node.get('name')}",
                node.get("topics") or node.get("quality"),
                node.get("paths"),
            )
            yield from (
                _names(below, f"{name}:")
                if below
                else [(name, list(map(str, paths if isinstance(paths, list) else ())))]
            )


def _is_branch(node: object) -> bool:
    return isinstance(node, Mapping) and bool(set(node) - PROPERTIES)


def _leaves(mix: Mapping[Any, Any]) -> Leaves:
    found: Leaves = {}
    for key, node in mix.items():
        if _is_branch(node):
            _descend(str(key), node, 1.0, 1.0, found)
        else:
            found[str(key)] = (
                (node.get("weight"), node.get("repetition_factor"))
                if isinstance(node, Mapping)
                else (None, None)
            )
    return found


def _descend(name: str, node: Any, weight: float, often: Any, found: Leaves) -> None:
    _check_depth(name)
    if not isinstance(node, Mapping):
        found[name] = (weight * to_number(node), often)
        return
    weight, often = (
        weight * to_number(node.get("weight", 1.0)),
        node.get("repetition_factor", often),
    )
    if not _is_branch(node):
        found[name] = (weight, often)
    for key in node:
        if key not in PROPERTIES:
            _descend(f"{name}:{key}", node[key], weight, often, found)


def _fitted(
    node: Mapping[Any, Any], prefix: str, plan: Plan, often: Any
) -> tuple[dict[Any, Any], float]:
    """The node with each child's weight as a share of its own, and what it weighs in all."""
    _check_depth(prefix)
    children: dict[Any, Any] = {}
    weights: dict[Any, float] = {}
    inherited = node.get("repetition_factor", 1.0 if often is None else often) if prefix else None
    for key, child in node.items():
        name = f"{prefix}{key}"
        if prefix and key in PROPERTIES:
            continue
        if _is_branch(child):
            below, weight = _fitted(child, f"{name}:", plan, inherited)
            if set(below) - PROPERTIES:
                children[key], weights[key] = below, weight
        elif name not in plan.dropped_names:
            children[key], weights[key] = (
                _leaf(child, name, plan, inherited),
                plan.numbers.get(name, 0.0),
            )
    total = math.fsum(weights.values())
    for key, child in children.items():
        share = weights[key] / total if prefix and total else weights[key]
        before = child.get("weight", 1.0) if isinstance(child, dict) else child
        share = before if math.isclose(to_number(before), share, rel_tol=1e-12) else share
        children[key] = (
            {"weight": share} | child | {"weight": share} if isinstance(child, dict) else share
        )
    return (
        {key: node[key] for key in node if key in PROPERTIES} if prefix else {}
    ) | children, total


def _leaf(child: Any, name: str, plan: Plan, inherited: Any) -> Any:
    values = dict(child) if isinstance(child, Mapping) else {"weight": child}
    there = values.get("repetition_factor", inherited)
    often = _often(plan, name, there) or there or 1.0
    if often != there:
        return values | {"repetition_factor": often}
    return values if isinstance(child, Mapping) else child


def _often(plan: Plan, name: str, there: Any) -> float | None:
    if plan.tokens is None or name not in plan.numbers:
        return None
    return repetitions(plan, name, Olmix.title, there=there)


def _faults(leaves: Leaves, numbers: Numbers, known: Mapping[str, list[str]]) -> Iterator[str]:
    bad = [name for name, value in numbers.items() if not value >= 0]
    if bad:
        yield f"the weights of mix must be numbers >= 0; that of {listed(bad)} is not."
    capped = [
        name for name, (_, often) in leaves.items() if numbers[name] and not to_number(often) >= 1
    ]
    if capped:
        yield f"each entry of mix needs a repetition_factor of 1 or more; {listed(capped)} has none."
    lost = [name for name, value in numbers.items() if value > 0 and known and name not in known]
    if lost:
        yield f"mix names {listed(lost)}, which data.sources does not hold: Olmix would leave it out without a word."
    paths = [path for name, found in known.items() if numbers.get(name) for path in found]
    odd = [path for path in paths if ("*" in path and "://" not in path) or set(path) & set(" '")]
    if odd:
        yield f"Olmix expands * in URLs only and drops blanks and quotes from paths, so it does not find {listed(odd)}."
    total = math.fsum(numbers.values())
    if not abs(total - 1) <= 1e-5:
        yield f"the weights of mix must sum to 1, or OLMo-core refuses them; they sum to {total:.6g}."
