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
from typing import Any, TypeGuard

from reweightviz.core.errors import ReweightvizError, WrongContent, list_names
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks._foreign import Item, as_list, as_mapping, mappings_in
from reweightviz.exporters.frameworks._repetitions import PREPARED, TRAPS, choose_repetitions
from reweightviz.exporters.frameworks._weights import find_invalid
from reweightviz.exporters.plan import Config, Numbers, Plan, to_number
from reweightviz.exporters.text import yaml_edit

__all__ = ["DEEPEST", "PROPERTIES", "Leaves", "Olmix"]


PROPERTIES = {"weight", "repetition_factor"}
DEEPEST = 50
Leaves = dict[str, tuple[Any, Any]]
"""Name to weight and repetition factor."""


class Olmix(Exporter):
    """Olmix: `mix` of a launch YAML, nested (weights multiply) or flat, with its sources."""

    name = "olmix"
    title = "Olmix"
    merges = True
    prepared_data = PREPARED
    name_pattern = r"[^\s\"'`$\\]+"
    traps = TRAPS

    def render(self, plan: Plan, old: Document | None) -> dict[str, str]:
        """Return the YAML, without options."""
        mix: Mapping[Any, Any] = {}
        sources: list[Item] = []
        if old is not None:
            mix = old.at("mix")
            sources = _read_sources(old)
        wanted, _ = _fit_branch(mix, "", plan, None)
        for name, value in plan.numbers.items():
            if name not in _read_leaves(wanted):
                often = choose_repetitions(plan, name, self.title)
                wanted[name] = {"weight": value, "repetition_factor": often}
        known = dict(_find_names(sources))
        new = {
            name: list(entry.paths)
            for name, entry in plan.entries.items()
            if entry.paths and name not in known
        }

        def fill(root: Any) -> None:
            if new:
                names = [*(str(source["name"]) for source in sources), *new]
                for name, entry in yaml_edit.match_entries(
                    root,
                    ["data", "sources"],
                    dict.fromkeys(names, 1.0),
                    lambda entry: entry.get("name"),
                ):
                    if not entry:
                        yaml_edit.put_all(entry, {"name": name, "paths": new[name]})
            yaml_edit.put(root, ["mix"], wanted)

        return {"": self.render_yaml(plan, old, fill)}

    def parse(self, document: Document) -> Config:
        """Read ``mix``, as ``olmix.aliases.flatten_mix`` does."""
        mix = document.at("mix")
        if not mix:
            raise WrongContent(
                path=document.path,
                reason="has no 'mix' of names to weights, so it is no launch config of Olmix "
                "with a mixture",
            )
        leaves = _read_leaves(mix)
        known = dict(_find_names(_read_sources(document)))
        numbers = {name: to_number(weight) for name, (weight, _) in leaves.items()}
        return Config(
            {0: numbers},
            paths={name: known[name] for name in numbers if name in known},
            refused=tuple(_find_faults(leaves, numbers, known)),
            traps=tuple(_find_traps(numbers, known)),
        )

    def recognises(self, document: Document) -> bool:
        """Return whether ``mix`` has repetition factors, or weights beside ``data.sources``."""
        keys = _find_keys(document.at("mix"))
        return "repetition_factor" in keys or ("weight" in keys and bool(_read_sources(document)))


def _find_keys(mix: Mapping[Any, Any]) -> set[Any]:
    """Return the keys of all that is nested in a mix."""
    found: set[Any] = set()
    seen: set[int] = set()
    waiting = [node for node in mix.values() if isinstance(node, Mapping)]
    while waiting:
        node = waiting.pop()
        # An alias may make a mix part of itself.
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


def _read_sources(document: Document) -> list[Item]:
    sources = mappings_in(document.at("data").get("sources"))
    return [source for source in sources if "name" in source]


def _find_names(nodes: object, prefix: str = "") -> Iterator[tuple[str, list[str]]]:
    """Return each name that a mix can hold, with its paths."""
    _check_depth(prefix)
    for node in mappings_in(nodes):
        name = f"{prefix}{node.get('name')}"
        below = node.get("topics") or node.get("quality")
        if below:
            yield from _find_names(below, f"{name}:")
        else:
            yield name, [str(path) for path in as_list(node.get("paths"))]


def _is_branch(node: object) -> TypeGuard[Mapping[Any, Any]]:
    return isinstance(node, Mapping) and bool(set(node) - PROPERTIES)


def _read_leaves(mix: Mapping[Any, Any]) -> Leaves:
    found: Leaves = {}
    for key, node in mix.items():
        if _is_branch(node):
            _descend(str(key), node, 1.0, 1.0, found)
        else:
            # At the top nothing is inherited, so a leaf has what it holds itself.
            fields = as_mapping(node)
            found[str(key)] = (fields.get("weight"), fields.get("repetition_factor"))
    return found


def _descend(name: str, node: Any, weight: float, often: Any, found: Leaves) -> None:
    """Add the leaves below a node: weights multiply on the way down, repetitions are inherited."""
    _check_depth(name)
    if not isinstance(node, Mapping):
        found[name] = (weight * to_number(node), often)
        return
    weight = weight * to_number(node.get("weight", 1.0))
    often = node.get("repetition_factor", often)
    if not _is_branch(node):
        found[name] = (weight, often)
    for key in node:
        if key not in PROPERTIES:
            _descend(f"{name}:{key}", node[key], weight, often, found)


def _fit_branch(
    node: Mapping[Any, Any], prefix: str, plan: Plan, often: Any
) -> tuple[dict[Any, Any], float]:
    """Return a node with each child's weight as a share of its own, and its weight in all.

    Args:
        node: of the mix that stands there.
        prefix: of the names below it; "" at the top, where weights are no shares.
        plan: with the weights of the leaves.
        often: repetitions that the node inherits.
    """
    _check_depth(prefix)
    inherited = None
    if prefix:
        inherited = node.get("repetition_factor", 1.0 if often is None else often)
    children: dict[Any, Any] = {}
    weights: dict[Any, float] = {}
    for key, child in node.items():
        name = f"{prefix}{key}"
        if prefix and key in PROPERTIES:
            continue
        if _is_branch(child):
            below, weight = _fit_branch(child, f"{name}:", plan, inherited)
            if set(below) - PROPERTIES:
                children[key] = below
                weights[key] = weight
        elif name not in plan.dropped_names:
            children[key] = _fit_leaf(child, name, plan, inherited)
            weights[key] = plan.numbers.get(name, 0.0)
    total = math.fsum(weights.values())
    if prefix and total:
        weights = {key: weight / total for key, weight in weights.items()}
    fitted: dict[Any, Any] = {}
    if prefix:
        fitted = {key: node[key] for key in node if key in PROPERTIES}
    for key, child in children.items():
        fitted[key] = _put_share(child, weights[key])
    return fitted, total


def _put_share(child: Any, share: float) -> Any:
    """Return a child with a share, which stays as it is written where it is that already."""
    if isinstance(child, dict):
        value = _keep_if_close(child.get("weight", 1.0), share)
        # A weight that is new comes first.
        return {"weight": value} | child | {"weight": value}
    return _keep_if_close(child, share)


def _keep_if_close(before: Any, share: float) -> Any:
    # What is written may differ in its last digits, or be an int.
    if math.isclose(to_number(before), share, rel_tol=1e-12):
        return before
    return share


def _fit_leaf(child: Any, name: str, plan: Plan, inherited: Any) -> Any:
    # A bare number stands for its weight alone.
    bare = not isinstance(child, Mapping)
    values = {"weight": child} if bare else dict(child)
    there = values.get("repetition_factor", inherited)
    often = there or 1.0
    if plan.tokens is not None and name in plan.numbers:
        often = choose_repetitions(plan, name, Olmix.title, there=there)
    if often != there:
        return values | {"repetition_factor": often}
    return child if bare else values


def _find_faults(leaves: Leaves, numbers: Numbers, known: Mapping[str, list[str]]) -> Iterator[str]:
    bad = find_invalid(numbers)
    if bad:
        yield f"the weights of mix must be numbers >= 0; that of {list_names(bad)} is not."
    drawn = [name for name in leaves if numbers[name]]
    capped = [name for name in drawn if not to_number(leaves[name][1]) >= 1]
    if capped:
        yield (
            "each entry of mix needs a repetition_factor of 1 or more; "
            f"{list_names(capped)} has none."
        )
    lost = [name for name, value in numbers.items() if value > 0 and name not in known]
    if known and lost:
        yield (
            f"mix names {list_names(lost)}, which data.sources does not hold: Olmix would "
            "leave it "
            "out without a word."
        )
    odd: list[str] = []
    for name, paths in known.items():
        if numbers.get(name):
            odd += filter(_is_odd, paths)
    if odd:
        yield (
            "Olmix expands * in URLs only and drops blanks and quotes from paths, so it does not "
            f"find {list_names(odd)}."
        )
    total = math.fsum(numbers.values())
    # "not <=", for nan is neither near nor far.
    if not abs(total - 1) <= 1e-5:
        yield (
            f"the weights of mix must sum to 1, or OLMo-core refuses them; they sum to {total:.6g}."
        )


def _is_odd(path: str) -> bool:
    return ("*" in path and "://" not in path) or bool(set(path) & set(" '"))


def _find_traps(numbers: Numbers, known: Mapping[str, list[str]]) -> Iterator[str]:
    unused = [name for name in known if name not in numbers]
    if unused:
        yield (
            f"data.sources holds {list_names(unused)}, which mix does not name: Olmix "
            "does not train on it."
        )
