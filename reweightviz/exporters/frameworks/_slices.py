"""Splits of Hugging Face datasets as passes: ``train`` is one, ``train[:30%]`` is 0.3, ``train[:300]`` depends on the rows.

datasets slices by whole percents or by rows, nothing finer. So a slice in rows says behind it of how many they are,
``train[:12345]  # of 41150 rows``, which a config alone could not tell; a comment that stood there follows, ``; as it was``.
"""

from __future__ import annotations

import math
import re

from ruamel.yaml.comments import CommentedMap

PART = re.compile(
    r"(?P<split>[\w.-]+?)(\[((?P<start>-?[\d_]+)(?P<a>%)?)?:((?P<stop>-?[\d_]+)(?P<b>%)?)?\])?(\(\w+\))?"
)
ROWS = re.compile(r"\s*#\s*of ([\d_,]+) rows(;\s*)?")


def base(split: object) -> str:
    """The split without its slices; as it is where it adds up several.

    >>> base("train[:30%]"), base("train+train[:5]"), base("train+test"), base(None)
    ('train', 'train', 'train+test', 'train')
    """
    parts = [PART.fullmatch(part.strip()) for part in str(split or "train").split("+")]
    names = {part["split"] for part in parts if part}
    return names.pop() if None not in parts and len(names) == 1 else str(split)


def passes(split: object, rows: float | None) -> float:
    """How often a split takes its dataset; nan where it cannot be read, or depends on rows that are not known.

    >>> passes("train+train[:30%]", None), passes("train[10:-10]", 100), passes("train[:5]", None)
    (1.3, 0.8, nan)
    """
    total = 0.0
    for text in str(split or "train").split("+"):
        part = PART.fullmatch(text.strip())
        size = (
            1
            if part and not part["start"] and not part["stop"]
            else 100
            if part and (part["a"] or part["b"])
            else rows
        )
        if part is None or size is None:
            return math.nan
        start, stop = (
            min(max(edge + size if edge < 0 else edge, 0), size)
            for edge in (
                float(part["start"] or 0),
                size if part["stop"] is None else float(part["stop"]),
            )
        )
        total += max(stop - start, 0) / size
    return total


def cut(wanted: float, rows: float | None) -> tuple[int, str]:
    """Whole passes, and the slice for the rest ("" where none is left), to one row or else to one percent.

    >>> cut(2.3, None), cut(2.3, 1000), cut(0.0001, 1000), cut(0.0001, None)
    ((2, '[:30%]'), (2, '[:300]'), (0, '[:1]'), (0, ''))
    """
    size = round(rows) if rows else 100
    whole = math.floor(wanted + 1e-9)
    part = round(max(wanted - whole, 0.0) * size)
    part = max(part, int(bool(rows) and not whole))
    if part >= size:
        return whole + 1, ""
    return whole, (f"[:{part}]" if rows else f"[:{part}%]") if part else ""


def rows_said(entry: object) -> float | None:
    """Of how many rows the slice of an entry is said to be."""
    found = ROWS.match(_said(entry))
    return float(re.sub("[_,]", "", found[1])) or None if found else None


def say_rows(entry: CommentedMap, rows: float | None) -> None:
    """Put that behind ``split``, or take it away; what else is said there and on the lines below stays."""
    said, line, below = _said(entry).partition("\n")
    ours = ROWS.match(said)
    theirs = said[ours.end() if ours else 0 :].lstrip("# ")
    comment = "; ".join(filter(None, (f"of {round(rows)} rows" if rows else "", theirs)))
    if rows or (ours and comment):
        entry.yaml_add_eol_comment(comment, key="split")
        entry.ca.items["split"][2].value += line + below
    elif ours:
        entry.ca.items["split"][2].value = line + below


def _said(entry: object) -> str:
    comments = entry.ca.items.get("split") if isinstance(entry, CommentedMap) else None
    return comments[2].value if comments and comments[2] else ""
