"""CSV: what a spreadsheet makes of it, and what comes back from one."""

from __future__ import annotations

import csv

import pandas as pd
import pytest

import reweightviz as rv
from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.core.schedule import Schedule
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks.plain_csv import PlainCsv

CSV = PlainCsv()


def test_the_table_is_whole_and_others_read_it(tmp_path):
    mixture = Mixture({"web": 0.7, 'co"de, a': 0.2, "1.5": 0.1, "spam": 0.0})
    file = CSV.write(mixture, tmp_path / "mix.csv")
    assert (
        file.read_text() == '"domain","weight"\n"web",0.7\n"co""de, a",0.2\n"1.5",0.1\n"spam",0.0\n'
    )
    table = pd.read_csv(file, dtype={"domain": str})
    assert dict(zip(table.domain, table.weight, strict=True)) == dict(mixture)
    assert CSV.read(file) == mixture


def test_no_cell_is_a_formula_and_no_name_is_lost(tmp_path):
    names = ["=1+1", "@SUM(A1)", "-2", "+3", "\t=1", "a\rb", "\ufeffweb", "ok", ""]
    file = CSV.write(Mixture.uniform(names), tmp_path / "mix.csv")
    with file.open(newline="") as table:
        cells = [row[0] for row in csv.reader(table)]
    assert not [cell for cell in cells if cell[:1] in {"=", "+", "-", "@", "\t", "\r"}]
    assert CSV.read(file).domains == tuple(names)


def test_a_schedule_has_a_row_for_each_step_and_domain(tmp_path):
    schedule = Schedule(
        {0: Mixture({"web": 0.75, "code": 0.25}), 100: Mixture({"web": 0.0, "code": 1.0})}
    )
    file = CSV.write(schedule, tmp_path / "mix.csv")
    assert file.read_text().splitlines()[3:] == ['100,"web",0.0', '100,"code",1.0']
    assert dict(CSV.read_schedule(file)) == dict(schedule)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffDomain;Weight;Note\r\nweb;0,75;x\r\ncode;0,25;\r\n",
        "domain\tweight\nweb\t.75\ncode\t.25\n",
        "weight, domain\n0.75,web\n\n0.25,code\n",
        'note,domain,weight\n"a,b",web,"0,75"\n,code,0.25\n',
    ],
)
def test_what_spreadsheets_save_is_read(tmp_path, text):
    (tmp_path / "mix.csv").write_text(text, "utf-8", newline="")
    assert CSV.recognises(Document.open(tmp_path / "mix.csv"))
    assert dict(CSV.read(tmp_path / "mix.csv")) == {"web": 0.75, "code": 0.25}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name,share\nweb,1\n", "its first row must name the columns domain and weight"),
        ("domain,weight\n", "needs rows below its header"),
        ("step,domain,weight\n0.5,web,1\n", "whole numbers from 0 up as steps"),
        ("domain,weight\nweb,1\nweb,2\n", "'web' stands twice"),
        ("domain,weight\nweb,much\n", "must be numbers >= 0; that of 'web' is not"),
        ("domain,weight\nweb,0\n", "at least one weight"),
        ("domain,weight\na.com,12\n", "must sum to 1; they sum to 12"),
        (
            "step,domain,weight\n0,web,1\n9,web,0.5\n",
            "the weights from step 9 on are shares and must sum to 1",
        ),
        ("domain,weight\nweb\n", "must be numbers >= 0; that of 'web' is not"),
    ],
)
def test_other_tables_are_refused(tmp_path, text, sentence):
    (tmp_path / "mix.csv").write_text(text)
    with pytest.raises(ReweightvizError, match=sentence):
        CSV.read(tmp_path / "mix.csv")


def test_an_edit_is_followed(tmp_path):
    file = CSV.write(
        Mixture({"web": 0.5, "code": 0.5}, source={"method": "olmix"}), tmp_path / "mix.csv"
    )
    file.write_text(file.read_text().replace('"code",0.5', '"code",0.75'))
    with pytest.raises(ReweightvizError, match="must sum to 1; they sum to 1.25"):
        CSV.read(file)
    file.write_text(file.read_text().replace('"web",0.5', '"web",0.25'))
    assert dict(CSV.read(file)) == {"web": 0.25, "code": 0.75}
    assert CSV.read(file).source["method"] == "edited by hand"


def test_a_domain_that_stands_twice_is_not_said_to_miss_in_the_sum(tmp_path):
    (tmp_path / "m.csv").write_text("domain,weight\nweb,0.4\ncode,0.2\nweb,0.4\n")
    assert rv.check(tmp_path / "m.csv").refused == (
        "'web' stands twice; each domain has one row (at each step).",
    )
