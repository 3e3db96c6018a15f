"""Report: what a framework would make of a config, for a person to read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from reweightviz.core import text
from reweightviz.core.jsonable import to_jsonable

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


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """What a framework would make of a config.

    Args:
        path: the file, or the folder that was written.
        framework: the exporter's name.
        title: how sentences name the framework.
        recognised: how it was known: "provenance", "content" or "asked".
        unit: one sentence, what a number in the file counts.
        table: a row a domain: ``domain``, ``name`` (in the file), ``number``, ``share`` of tokens
            or ``share_of_examples``, ``epochs``; NaN where not known. A schedule has
            ``number@<step>`` and ``share@<step>`` for each stage.
        refused: sentences, what the framework would refuse or misread.
        traps: sentences, what it takes but a person should know of.
        notes: sentences, what else was found.
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
        """Whether nothing would be refused."""
        return not self.refused

    def __repr__(self) -> str:
        """Plain lines."""
        lines = [
            text.to_line(self._head()),
            text.to_line(self._unit()),
            "",
            *_aligned(self._cells(), self._right()),
        ]
        for title, sentences in self._parts():
            lines += ["", f"{title}:", *(f"  - {text.to_line(sentence)}" for sentence in sentences)]
        return "\n".join(lines)

    def _repr_markdown_(self) -> str:
        head, *rows = [[text.to_markdown(cell) for cell in row] for row in self._cells()]
        rule = ["---:" if right else "---" for right in self._right()]
        table = [f"| {' | '.join(row)} |" for row in (head, rule, *rows)]
        lines = [
            f"**{text.to_markdown(self._head())}**  ",
            text.to_markdown(self._unit()),
            "",
            *table,
        ]
        for title, sentences in self._parts():
            lines += [
                "",
                f"**{title}**",
                "",
                *(f"- {text.to_markdown(sentence)}" for sentence in sentences),
            ]
        return "\n".join(lines) + "\n"

    def _repr_html_(self) -> str:
        aligned = [
            ' style="text-align: right"' if right else ' style="text-align: left"'
            for right in self._right()
        ]
        rows = [
            "<tr>"
            + "".join(
                f"<{tag}{style}>{text.to_html(cell)}</{tag}>"
                for cell, style in zip(row, aligned, strict=True)
            )
            + "</tr>"
            for tag, row in zip(["th", *["td"] * len(self.table)], self._cells(), strict=True)
        ]
        parts = [
            f"<p><b>{title}</b></p><ul>"
            + "".join(f"<li>{text.to_html(sentence)}</li>" for sentence in sentences)
            + "</ul>"
            for title, sentences in self._parts()
        ]
        return (
            f"<div><p><b>{text.to_html(self._head())}</b><br>{text.to_html(self._unit())}</p><table>{''.join(rows)}</table>"
            f"{''.join(parts)}</div>"
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON can hold it; null where a number is not known."""
        rows = [
            {
                name: None if isinstance(value, float) and math.isnan(value) else to_jsonable(value)
                for name, value in row.items()
            }
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

    def _unit(self) -> str:
        return f"{self.unit[:1].upper()}{self.unit[1:]}."

    def _parts(self) -> Iterator[tuple[str, Sequence[str]]]:
        parts = {
            f"{self.title} would refuse or misread this": self.refused,
            "To know": self.traps,
            "Notes": self.notes,
        }
        yield from ((title, sentences) for title, sentences in parts.items() if sentences)

    def _columns(self) -> list[str]:
        """What is shown: no column that is empty, and no names that only repeat the domains."""
        known = [
            column
            for column in self.table
            if column == "domain" or self.table[column].notna().any()
        ]
        named = self.table["name"].dropna()
        return [
            column
            for column in known
            if column != "name" or (named != self.table["domain"][named.index]).any()
        ]

    def _right(self) -> list[bool]:
        return [column not in ("domain", "name") for column in self._columns()]

    def _cells(self) -> list[list[str]]:
        columns = self._columns()
        return [
            [_heading(column) for column in columns],
            *(
                [_cell(column, row[column]) for column in columns]
                for row in self.table.to_dict("records")
            ),
        ]


def _heading(column: str) -> str:
    kind, _, start = column.partition("@")
    return HEADINGS.get(kind, kind) + (f" from {start}" if start else "")


def _cell(column: str, value: Any) -> str:
    if isinstance(value, str):
        return text.to_line(value, WIDTH)
    if value is None or math.isnan(value):
        return "–"
    if column.startswith("share"):
        return f"{100 * value:.2f} %"
    return f"{value:.3g}" if column == "epochs" else f"{value:.5g}"


def _aligned(cells: Sequence[Sequence[str]], right: Sequence[bool]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = [
            cell.rjust(width) if flush else cell.ljust(width)
            for cell, width, flush in zip(row, widths, right, strict=True)
        ]
        yield "  ".join(padded).rstrip()
