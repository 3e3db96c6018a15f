"""CSV for spreadsheets: columns ``domain`` and ``weight``, and ``step`` for a schedule."""

from __future__ import annotations

import csv
import io

from reweightviz.core.errors import WrongContent
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks.plain_json import faults
from reweightviz.exporters.plan import Config, Plan, to_number
from reweightviz.exporters.units import SHARES


class PlainCsv(Exporter):
    """CSV: a row for each domain with its share of tokens, in full; a schedule has a row for each step and domain."""

    name = "csv"
    aliases = ("table", "spreadsheet")
    title = "CSV"
    units = (SHARES,)
    suffix = ".csv"
    name_pattern = r"(?![=+@-])[^\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]*"
    writes_zeros = True
    takes_schedules = True

    def render(self, plan: Plan, old: Document | None) -> dict[str, str]:
        """The table, without options. A name that a spreadsheet would take for a formula is written as a slug."""
        out = io.StringIO()
        writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        many = len(plan.stages) > 1
        writer.writerow(["step", "domain", "weight"] if many else ["domain", "weight"])
        for start, numbers in plan.stages.items():
            writer.writerows(
                [start, name, value] if many else [name, value] for name, value in numbers.items()
            )
        return {"": out.getvalue()}

    def parse(self, document: Document) -> Config:
        """The rows, as a spreadsheet may have saved them: with semicolons or tabs, decimal commas, and a byte order mark."""
        table = _rows(document)
        header = [cell.strip().lower() for cell in table[0]] if table else []
        if not {"domain", "weight"} <= set(header):
            raise WrongContent(
                path=document.path,
                reason="is no mixture: its first row must name the columns domain and weight",
            )
        stages: dict[int, dict[str, float]] = {}
        refused = []
        for cells in table[1:]:
            row = dict(zip(header, cells, strict=False))
            domain, step = row.get("domain", ""), to_number(row.get("step", 0))
            numbers = stages.setdefault(int(step) if step.is_integer() else -1, {})
            if domain in numbers:
                refused.append(
                    f"{domain[:60]!r} stands twice; each domain has one row (at each step)."
                )
            numbers[domain] = to_number(row.get("weight", "").strip().replace(",", "."))
        if -1 in stages or 0 not in stages:
            raise WrongContent(
                path=document.path,
                reason="needs rows below its header, and whole numbers from 0 up as steps",
            )
        return Config(stages, refused=(*refused, *faults(stages)))

    def recognises(self, document: Document) -> bool:
        """A .csv with the two columns."""
        table = _rows(document) if document.path.suffix.lower() in {".csv", ".tsv"} else []
        return bool(table) and {"domain", "weight"} <= {cell.strip().lower() for cell in table[0]}


def _rows(document: Document) -> list[list[str]]:
    text = document.text.removeprefix("\ufeff")
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        return [
            cells
            for cells in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
            if cells
        ]
    except csv.Error:
        return []
