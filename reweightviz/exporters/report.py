"""Report: a framework's reading of a config, for a person."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from reweightviz.core import text
from reweightviz.core.jsonable import to_jsonable

__all__ = ["HEADINGS", "KNOWN_BY", "WIDTH", "Report"]


HEADINGS = {
    "name": "in the file",
    "share": "share of tokens",
    "share_of_examples": "share of examples",
}
KNOWN_BY = {
    "provenance": "known by its provenance",
    "content": "known by its content",
    "asked": "as asked",
}
WIDTH = 48
"""The most characters of a cell of text."""


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """A framework's reading of a config.

    Args:
        path: the file, or the folder that was written.
        framework: the exporter's name.
        title: the framework's name in sentences.
        recognised: the way it was found: "provenance", "content" or "asked".
        unit: one sentence on what a number in the file counts.
        table: a row a domain: ``domain``, ``name`` (in the file), ``number``, ``share`` of tokens
            or ``share_of_examples``, ``epochs``; NaN where not known. A schedule has
            ``number@<step>`` and ``share@<step>`` for each stage.
        refused: sentences on what the framework would refuse or misread.
        traps: sentences on what it takes but a person should know of.
        notes: sentences on what else was found.
    """

    path: Path
    framework: str
    title: str
    recognised: str
    unit: str
    table: pd.DataFrame
    refused: tuple[str, ...] = ()
    traps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """True where nothing would be refused."""
        return not self.refused

    def __repr__(self) -> str:
        """Return plain lines."""
        lines = [
            text.to_line(self._head()),
            text.to_line(self._unit_sentence()),
            "",
            *_align(self._cells(), self._have_numbers()),
        ]
        for title, sentences in self._parts():
            lines += ["", f"{title}:", *(f"  - {text.to_line(sentence)}" for sentence in sentences)]
        return "\n".join(lines)

    def _repr_markdown_(self) -> str:
        head, *rows = [[text.to_markdown(cell) for cell in row] for row in self._cells()]
        rule = ["---:" if numeric else "---" for numeric in self._have_numbers()]
        table = [f"| {' | '.join(row)} |" for row in (head, rule, *rows)]
        title = f"**{text.to_markdown(self._head())}**  "
        lines = [title, text.to_markdown(self._unit_sentence()), "", *table]
        for part, sentences in self._parts():
            items = [f"- {text.to_markdown(sentence)}" for sentence in sentences]
            lines += ["", f"**{part}**", "", *items]
        return "\n".join(lines) + "\n"

    def _repr_html_(self) -> str:
        sides = ["right" if numeric else "left" for numeric in self._have_numbers()]
        rows = []
        for place, row in enumerate(self._cells()):
            tag = "td" if place else "th"
            cells = [
                f'<{tag} style="text-align: {side}">{text.to_html(cell)}</{tag}>'
                for cell, side in zip(row, sides, strict=True)
            ]
            rows.append(f"<tr>{''.join(cells)}</tr>")
        parts = []
        for title, sentences in self._parts():
            items = [f"<li>{text.to_html(sentence)}</li>" for sentence in sentences]
            parts.append(f"<p><b>{title}</b></p><ul>{''.join(items)}</ul>")
        head = text.to_html(self._head())
        unit = text.to_html(self._unit_sentence())
        return (
            f"<div><p><b>{head}</b><br>{unit}</p><table>{''.join(rows)}</table>"
            f"{''.join(parts)}</div>"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON can hold it; null where a number is not known."""
        rows = [
            {str(name): _null_for_nan(value) for name, value in row.items()}
            for row in self.table.to_dict("records")
        ]
        return {
            "path": str(self.path),
            "framework": self.framework,
            "title": self.title,
            "recognised": self.recognised,
            "unit": self.unit,
            "ok": self.ok,
            "table": rows,
            "refused": [*self.refused],
            "traps": [*self.traps],
            "notes": [*self.notes],
        }

    def _head(self) -> str:
        return f"{self.path}: {self.title}, {KNOWN_BY.get(self.recognised, self.recognised)}"

    def _unit_sentence(self) -> str:
        return f"{self.unit[:1].upper()}{self.unit[1:]}."

    def _parts(self) -> Iterator[tuple[str, Sequence[str]]]:
        parts = {
            f"{self.title} would refuse or misread this": self.refused,
            "To know": self.traps,
            "Notes": self.notes,
        }
        yield from ((title, sentences) for title, sentences in parts.items() if sentences)

    def _columns(self) -> list[str]:
        """Return the columns that are worth showing.

        A column may be empty, and names may only repeat the domains.
        """
        columns = [
            column
            for column in self.table
            if column == "domain" or self.table[column].notna().any()
        ]
        names = self.table["name"].dropna()
        if "name" in columns and (names == self.table["domain"][names.index]).all():
            columns.remove("name")
        return columns

    def _have_numbers(self) -> list[bool]:
        """Return for each column whether it holds numbers, which are aligned to the right."""
        return [column not in ("domain", "name") for column in self._columns()]

    def _cells(self) -> list[list[str]]:
        """Return the rows of the table as text, the headings first."""
        columns = self._columns()
        rows = [[_heading(column) for column in columns]]
        records = self.table.to_dict("records")
        return rows + [[_cell(column, row[column]) for column in columns] for row in records]


def _null_for_nan(value: Any) -> Any:
    if isinstance(value, float) and math.isnan(value):
        return None
    return to_jsonable(value)


def _heading(column: str) -> str:
    kind, _, start = column.partition("@")
    heading = HEADINGS.get(kind, kind)
    if start:
        heading += f" from {start}"
    return heading


def _cell(column: str, value: Any) -> str:
    if isinstance(value, str):
        return text.to_line(value, WIDTH)
    if value is None or math.isnan(value):
        return "–"
    if column.startswith("share"):
        return f"{100 * value:.2f} %"
    if column == "epochs":
        return f"{value:.3g}"
    return f"{value:.5g}"


def _align(cells: Sequence[Sequence[str]], have_numbers: Sequence[bool]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = [
            cell.rjust(width) if numeric else cell.ljust(width)
            for cell, width, numeric in zip(row, widths, have_numbers, strict=True)
        ]
        yield "  ".join(padded).rstrip()
