"""YAML that readers of YAML 1.1 (PyYAML) and 1.2 understand alike, and edits that leave the rest of a file as it was."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.anchor import Anchor
from ruamel.yaml.comments import CommentedMap, CommentedSeq, TaggedScalar
from ruamel.yaml.error import YAMLError
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from reweightviz.core.errors import ReweightvizError, UnreadableFile, WrongContent, listed
from reweightviz.exporters.text import yaml_load
from reweightviz.exporters.text.yaml_replay import are_alike, measure_indents, replay

TRUTH_WORDS = ("no", "on", "off", "yes", "y", "n", "true", "false", "null")


class _Representer(RoundTripRepresenter):
    """Numbers with a point: PyYAML takes 1e-05 for text."""

    def _float(self, value: float) -> Any:
        text = repr(value)
        return self.represent_scalar(
            "tag:yaml.org,2002:float",
            text if "." in text or "e" not in text else text.replace("e", ".0e"),
        )


_Representer.add_representer(float, _Representer._float)  # noqa: SLF001


def dump(content: Mapping[str, Any]) -> str:
    """Text of a mapping of mappings, lists, text and numbers.

    >>> print(dump({"name": "no", "weight": 1e-05}), end="")
    name: "no"
    weight: 1.0e-05
    """
    return _text(_writer(), quote(content))


def edit(old: str, change: Callable[[Any], None], path: object) -> str:
    """The text with its content changed in place: comments, order and every untouched line stay as they were.

    Args:
        old: the text of the file.
        change: changes the loaded mapping; use :func:`put` and :func:`match_entries`, which keep comments
            and split aliases.
        path: of the file, for the error.
    """
    text = old.replace("\r\n", "\n")
    ended = text.endswith("\n")
    yaml = _writer()
    try:
        yaml.indent(**measure_indents(text))
        root = yaml.load(text)
    except (YAMLError, ValueError) as error:
        raise WrongContent(
            path=path, reason=f"is no YAML file: {' '.join(str(error).split())[:200]}"
        ) from error
    if not isinstance(root, CommentedMap):
        raise WrongContent(
            path=path,
            reason=f"must hold a mapping to merge a mixture into; it holds {type(root).__name__}",
        )
    before = _text(yaml, root)
    change(root)
    after = _text(yaml, root)
    new = replay(text, before, after)
    if not are_alike(_safely(new), yaml_load.load(after, path)):
        new = after
    new = new if ended else new.removesuffix("\n")
    return new.replace("\n", "\r\n") if old.count("\r\n") * 2 > old.count("\n") else new


def put(root: CommentedMap, keys: Sequence[str], value: Any) -> None:
    """Set the value at a path of keys; mappings on the way are made, entries that are not in ``value`` go.

    Raises:
        ReweightvizError: what is there is filled in from elsewhere, such as ``!include file`` or
            ``${other.key}``.
    """
    node = root
    for key, below in itertools.pairwise(keys):
        node = _inner(root, node, key, CommentedMap, below)
    _set(root, node, keys[-1], value)


def put_all(root: CommentedMap, values: Mapping[str, Any]) -> None:
    """Set several keys of one mapping."""
    for key, value in values.items():
        put(root, [key], value)


def make(change: Callable[[Any], None]) -> str:
    """The text of what a change makes of an empty mapping."""
    root = CommentedMap()
    change(root)
    return _text(_writer(), root)


def match_entries(
    root: CommentedMap,
    keys: Sequence[str],
    wanted: Mapping[str, float],
    name_of: Callable[[Mapping[str, Any]], object],
    *,
    dropped: Sequence[str] = (),
) -> Iterator[tuple[str, CommentedMap]]:
    """The entries of a list that the names in ``wanted`` stand for, made where they are missing.

    Args:
        root: the loaded file.
        keys: where the list is.
        wanted: names in the file, in order.
        name_of: tells an entry's name.
        dropped: names whose entries are taken out.

    Raises:
        ReweightvizError: the list names what is in neither.
    """
    parent = root
    for key, below in itertools.pairwise(keys):
        parent = _inner(root, parent, key, CommentedMap, below)
    entries = _inner(root, parent, keys[-1], CommentedSeq, None)
    odd = [entry for entry in entries if not isinstance(entry, Mapping)]
    if odd:
        raise ReweightvizError(
            f"{'.'.join(keys)} of this config must list mappings to take weights; it has "
            f"{str(odd[0])[:60]!r}."
        )
    names = [str(name_of(entry)) for entry in entries]
    strangers = [name for name in names if name not in wanted and name not in dropped]
    if strangers:
        raise ReweightvizError(
            f"{'.'.join(keys)} of this config has {listed(strangers)}, which the mixture "
            "does not name: "
            "give them a weight (0 takes them out), or take them out of the config."
        )
    for place in reversed(range(len(entries))):
        if names[place] in dropped:
            del entries[place], names[place]
    for name in wanted:
        if name not in names:
            entries.append(CommentedMap())
            names.append(name)
        yield name, _own(root, entries, names.index(name))


def quote(value: Any) -> Any:
    """The value with all text in double quotes: a bare ``no`` or ``on`` is a truth value to a reader of YAML 1.1."""
    if isinstance(value, Mapping):
        return CommentedMap((_key(key), quote(item)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return CommentedSeq(quote(item) for item in value)
    return DoubleQuotedScalarString(value) if isinstance(value, str) else value


def _writer() -> YAML:
    yaml = YAML(pure=True)
    yaml.width = 2**20
    yaml.preserve_quotes = True  # type: ignore[assignment]
    yaml.Representer = _Representer
    return yaml


def _text(yaml: YAML, content: Any) -> str:
    out = io.StringIO()
    yaml.dump(content, out)
    return out.getvalue()


def _safely(text: str) -> Any:
    try:
        return yaml_load.load(text, "")
    except UnreadableFile:
        return None


def _key(key: Any) -> Any:
    plain = (
        isinstance(key, str)
        and re.fullmatch("[A-Za-z]+([_-][A-Za-z]+)*", key)
        and key.lower() not in TRUTH_WORDS
    )
    return key if plain or not isinstance(key, str) else DoubleQuotedScalarString(key)


def _is_flat(value: Any) -> bool:
    return isinstance(value, list | tuple) and not any(
        isinstance(item, Mapping | list | tuple) for item in value
    )


def _drop(node: CommentedMap, key: Any) -> None:
    if any(key in part for part in _merged(node)):
        raise ReweightvizError(
            f"{str(key)[:60]!r} comes into this config by a merge key (<<), so it cannot "
            "be taken out there: "
            "write the entries out."
        )
    del node[key]


def _merged(node: Any) -> list[Any]:
    """What the merge keys (<<) of a mapping bring in: pairs before ruamel.yaml 0.18.7, mappings since."""
    return [part[1] if isinstance(part, tuple) else part for part in getattr(node, "merge", ())]


def _inner(root: Any, node: Any, key: Any, kind: type, below: Any) -> Any:
    """The mapping or list under a key, made where there is none, split from its aliases where ``below`` in it is to change."""
    key = _there(node, key)
    found = node.get(key)
    if found is None:
        node[_key(key)] = kind()
    elif not isinstance(found, kind):
        raise _filled_in(key, found)
    return _own(root, node, key, below)


def _set(root: Any, node: Any, key: Any, value: Any) -> None:
    key = _there(node, key)
    there = node.get(key)
    if isinstance(value, Mapping) and isinstance(there, CommentedMap):
        own = _own(root, node, key)
        wanted = {str(one) for one in value}
        for gone in [one for one in own if str(one) not in wanted]:
            _drop(own, gone)
        for one, item in value.items():
            _set(root, own, one, item)
    elif _is_flat(value) and isinstance(there, CommentedSeq) and len(there) == len(value):
        own = _own(root, node, key)
        for place, item in enumerate(value):
            if own[place] != item:
                own[place] = quote(item)
    elif not isinstance(value, str) and (
        isinstance(there, TaggedScalar) or (isinstance(there, str) and "${" in there)
    ):
        raise _filled_in(key, there)
    elif there != value or key not in node:
        node[_key(key)] = quote(value)


def _there(node: Any, key: Any) -> Any:
    """The key as the mapping has it: 2023 for "2023"."""
    return key if key in node else next((one for one in node if str(one) == str(key)), key)


def _filled_in(key: object, found: object) -> ReweightvizError:
    shown = f"{found.tag.value} {found.value}" if isinstance(found, TaggedScalar) else str(found)
    return ReweightvizError(
        f"{str(key)[:60]!r} of this config is {shown[:60]!r}, where the mixture must be "
        "written out: merge into the "
        "file that it comes from, or write it out here."
    )


def _own(root: Any, parent: Any, key: Any, below: Any = None) -> Any:
    """The child, split from its other places first where an alias shares what is to change in it."""
    child = parent[key]
    if (
        getattr(child, "anchor", None) is not None
        and child.anchor.value
        and _uses(root, child, below) > 1
    ):
        child = parent[key] = _twin(child)
    return child


def _twin(node: Any) -> Any:
    """The same content without its anchor; what is anchored inside stays shared."""
    if isinstance(node, CommentedMap):
        twin = CommentedMap()
        own = [name for name, _ in node.non_merged_items()]
        for name in own:
            twin[name] = _shared(node[name])
        for name in node:
            if name not in own:
                super(CommentedMap, twin).__setitem__(name, node[name])
    elif isinstance(node, CommentedSeq):
        twin = CommentedSeq(_shared(item) for item in node)
    else:
        return node
    node.copy_attributes(twin)
    setattr(twin, Anchor.attrib, Anchor())
    return twin


def _shared(node: Any) -> Any:
    anchor = getattr(node, "anchor", None)
    return node if anchor is not None and anchor.value else _twin(node)


def _uses(node: Any, wanted: Any, below: Any) -> int:
    """In how many places a node stands, not counting merges (<<) into a mapping that sets ``below`` itself."""
    if node is wanted:
        return 1
    own = {name for name, _ in node.non_merged_items()} if isinstance(node, CommentedMap) else set()
    merged = (
        sum(part is wanted for part in _merged(node)) if below is None or below not in own else 0
    )
    found = merged
    for name, child in (
        node.items()
        if isinstance(node, Mapping)
        else enumerate(node)
        if isinstance(node, list)
        else ()
    ):
        if not isinstance(node, CommentedMap) or name in own:
            found += _uses(child, wanted, below)
    return found
