"""Splits of Hugging Face datasets as passes: ``train`` is one, ``train[:30%]`` is 0.3.

datasets slices by whole percents or by rows, nothing finer. How much ``train[:300]`` is depends on
the rows, which a config alone does not hold: so behind a slice in rows stands of how many they are,
``train[:12345]  # of 41150 rows``; a comment that stood there follows, ``; as it was``.
"""

from __future__ import annotations

import math
import re

from ruamel.yaml.comments import CommentedMap

__all__ = ["PART", "ROWS", "count_passes", "cut_passes", "read_rows", "strip_slices", "write_rows"]


# The last group is datasets' rounding, as in train[:10%](pct1_dropremainder).
PART = re.compile(
    r"(?P<split>[\w.-]+?)(\[((?P<start>-?[\d_]+)(?P<a>%)?)?:((?P<stop>-?[\d_]+)(?P<b>%)?)?\])?(\(\w+\))?"
)
ROWS = re.compile(r"\s*#\s*of ([\d_,]+) rows(;\s*)?")


def strip_slices(split: object) -> str:
    """Return the split without its slices; as it is where it adds up several.

    >>> strip_slices("train[:30%]"), strip_slices("train+train[:5]"), strip_slices("train+test")
    ('train', 'train', 'train+test')
    """
    parts = [PART.fullmatch(part.strip()) for part in str(split or "train").split("+")]
    names = {part["split"] for part in parts if part}
    if None in parts or len(names) != 1:
        return str(split)
    return names.pop()


def count_passes(split: object, rows: float | None) -> float:
    """Return how often a split takes its dataset.

    Args:
        split: as ``load_dataset`` takes it; None is ``train``.
        rows: of the dataset, where they are known.

    Returns:
        Passes; nan where the split cannot be read, or depends on rows that are not known.

    >>> count_passes("train+train[:30%]", None), count_passes("train[10:-10]", 100)
    (1.3, 0.8)
    """
    parts = str(split or "train").split("+")
    return sum(_count_part(part.strip(), rows) for part in parts)


def cut_passes(passes: float, rows: float | None) -> tuple[int, str]:
    """Return whole passes, and the slice for the rest ("" where none is left).

    The slice is exact to one row, or without ``rows`` to one percent.

    >>> cut_passes(2.3, None), cut_passes(2.3, 1000)
    ((2, '[:30%]'), (2, '[:300]'))
    >>> cut_passes(0.0001, None), cut_passes(0.0001, 1000)
    ((0, ''), (0, '[:1]'))
    """
    # datasets cuts by rows or by whole percents, by nothing finer.
    size = round(rows) if rows else 100
    # 2.9999999999 passes are three.
    whole = math.floor(passes + 1e-9)
    part = round(max(passes - whole, 0.0) * size)
    if rows and not whole:
        # Rounded to 0 rows the domain would be lost.
        part = max(part, 1)
    if part >= size:
        return whole + 1, ""
    if not part:
        return whole, ""
    unit = "" if rows else "%"
    return whole, f"[:{part}{unit}]"


def read_rows(entry: object) -> float | None:
    """Return of how many rows the slice of an entry is, by the comment behind it."""
    found = ROWS.match(_read_comment(entry))
    if found is None:
        return None
    return float(re.sub("[_,]", "", found[1])) or None


def write_rows(entry: CommentedMap, rows: float | None) -> None:
    """Put the rows behind ``split``, or take them away; what else stands there stays."""
    behind, line, below = _read_comment(entry).partition("\n")
    ours = ROWS.match(behind)
    theirs = ROWS.sub("", behind, count=1) if ours else behind
    parts = [theirs.lstrip("# ")]
    if rows:
        parts.insert(0, f"of {round(rows)} rows")
    comment = "; ".join(filter(None, parts))
    if rows or (ours and comment):
        entry.yaml_add_eol_comment(comment, key="split")
        entry.ca.items["split"][2].value += line + below
    elif ours:
        entry.ca.items["split"][2].value = line + below


def _count_part(text: str, rows: float | None) -> float:
    part = PART.fullmatch(text)
    if part is None:
        return math.nan
    if not part["start"] and not part["stop"]:
        return 1.0
    # A % at one end makes percents of both.
    size = 100.0 if part["a"] or part["b"] else rows
    if size is None:
        return math.nan
    start = _clip(float(part["start"] or 0), size)
    stop = _clip(float(part["stop"] or size), size)
    return max(stop - start, 0.0) / size


def _clip(edge: float, size: float) -> float:
    """Return an edge of a slice as Python counts it: from the end where it is negative."""
    if edge < 0:
        edge += size
    return min(max(edge, 0.0), size)


def _read_comment(entry: object) -> str:
    if not isinstance(entry, CommentedMap):
        return ""
    # ruamel.yaml keeps what stands behind a value, and the lines below it, in the third place.
    comments = entry.ca.items.get("split")
    if not comments or not comments[2]:
        return ""
    return str(comments[2].value)
