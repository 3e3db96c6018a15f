"""CSV for spreadsheets: columns ``domain`` and ``weight``, and ``step`` for a schedule."""

from __future__ import annotations

import csv
import io

from reweightviz.core.csv_table import unguard_text, write_rows
from reweightviz.core.errors import WrongContent
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks._plain import find_share_faults
from reweightviz.exporters.plan import Config, Plan, to_number
from reweightviz.exporters.units import SHARES

__all__ = ["NO_STEP", "PlainCsv"]


NO_STEP = -1
"""In place of a step that is no whole number."""


class PlainCsv(Exporter):
    """CSV: a row for each domain with its share of tokens; a schedule has one for each step too."""

    name = "csv"
    aliases = ("table", "spreadsheet")
    title = "CSV"
    units = (SHARES,)
    suffix = ".csv"
    name_pattern = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]*"
    writes_zeros = True
    takes_schedules = True

    def render(self, plan: Plan, old: Document | None) -> dict[str, str]:
        """Return the table; a name that is a formula to a spreadsheet has a guard before it."""
        if len(plan.stages) == 1:
            return {"": write_rows([("domain", "weight"), *plan.numbers.items()])}
        rows = [
            (start, name, value)
            for start, numbers in plan.stages.items()
            for name, value in numbers.items()
        ]
        return {"": write_rows([("step", "domain", "weight"), *rows])}

    def parse(self, document: Document) -> Config:
        """Read the rows, as a spreadsheet may have saved them.

        That is with semicolons or tabs, decimal commas, and a byte order mark.
        """
        table = _read_rows(document)
        header = _read_header(table)
        if not {"domain", "weight"} <= set(header):
            raise WrongContent(
                path=document.path,
                reason="is no mixture: its first row must name the columns domain and weight",
            )
        stages: dict[int, dict[str, float]] = {}
        refused = []
        for cells in table[1:]:
            row = dict(zip(header, cells, strict=False))
            domain = unguard_text(row.get("domain", ""))
            numbers = stages.setdefault(_read_step(row.get("step", "0")), {})
            if domain in numbers:
                refused.append(
                    f"{domain[:60]!r} stands twice; each domain has one row (at each step)."
                )
            numbers[domain] = to_number(row.get("weight", "").strip().replace(",", "."))
        if NO_STEP in stages or 0 not in stages:
            raise WrongContent(
                path=document.path,
                reason="needs rows below its header, and whole numbers from 0 up as steps",
            )
        # Without the rows that are left out the sum is another.
        return Config(stages, refused=tuple(refused or find_share_faults(stages)))

    def recognises(self, document: Document) -> bool:
        """Return whether it is a .csv with the two columns."""
        if document.path.suffix.lower() not in {".csv", ".tsv"}:
            return False
        return {"domain", "weight"} <= set(_read_header(_read_rows(document)))


def _read_rows(document: Document) -> list[list[str]]:
    text = document.text.removeprefix("\ufeff")
    first = text.partition("\n")[0]
    # Where the decimal mark is a comma, spreadsheets separate by semicolons.
    delimiter = max(",;\t", key=first.count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        return [cells for cells in lines if cells]
    except csv.Error:
        return []


def _read_header(table: list[list[str]]) -> list[str]:
    return [cell.strip().lower() for cell in table[0]] if table else []


def _read_step(cell: str) -> int:
    step = to_number(cell)
    # A spreadsheet may have made 100.0 of a step, and nan is no integer.
    return int(step) if step.is_integer() else NO_STEP
