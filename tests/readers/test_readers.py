"""Reading tables of documents and of proxy runs, good and bad."""

from __future__ import annotations

import gzip
import json
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reweightviz.core.errors import ReweightvizError, ReweightvizWarning
from reweightviz.readers.documents import jsonl
from reweightviz.readers.read_corpus import read_corpus
from reweightviz.readers.swarms.two_tables import read as read_swarm

ROWS = [
    {"text": "a b", "domain": "web", "size": 2},
    {"text": "héllo", "domain": "code", "size": 1},
    {"text": "", "domain": "web", "size": 0},
]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)


def same(corpus, ids) -> None:
    assert corpus.text([0, 1, 2]) == ["a b", "héllo", ""]
    assert corpus.domains == ("web", "code")
    assert corpus.domain_codes.tolist() == [0, 1, 0]
    assert corpus.tokens.tolist() == [3, 6, 0]
    assert corpus.ids.tolist() == ids
    assert corpus.tokenizer == "utf-8 bytes"
    assert corpus.meta["zero_token_documents"] == 1
    assert corpus.meta["skipped_lines"] == 0


# ---- every form that a table comes in


@pytest.mark.parametrize(
    "name", ["a.jsonl", "a.ndjson", "a.json", "A.JSONL", "a.jsonl.gz", "a.parquet"]
)
def test_files(tmp_path, name):
    file = tmp_path / name
    if name.endswith("parquet"):
        pq.write_table(pa.Table.from_pylist(ROWS), file)
    else:
        file.write_bytes(
            gzip.compress(LINES.encode())
            if name.endswith("gz")
            else b"\xef\xbb\xbf" + LINES.encode()
        )
    same(read_corpus(file), [f"{name[0]}:{row}" for row in (1, 2, 3)])
    same(read_corpus(str(file), on_error="skip"), [f"{name[0]}:{row}" for row in (1, 2, 3)])


@pytest.mark.parametrize(
    "make",
    [
        pd.DataFrame,
        pa.Table.from_pylist,
        pa.RecordBatch.from_pylist,
        lambda rows: pa.table(pd.DataFrame(rows).astype({"domain": "category"})),
    ],
)
def test_tables_in_memory(make):
    same(read_corpus(make(ROWS)), ["0", "1", "2"])


@pytest.mark.optional("datasets")
def test_a_hugging_face_dataset_counts_as_it_is_shuffled_and_selected(monkeypatch, tmp_path):
    datasets = pytest.importorskip("datasets", reason="needs datasets, which is not installed")
    same(read_corpus(datasets.Dataset.from_list(ROWS)), ["0", "1", "2"])
    same(
        read_corpus(
            datasets.Dataset.from_list(
                [*ROWS[::-1], {"text": "z", "domain": "z", "size": 1}]
            ).select([2, 1, 0])
        ),
        ["0", "1", "2"],
    )
    with pytest.raises(ReweightvizError, match="pick one of 'train'"):
        read_corpus(datasets.DatasetDict(train=datasets.Dataset.from_list(ROWS)))
    with pytest.raises(ReweightvizError, match="a streamed dataset has no end"):
        read_corpus(datasets.Dataset.from_list(ROWS).to_iterable_dataset())


def test_several_files_in_sorted_order_with_unique_ids(tmp_path):
    (tmp_path / "x").mkdir()
    for name in ("b.jsonl", "a.jsonl", "x/a.jsonl"):
        (tmp_path / name).write_text(LINES)
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "c.parquet")
    corpus = read_corpus(str(tmp_path / "*.jsonl"))
    assert corpus.ids.tolist() == ["a:1", "a:2", "a:3", "b:1", "b:2", "b:3"]
    mixed = read_corpus([tmp_path / "c.parquet", str(tmp_path / "**" / "a.jsonl")])
    assert len(set(mixed.ids)) == len(mixed) == 9
    assert mixed.ids[0] == "c:1"
    assert mixed.meta["read_from"] == [
        str(tmp_path / name) for name in ("c.parquet", "a.jsonl", "x/a.jsonl")
    ]
    with pytest.raises(ReweightvizError, match="each file may stand once in the list of a corpus"):
        read_corpus([tmp_path / "a.jsonl", tmp_path / "*.jsonl"])


def test_without_a_domain_column_the_file_is_the_domain(tmp_path):
    for name in ("web.jsonl", "code.jsonl.gz"):
        data = b'{"text": "x"}\n'
        (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    assert read_corpus(str(tmp_path / "*"), domain=None).domains == ("code", "web")
    assert read_corpus(pd.DataFrame({"text": ["x"]}), domain=None).domains == ("corpus",)


def test_columns_named_by_the_caller():
    table = pd.DataFrame(
        {
            "body": ["a", "b"],
            "kind": [1, 2],
            "name": ["p", "q"],
            "n": [3, 0],
            "stars": [1.5, 2.5],
            "embedding": [[0.0, 1.0], [2.0, 3.0]],
        }
    )
    corpus = read_corpus(
        table,
        text="body",
        domain="kind",
        id="name",
        tokens="n",
        keep=["stars", "embedding"],
        tokenizer="gpt2",
    )
    assert corpus.domains == ("1", "2")
    assert corpus.ids.tolist() == ["p", "q"]
    assert (corpus.tokens.tolist(), corpus.tokenizer) == ([3, 0], "gpt2")
    assert corpus["stars"].tolist() == [1.5, 2.5]
    assert corpus["embedding"].tolist() == [[0, 1], [2, 3]]
    assert read_corpus(table, text="body", domain="kind", tokens="n").tokenizer == "column 'n'"


def test_a_data_frame_whose_columns_are_numbers():
    table = pd.DataFrame([["web", "a b", 1.5], ["code", "c", 2.5]])
    corpus = read_corpus(table, text="1", domain="0", keep=["2"])
    assert (corpus.domains, corpus.text([0, 1]), corpus["2"].tolist()) == (
        ("web", "code"),
        ["a b", "c"],
        [1.5, 2.5],
    )
    assert table.columns.tolist() == [0, 1, 2]


@pytest.mark.parametrize("form", ["pandas", "arrow", "parquet"])
def test_a_column_named_twice_is_refused_where_it_is_needed(tmp_path, form):
    source = pa.table(
        [["a b", "c"], ["web", "code"], ["x", "y"], ["p", "q"]],
        names=["text", "domain", "note", "note"],
    )
    if form == "pandas":
        source = pd.DataFrame(
            [["a b", "web", "x", "p"], ["c", "code", "y", "q"]], columns=source.column_names
        )
    if form == "parquet":
        pq.write_table(source, tmp_path / "t.parquet")
        source = tmp_path / "t.parquet"
    assert read_corpus(source).text([0, 1]) == ["a b", "c"]
    with pytest.raises(ReweightvizError, match="has 2 columns named 'note'; rename all but one"):
        read_corpus(source, keep=["note"])


def test_awkward_domain_names_stay_as_they_are(tmp_path):
    domains = ['"', "'", "<b>", "🦜", "x" * 300, "a\nb", "\u2028", " ", ""]
    (tmp_path / "a.jsonl").write_text(
        "".join(json.dumps({"text": "t", "domain": d}, ensure_ascii=False) + "\n" for d in domains),
        "utf-8",
    )
    assert read_corpus(tmp_path / "a.jsonl").domains == tuple(domains)
    assert read_corpus(pd.DataFrame({"text": "t", "domain": domains})).domains == tuple(domains)


# ---- bad input, one sentence each


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b'{"text": "x", "domain"', r"no JSON \(Expecting ':' delimiter\)"),
        (b'{"text": ' + b"1" * 5000, r"no JSON \(Exceeds the limit"),
        (b"[1]", "no JSON object but a list"),
        (b'{"text": "\xff", "domain": "web"}', r"not UTF-8 \(byte 11 of the line\)"),
        (b'{"text": 3, "domain": "web"}', "text must be text, not int"),
        (b'{"text": "x", "domain": ["web"]}', "domain must be text, not list"),
        (b'{"text": "\\ud800", "domain": "web"}', "text holds half of a surrogate pair"),
        (b'{"text": null, "domain": "web"}', "no text"),
        (b'{"domain": "web"}', "no text"),
        (b'{"text": "x", "domain": null}', "no domain"),
    ],
)
@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
def test_a_broken_line_is_named_or_counted(tmp_path, line, why, suffix):
    file = tmp_path / f"bad{suffix}"
    data = LINES.encode() + b"\n" + line + b"\n" + LINES.encode()
    file.write_bytes(gzip.compress(data) if suffix.endswith("gz") else data)
    with pytest.raises(ReweightvizError, match=f"bad.*(line|row) 5: {why}.*on_error='skip'"):
        read_corpus(file)
    with pytest.warns(ReweightvizWarning, match="1 rows were skipped.*(line|row) 5"):
        corpus = read_corpus(file, on_error="skip")
    assert corpus.meta["skipped_lines"] == 1
    assert corpus.ids.tolist() == [f"bad:{row}" for row in (1, 2, 3, 6, 7, 8)]


@pytest.mark.parametrize("form", ["table", "file"])
def test_bad_rows_of_a_table_are_named_or_counted(tmp_path, form):
    not_utf8 = pa.array([b"ok", b"\xff", b"b", b"c", b"d"]).view(pa.string())
    table = pa.table(
        {"text": not_utf8, "domain": ["w", "w", None, "w", "v"], "n": pa.array([1, 2, 3, -1, 5])}
    )
    source = table
    if form == "file":
        source = tmp_path / "t.parquet"
        pq.write_table(table, source)
    with pytest.raises(ReweightvizError, match="row 2: not UTF-8"):
        read_corpus(source, tokens="n")
    with pytest.warns(ReweightvizWarning, match="3 rows were skipped"):
        corpus = read_corpus(source, tokens="n", on_error="skip")
    assert corpus.ids.tolist() == (["t:1", "t:5"] if form == "file" else ["0", "4"])
    assert corpus.text([0, 1]) == ["ok", "d"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"text": "txt"},
            "needs column 'txt'; there is 'text', 'domain', 'size'. text= names another",
        ),
        (
            {"domain": "source"},
            "needs column 'source'; there is 'text', 'domain', 'size'.*domain=None takes the file's name",
        ),
        ({"id": "uid"}, "needs column 'uid'"),
        ({"tokens": "n"}, "needs column 'n'"),
        ({"keep": ["stars"]}, "needs column 'stars'"),
        ({"id": "domain"}, "each id may stand once in a corpus; 'web' came more often"),
        ({"on_error": "ignore"}, "on_error must be 'raise' or 'skip'"),
    ],
)
@pytest.mark.parametrize("form", ["jsonl", "parquet", "pandas"])
def test_what_is_asked_wrongly(tmp_path, form, options, sentence):
    source = pd.DataFrame(ROWS) if form == "pandas" else tmp_path / f"a.{form}"
    if form == "jsonl":
        source.write_text(LINES)
    if form == "parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), source)
    with pytest.raises(ReweightvizError, match=sentence):
        read_corpus(source, **options)


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("a.jsonl", b"", "a.jsonl is empty"),
        ("a.jsonl", b"\n \n", "a.jsonl is empty"),
        ("a.jsonl.gz", gzip.compress(b""), "a.jsonl.gz is empty"),
        ("a.jsonl.gz", LINES.encode(), "broken gzip"),
        ("a.jsonl.gz", gzip.compress(LINES.encode() * 99)[:-20], "broken gzip"),
        ("a.parquet", b"", "as Parquet: it is empty"),
        ("a.parquet", b"hello", "cannot read .*a.parquet as Parquet"),
        ("a.csv", b"text,domain\n", "has no documents"),
        ("a.csv", b"", "a.csv is empty"),
        ("a.feather", b"", "cannot read .*a.feather as Arrow"),
        ("a.txt", b"text,domain", "of no known kind; a corpus is read from '.parquet'"),
        ("a", b"", "of no known kind"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, name, data, sentence):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ReweightvizError, match=sentence):
        read_corpus(tmp_path / name)


def test_sources_that_are_none(tmp_path):
    for source, sentence in (
        (tmp_path, "is a folder without a file that ends in '.parquet'"),
        (tmp_path / "no.jsonl", "there is no such file"),
        (str(tmp_path / "*.parquet"), "there is no such file"),
        ([], "a list must hold paths"),
        ([{"text": "x"}], "a list must hold paths"),
        (7, "got int"),
        (None, "got NoneType"),
        (pd.DataFrame({"text": [], "domain": []}, dtype=str), "the table has no documents"),
        (pd.DataFrame({"text": [[1]], "domain": ["a"]}), "must hold text; it holds list"),
        (pd.DataFrame({"text": ["a", 3], "domain": ["a", "b"]}), "mixes kinds of values"),
    ):
        with pytest.raises(ReweightvizError, match=sentence):
            read_corpus(source)


def test_when_every_line_is_bad_nothing_is_made_up(tmp_path):
    (tmp_path / "a.jsonl").write_text("{\n{\n")
    with pytest.raises(ReweightvizError, match="has no documents; 2 rows were skipped"):
        read_corpus(tmp_path / "a.jsonl", on_error="skip")


@pytest.fixture
def clock(monkeypatch):
    """``clock(seconds)`` lets the time of progress bars go on by so much with every value that is read."""
    now, as_read = [0.0], jsonl._parse

    def tick(seconds: float) -> None:
        def value(*line):
            now[0] += seconds
            return as_read(*line)

        monkeypatch.setattr(jsonl, "_parse", value)

    monkeypatch.setattr("tqdm.std.time", lambda: now[0])
    return tick


def test_what_takes_longer_than_a_second_shows_how_far_it_is(tmp_path, clock, capsys):
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text(LINES)
    clock(0.01)
    read_corpus(str(tmp_path / "*.jsonl"))
    assert capsys.readouterr().err == ""
    clock(0.6)
    same(read_corpus(tmp_path / "a.jsonl"), ["a:1", "a:2", "a:3"])
    assert "a.jsonl: 3 lines" in capsys.readouterr().err
    read_corpus(str(tmp_path / "*.jsonl"))
    assert "reading:  50%" in capsys.readouterr().err


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(["web", "🦜", ""])
        ),
        min_size=1,
        max_size=20,
    )
)
def test_any_text_is_read_as_it_was_written(tmp_path_factory, rows):
    file = tmp_path_factory.mktemp("any") / "a.jsonl"
    file.write_text(
        "".join(json.dumps({"text": t, "domain": d}, ensure_ascii=False) + "\n" for t, d in rows),
        "utf-8",
        newline="",
    )
    corpus = read_corpus(file)
    assert corpus.text(range(len(rows))) == [t for t, _ in rows]
    assert corpus.tokens.tolist() == [len(t.encode()) for t, _ in rows]
    assert [corpus.domains[code] for code in corpus.domain_codes] == [d for _, d in rows]


# ---- proxy runs

REGMIX = (
    "index,train_the_pile_arxiv,train_the_pile_pile_cc\n1,0.333,0.666\n2,1.0,0.0\n3,0.5,0.5\n",
    "index,metric/the_pile_arxiv_val_loss,metric/the_pile_pile_cc_val_loss\n3,5.5,6.5\n1,5.25,6.25\n2,5,6\n",
)
OLMIX = (
    "run,name,index,dclm,wiki\nr1,exp-1,0,0.25,0.75\nr2,exp-2,1,1,0\n",
    "run,name,index,eval/arc_bpb,eval/mmlu_bpb,eval/x_bpb\nr1,exp-1,0,1.5,2.5,3\nr2,exp-2,1,1.25,2.25,3\n",
)


def tables(folder, ratios: str, metrics: str):
    (folder / "ratios.csv").write_text(ratios, "utf-8")
    (folder / "metrics.csv").write_text(metrics, "utf-8")
    return folder / "ratios.csv", folder / "metrics.csv"


def test_regmix_tables_as_they_are(tmp_path):
    swarm = read_swarm(*tables(tmp_path, *REGMIX))
    assert swarm.domains == swarm.targets == ("arxiv", "pile_cc")
    assert swarm.mixtures.tolist() == [[0.333, 0.666], [1, 0], [0.5, 0.5]]
    assert swarm.losses.tolist() == [[5.25, 6.25], [5, 6], [5.5, 6.5]]
    assert swarm.runs["index"].tolist() == [1, 2, 3]
    assert swarm.meta["columns"]["arxiv"] == "metric/the_pile_arxiv_val_loss"


def test_olmix_tables_as_they_are(tmp_path):
    swarm = read_swarm(
        *tables(tmp_path, *OLMIX), tokens={"dclm": 1e9, "wiki": 1e6}, higher_is_better=["mmlu"]
    )
    assert (swarm.domains, swarm.targets) == (("dclm", "wiki"), ("arc", "mmlu", "x"))
    assert swarm.runs.columns.tolist() == ["run", "name", "index"]
    assert swarm.lower_is_better.tolist() == [True, False, True]
    assert swarm.tokens == {"dclm": 1e9, "wiki": 1e6}
    assert read_swarm(*tables(tmp_path, *OLMIX), strip=False).targets[0] == "eval/arc_bpb"


def test_tables_in_memory_with_a_key_that_only_one_has():
    ratios = pd.DataFrame(
        {"run": [1, 2], "Unnamed: 0": [0, 1], "web": [0.5, 0.25], "code": [0.5, 0.75]}
    )
    metrics = pd.DataFrame({"run": [2, 1], "name": ["b", "a"], "loss": [2.0, 1.0]})
    swarm = read_swarm(ratios, metrics)
    assert (swarm.targets, swarm.losses.tolist()) == (("loss",), [[1.0], [2.0]])
    assert swarm.runs.to_dict("list") == {"run": [1, 2], "name": ["a", "b"]}


@pytest.mark.parametrize(
    ("which", "old", "new", "sentence"),
    [
        (0, "index", "row", "must share a column that names a run, one of 'run', 'name', 'index'"),
        (0, "0.333", "0.233", "the weights of run 0 sum to 0.8990, not 1"),
        (
            0,
            "0.333",
            "x",
            "column 'train_the_pile_arxiv' of ratios must hold numbers; row 1 has 'x'",
        ),
        (
            0,
            "0.333",
            "",
            r"run \(1,\) has no number in 'train_the_pile_arxiv' \(1 such runs\); on_error='skip'",
        ),
        (1, "5.25", "nan", "has no number in 'metric/the_pile_arxiv_val_loss'"),
        (1, "5.25", "inf", "has no number in 'metric/the_pile_arxiv_val_loss'"),
        (0, "2,1.0", "1,1.0", "each run may stand once in ratios"),
        (1, "3,5.5", "4,5.5", "2 runs stand in one of the two tables only"),
        (0, "0.333,0.666", "-0.334,1.334", "must be finite and >= 0"),
    ],
)
def test_what_is_wrong_with_two_tables(tmp_path, which, old, new, sentence):
    changed = [
        text.replace(old, new) if place == which else text for place, text in enumerate(REGMIX)
    ]
    assert changed != list(REGMIX)
    with pytest.raises(ReweightvizError, match=sentence):
        read_swarm(*tables(tmp_path, *changed))


@pytest.mark.parametrize(
    ("ratios", "sentence"),
    [
        ("", "ratios.csv is empty"),
        ("index,a\n", "the table of ratios has no rows"),
        ("index\n1\n2\n3\n", "has no columns besides 'index'"),
        ("index,a\n1,2,3\n1,2,3,4\n", "names 2 columns in its header, and its first row has 3"),
    ],
)
def test_tables_that_are_none(tmp_path, ratios, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        read_swarm(*tables(tmp_path, ratios, REGMIX[1]))


def test_a_table_that_is_not_there(tmp_path):
    with pytest.raises(
        ReweightvizError,
        match="cannot read .*absent.csv as a table of metrics: there is no such file",
    ):
        read_swarm(pd.DataFrame({"index": [1], "a": [1.0]}), tmp_path / "absent.csv")


def test_runs_that_failed_can_be_left_out(tmp_path):
    paths = tables(tmp_path, REGMIX[0] + "9,0.5,0.5\n", REGMIX[1].replace("5.25", ""))
    with pytest.warns(ReweightvizWarning, match="2 of 4 runs skipped"):
        swarm = read_swarm(*paths, on_error="skip")
    assert swarm.runs["index"].tolist() == [2, 3]
    assert swarm.losses.tolist() == [[5, 6], [5.5, 6.5]]
    assert swarm.meta["skipped_runs"] == 2


def test_names_are_only_cut_at_separators():
    ratios = pd.DataFrame({"run": [1], "web": [0.5], "wet": [0.5]})
    metrics = pd.DataFrame({"run": [1], "a_": [1.0], "a_b": [1.0]})
    swarm = read_swarm(ratios, metrics)
    assert (swarm.domains, swarm.targets) == (("web", "wet"), ("a_", "a_b"))


@pytest.mark.shared
@pytest.mark.parametrize(("part", "runs"), [("train", 512), ("test", 256)])
def test_the_published_regmix_tables(public_tables, part, runs):
    folder = public_tables / "regmix"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        swarm = read_swarm(folder / f"{part}_mixture_1m.csv", folder / f"{part}_pile_loss_1m.csv")
    assert (len(swarm), len(swarm.domains), len(swarm.targets)) == (runs, 17, 13)
    assert set(swarm.targets) < set(swarm.domains)
    as_read = pd.read_csv(folder / f"{part}_mixture_1m.csv")
    np.testing.assert_array_equal(swarm.mixtures, as_read.iloc[:, 1:])
