"""Edits of a YAML file that leave the rest of it as it was: comments, order, untouched lines."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq, TaggedScalar
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import YAMLError

from reweightviz.core.errors import ReweightvizError, UnreadableFile, WrongContent, list_names
from reweightviz.exporters.text import yaml_load
from reweightviz.exporters.text.yaml_aliases import merged_mappings, unshare
from reweightviz.exporters.text.yaml_replay import are_alike, measure_indents, replay
from reweightviz.exporters.text.yaml_write import make_yaml, quote, quote_key, to_text

__all__ = ["edit", "match_entries", "put", "put_all"]


def edit(old: str, change: Callable[[Any], None], path: object) -> str:
    """Return the text with its content changed in place.

    Args:
        old: the text of the file.
        change: changes the loaded mapping; use :func:`put` and :func:`match_entries`, which keep
            comments and split aliases.
        path: of the file, for the error.

    Raises:
        WrongContent: the text is no YAML, has a key twice, or holds no mapping.
    """
    text = old.replace("\r\n", "\n")
    yaml = make_yaml()
    try:
        yaml.indent(**measure_indents(text))
        root = yaml.load(text)
    except DuplicateKeyError as error:
        raise _explain_repeat(error, path) from error
    except (YAMLError, ValueError) as error:
        raise WrongContent(
            path=path, reason=f"is no YAML file: {' '.join(str(error).split())[:200]}"
        ) from error
    if not isinstance(root, CommentedMap):
        raise WrongContent(
            path=path,
            reason=f"must hold a mapping to merge a mixture into; it holds {type(root).__name__}",
        )
    before = to_text(yaml, root)
    change(root)
    after = to_text(yaml, root)
    new = replay(text, before, after)
    # Text is replayed by lines, which knows no YAML: the content decides whether that went well.
    if not are_alike(_load_or_none(new), yaml_load.load(after, path)):
        new = after
    if not text.endswith("\n"):
        new = new.removesuffix("\n")
    # Most lines decide how all of them end.
    if old.count("\r\n") * 2 > old.count("\n"):
        new = new.replace("\n", "\r\n")
    return new


def put(root: CommentedMap, keys: Sequence[str], value: Any) -> None:
    """Set the value at a path of keys.

    Mappings on the way are made; entries that are not in ``value`` are taken out.

    Raises:
        ReweightvizError: what is there is filled in from elsewhere, such as ``!include file`` or
            ``${other.key}``.
    """
    node = root
    for key, below in itertools.pairwise(keys):
        node = _descend(root, node, key, CommentedMap, below)
    _set(root, node, keys[-1], value)


def put_all(root: CommentedMap, values: Mapping[str, Any]) -> None:
    """Set several keys of one mapping."""
    for key, value in values.items():
        put(root, [key], value)


def match_entries(
    root: CommentedMap,
    keys: Sequence[str],
    wanted: Mapping[str, float],
    name_of: Callable[[Mapping[str, Any]], object],
    *,
    dropped: Sequence[str] = (),
) -> Iterator[tuple[str, CommentedMap]]:
    """Generate the entries of a list by name, made where they are missing.

    Args:
        root: the loaded file.
        keys: where the list is.
        wanted: names in the file, in order.
        name_of: returns the name of an entry.
        dropped: names whose entries are taken out.

    Raises:
        ReweightvizError: the list names what is in neither.
    """
    parent = root
    for key, below in itertools.pairwise(keys):
        parent = _descend(root, parent, key, CommentedMap, below)
    entries = _descend(root, parent, keys[-1], CommentedSeq, None)
    odd = [entry for entry in entries if not isinstance(entry, Mapping)]
    if odd:
        raise ReweightvizError(
            f"{'.'.join(keys)} of this config must list mappings to take weights; it has "
            f"{str(odd[0])[:60]!r}."
        )
    names = [str(name_of(entry)) for entry in entries]
    strangers = set(names) - set(wanted) - set(dropped)
    if strangers:
        in_order = [name for name in names if name in strangers]
        raise ReweightvizError(
            f"{'.'.join(keys)} of this config has {list_names(in_order)}, which the mixture "
            "does not name: give them a weight (0 takes them out), or take them out of the config."
        )
    # From the end, so that the places before stay as they are.
    for place in reversed(range(len(entries))):
        if names[place] in dropped:
            del entries[place], names[place]
    for name in wanted:
        if name not in names:
            entries.append(CommentedMap())
            names.append(name)
        yield name, unshare(root, entries, names.index(name))


def _load_or_none(text: str) -> Any:
    try:
        loaded = yaml_load.read(text, "")
    except UnreadableFile:
        return None
    # A key that came in twice is a fault of the replay: ruamel.yaml, which edits, knows no such.
    return None if loaded.repeats else loaded.content


def _explain_repeat(error: DuplicateKeyError, path: object) -> WrongContent:
    line = error.problem_mark.line + 1
    key = str(error.problem).partition('"')[2].partition('" with value')[0]
    return WrongContent(
        path=path,
        reason=f"has the key {key[:60]!r} twice in one mapping (line {line}), so it cannot be "
        "changed in place: keep one of them",
    )


def _descend(root: Any, node: Any, key: Any, kind: type, below: Any) -> Any:
    """Return the mapping or list under a key, made where there is none, for a change in it."""
    key = _find_key(node, key)
    found = node.get(key)
    if found is None:
        node[quote_key(key)] = kind()
    elif not isinstance(found, kind):
        raise _refuse_reference(key, found)
    return unshare(root, node, key, below)


def _set(root: Any, node: Any, key: Any, value: Any) -> None:
    key = _find_key(node, key)
    there = node.get(key)
    if isinstance(value, Mapping) and isinstance(there, CommentedMap):
        own = unshare(root, node, key)
        wanted = {str(one) for one in value}
        for extra in [one for one in own if str(one) not in wanted]:
            _drop(own, extra)
        for one, item in value.items():
            _set(root, own, one, item)
    elif _is_flat(value) and isinstance(there, CommentedSeq) and len(there) == len(value):
        # Item by item, so that the comments beside them stay.
        own = unshare(root, node, key)
        for place, item in enumerate(value):
            if own[place] != item:
                own[place] = quote(item)
    elif _is_reference(there) and not isinstance(value, str):
        raise _refuse_reference(key, there)
    elif there != value or key not in node:
        node[quote_key(key)] = quote(value)


def _find_key(node: Any, key: Any) -> Any:
    """Return the key as the mapping has it: 2023 for "2023"."""
    if key in node:
        return key
    return next((one for one in node if str(one) == str(key)), key)


def _drop(node: CommentedMap, key: Any) -> None:
    if any(key in part for part in merged_mappings(node)):
        raise ReweightvizError(
            f"{str(key)[:60]!r} comes into this config by a merge key (<<), so it cannot "
            "be taken out there: write the entries out."
        )
    del node[key]


def _is_flat(value: Any) -> bool:
    if not isinstance(value, list | tuple):
        return False
    return not any(isinstance(item, Mapping | list | tuple) for item in value)


def _is_reference(value: Any) -> bool:
    return isinstance(value, TaggedScalar) or (isinstance(value, str) and "${" in value)


def _refuse_reference(key: object, found: object) -> ReweightvizError:
    shown = str(found)
    if isinstance(found, TaggedScalar):
        shown = f"{found.tag.value} {found.value}"
    return ReweightvizError(
        f"{str(key)[:60]!r} of this config is {shown[:60]!r}, where the mixture must be "
        "written out: merge into the file that it comes from, or write it out here."
    )
