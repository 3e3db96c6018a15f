"""Documents in every format, place and shape that people keep them in; and files that are bombs."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reweightviz as rv
from reweightviz.cli.commands import main
from reweightviz.core.errors import MissingPackage, ReweightvizError, ReweightvizWarning

ROWS = [
    {"text": "a b", "domain": "web", "size": 2},
    {"text": 'he said:\n"héllo", twice', "domain": "007", "size": 1},
    {"text": "", "domain": "web", "size": 0},
]
TABLE = pa.Table.from_pylist(ROWS)
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS).encode()
LIST = json.dumps(ROWS, indent=2, ensure_ascii=False).encode()
NESTED = [
    {"body": {"raw": "a b"}, "meta": {"source": {"name": "web"}}},
    {"body": {"raw": "c"}, "meta": {"source": {"name": "code"}}},
]


def write_stream(table, path):
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table)


def write_csv(table, path, mark=","):
    options = pyarrow.csv.WriteOptions(delimiter=mark)
    pyarrow.csv.write_csv(table, path, options)


WRITERS = {
    "a.parquet": pq.write_table,
    "a.feather": pyarrow.feather.write_feather,
    "a.arrow": write_stream,
    "a.csv": write_csv,
    "a.tsv": lambda table, path: write_csv(table, path, "\t"),
    "b.csv": lambda table, path: table.to_pandas().to_csv(path, index=False),
    "a.jsonl": lambda _, path: path.write_bytes(LINES),
    "a.json": lambda _, path: path.write_bytes(LIST),
    "b.json": lambda _, path: path.write_bytes(b"\xef\xbb\xbf \n" + LIST),
    "c.json": lambda _, path: path.write_bytes(LIST[:-1] + b",\n]\n"),
}
PACKERS = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    # Two frames, as pzstd writes them.
    ".zst": lambda data: b"".join(
        pa.compress(part, "zstd", asbytes=True) for part in (data[:40], data[40:])
    ),
}


def same(corpus) -> None:
    assert corpus.text([0, 1, 2]) == [row["text"] for row in ROWS]
    assert corpus.domains == ("web", "007")
    assert corpus.domain_codes.tolist() == [0, 1, 0]


@pytest.mark.parametrize("name", WRITERS)
def test_a_layout_is_read_in_every_format(tmp_path, name):
    WRITERS[name](TABLE, tmp_path / name)
    same(rv.read_corpus(tmp_path / name, keep=["size"]))


@pytest.mark.parametrize("packing", PACKERS)
@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.ndjson"])
def test_text_is_read_compressed(tmp_path, name, packing):
    plain = tmp_path / name
    WRITERS.get(name, WRITERS["a.jsonl"])(TABLE, plain)
    packed = tmp_path / f"{name}{packing.upper()}"
    packed.write_bytes(PACKERS[packing](plain.read_bytes()))
    same(rv.read_corpus(packed))
    packed.write_bytes(packed.read_bytes()[:-9])
    with pytest.raises(ReweightvizError, match="broken|cannot read"):
        rv.read_corpus(packed)


# ---- nested columns


@pytest.mark.parametrize("form", ["jsonl", "parquet", "arrow", "pandas", "memory", "datasets"])
def test_a_dotted_name_is_a_field(tmp_path, form):
    source = pa.Table.from_pylist(NESTED)
    path = tmp_path / f"a.{form}"
    if form == "jsonl":
        path.write_text("\n".join(map(json.dumps, NESTED)))
    elif form == "parquet":
        pq.write_table(source, path)
    elif form == "arrow":
        write_stream(source, path)
    elif form == "pandas":
        path = pd.DataFrame(NESTED)
    elif form == "memory":
        path = source
    else:
        datasets = pytest.importorskip("datasets", reason="needs datasets, which is not installed")
        path = datasets.Dataset.from_list(NESTED)
    corpus = rv.read_corpus(path, text="body.raw", domain="meta.source.name")
    assert corpus.text([0, 1]) == ["a b", "c"]
    assert corpus.domains == ("web", "code")
    with pytest.raises(ReweightvizError, match="needs column 'meta.source.nam'"):
        rv.read_corpus(path, text="body.raw", domain="meta.source.nam")


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_a_column_whose_own_name_has_the_dot_wins(tmp_path, form):
    rows = [{"text": "x", "meta.source": "own", "meta": {"source": "inner"}}]
    path = tmp_path / f"a.{form}"
    if form == "jsonl":
        path.write_text(json.dumps(rows[0]))
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    assert rv.read_corpus(path, domain="meta.source").domains == ("own",)


def test_a_row_whose_struct_is_null_has_no_such_field(tmp_path):
    rows = [{"text": "x", "meta": {"source": "web"}}, {"text": "y", "meta": None}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    for name in ("a.parquet", "a.jsonl"):
        with pytest.raises(ReweightvizError, match="row 2: no domain"):
            rv.read_corpus(tmp_path / name, domain="meta.source")


# ---- places


def test_a_folder_is_all_that_lies_below_it(tmp_path):
    for name in ("web/a.jsonl", "web/b/c.json", "code/x.jsonl.gz", "math.jsonl"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(gzip.compress(LINES) if name.endswith("gz") else LINES)
    (tmp_path / "README.md").write_text("no documents")
    (tmp_path / "_SUCCESS.json").write_text("{}")
    corpus = rv.read_corpus(tmp_path, domain=None)
    assert corpus.domains == ("code", "math", "web")
    assert len(corpus) == len(set(corpus.ids)) == 12
    sources = rv.count_sources(tmp_path, domain=None)
    assert sources["web"].documents == 6
    assert len(sources["web"].paths) == 2


@pytest.mark.optional("fsspec")
def test_urls_are_read_through_fsspec(tmp_path):
    import fsspec

    system = fsspec.filesystem("memory")
    system.pipe({"/lake/web/a.jsonl.gz": gzip.compress(LINES), "/lake/code/b.jsonl": LINES})
    with system.open("/lake/c.parquet", "wb") as file:
        pq.write_table(TABLE, file)
    try:
        same(rv.read_corpus("memory://lake/web/a.jsonl.gz"))
        same(rv.read_corpus("memory://lake/c.parquet"))
        assert len(rv.read_corpus("memory://lake/*/*.jsonl*")) == 6
        assert rv.read_corpus("memory://lake", domain=None).domains == ("c", "code", "web")
        with pytest.raises(ReweightvizError, match="memory://lake/no.jsonl"):
            rv.read_corpus("memory://lake/no.jsonl")
    finally:
        system.rm("/lake", recursive=True)
    (tmp_path / "a.jsonl").write_bytes(LINES)
    same(rv.read_corpus((tmp_path / "a.jsonl").as_uri()))


@pytest.mark.parametrize(
    ("url", "package"),
    [("s3://b/a.parquet", "s3fs"), ("gs://b/a.parquet", "gcsfs"), ("hf://datasets/a/b", "hugging")],
)
def test_a_url_without_its_package_names_the_extra(monkeypatch, url, package):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(MissingPackage, match=rf'{package}.*pip install "reweightviz\[remote\]"'):
        rv.read_corpus(url)


@pytest.mark.optional("fsspec")
def test_an_unknown_protocol_is_one_sentence():
    with pytest.raises(ReweightvizError, match="cannot read nope://b/a.parquet"):
        rv.read_corpus("nope://b/a.parquet")


@pytest.mark.optional("polars")
def test_polars_frames_are_read():
    polars = pytest.importorskip("polars", reason="needs polars, which is not installed")
    corpus = rv.read_corpus(polars.DataFrame(ROWS), keep=["size"])
    assert corpus.text([0, 1, 2]) == [row["text"] for row in ROWS]
    nested = rv.read_corpus(polars.DataFrame(NESTED), text="body.raw", domain="meta.source.name")
    assert nested.domains == ("web", "code")


# ---- counting


@pytest.fixture
def tokenizer(tmp_path):
    """The path of a tokenizer that cuts at spaces, begins every text with a mark and cuts at 2."""
    tokenizers = pytest.importorskip("tokenizers", reason="needs tokenizers, not installed")
    words = {"[CLS]": 0, "[UNK]": 1, "a": 2}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[UNK]"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A", special_tokens=[("[CLS]", 0)]
    )
    made.enable_truncation(2)
    made.save(str(tmp_path / "tokenizer.json"))
    return str(tmp_path)


def test_a_named_tokenizer_counts(tokenizer, tmp_path, capsys):
    rows = [{"text": "a b c", "domain": "web"}, {"text": "d", "domain": "code"}] * 1200
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    corpus = rv.read_corpus(data, tokenizer=tokenizer)
    assert corpus.tokens.tolist() == [3, 1] * 1200
    assert corpus.tokenizer == tokenizer
    sources = rv.count_sources(data, tokenizer=tokenizer)
    assert sources.token_table == {"web": 3600, "code": 1200}
    assert (sources["web"].documents, sources.tokenizer) == (1200, tokenizer)
    out = tmp_path / "sources.json"
    assert main(["count", str(data), "--tokenizer", tokenizer, "--out", str(out)]) == 0
    assert "3,600" in capsys.readouterr().out
    assert rv.read_sources(out).token_table == sources.token_table


def test_a_tokenizer_that_is_none_is_one_sentence(tmp_path):
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ReweightvizError, match="as a tokenizer.json, or a tokenizer of the Hugg"):
        rv.read_corpus(TABLE, tokenizer=str(tmp_path))


def test_empty_lines_end_no_table(tmp_path):
    (tmp_path / "a.csv").write_text("text,domain,n\n" + "\n" * 9000 + "x,web,2.0\n")
    corpus = rv.read_corpus(tmp_path / "a.csv", tokens="n")
    assert (corpus.ids.tolist(), corpus.tokens.tolist()) == (["a:9002"], [2])


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (b"x", "1 cells under 3 names"),
        (b"x,web,1,2", "4 cells under 3 names"),
        (b"\xff,web,1", "not UTF-8 in its text"),
        (b"x,,1", "no domain"),
        (b'x,web,"1,000"', "tokens must be a whole number, not '1,000'"),
        (b"x,web,", "no tokens"),
        (b"x,web,1e30", "tokens must be a whole number"),
    ],
)
def test_a_broken_row_of_csv_is_named_or_counted(tmp_path, row, why):
    (tmp_path / "a.csv").write_bytes(b"text,domain,n\na,web,1\n" + row + b"\nb,web,1\n")
    with pytest.raises(ReweightvizError, match=f"(line|row) 3: {why}.*on_error='skip'"):
        rv.read_corpus(tmp_path / "a.csv", tokens="n")
    with pytest.warns(ReweightvizWarning, match="1 rows were skipped"):
        corpus = rv.read_corpus(tmp_path / "a.csv", tokens="n", on_error="skip")
    assert corpus.ids.tolist() == ["a:2", "a:4"]


def test_sources_of_a_corpus_are_counted_without_one(tmp_path):
    for name in ("a.jsonl", "b.parquet"):
        WRITERS.get(name, pq.write_table)(TABLE, tmp_path / name)
    counted = rv.count_sources(tmp_path)
    assert counted.token_table == rv.read_corpus(tmp_path).sources.token_table
    assert counted.tokenizer == "utf-8 bytes"
    # Where lengths are known, no text is asked for.
    lengths = rv.count_sources(TABLE.drop_columns(["text"]), tokens="size")
    assert (lengths.token_table, lengths.tokenizer) == ({"web": 2, "007": 1}, "column 'size'")
    with pytest.raises(ReweightvizError, match="needs column 'source'"):
        rv.count_sources(tmp_path, domain="source")


# ---- bombs


def peak_of_reading(path, call="read_corpus"):
    """The sentence that reading ends in, and the MiB that it took at its peak, beside imports."""
    code = f"""
import resource, reweightviz as rv
import pandas
rv.read_corpus(pandas.DataFrame({{"text": ["a"], "domain": ["b"]}}))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    print(len(rv.{call}({str(path)!r})))
except rv.ReweightvizError as error:
    print(error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    said, peak = done.stdout.splitlines()
    return said, int(peak)


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst", "a.json.xz", "a.csv.bz2"])
def test_a_bomb_is_refused_before_it_fills_the_memory(tmp_path, name):
    # One line of 400 MiB; gzip and zstd make 400 kB of it or less.
    piece = b" " * (1 << 20)
    path = tmp_path / name
    start = b'{"text": "' if "json" in name else b'text,domain\n"'
    if name.endswith("gz"):
        with gzip.open(path, "wb", 6) as file:
            file.writelines([start, *[piece] * 400])
    elif name.endswith("zst"):
        with pa.CompressedOutputStream(str(path), "zstd") as file:
            for part in [start, *[piece] * 400]:
                file.write(part)
    else:
        opener = lzma.open if name.endswith("xz") else bz2.open
        with opener(path, "wb") as file:
            file.writelines([start, *[piece] * 200])
    said, peak = peak_of_reading(path)
    assert "unfolds to more than 10 times its size" in said or "more than 64 MiB" in said
    assert peak < 400


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
def test_one_text_for_all_rows_is_no_way_round(tmp_path, name):
    # 2 MB once, and 20,000 rows that point at it.
    places = pa.array([0] * 20_000, pa.int32())
    columns = {
        role: pa.DictionaryArray.from_arrays(places, pa.array([value]))
        for role, value in {"text": "x" * 2_000_000, "domain": "web"}.items()
    }
    WRITERS[name](pa.table(columns), tmp_path / name)
    said, peak = peak_of_reading(tmp_path / name)
    assert "unfolds to more than 10 times its size" in said
    assert peak < 400


def test_short_texts_that_repeat_are_read(tmp_path):
    rows = [{"text": "yes", "domain": "web"}, {"text": "no", "domain": "code"}] * 5000
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    corpus = rv.read_corpus(tmp_path / "a.parquet")
    assert (len(corpus), corpus.text([0, 9999])) == (10_000, ["yes", "no"])


def test_counting_holds_some_documents_at_a_time(tmp_path):
    line = json.dumps({"text": "word " * 2000, "domain": "web"}).encode() + b"\n"
    with (tmp_path / "a.jsonl").open("wb") as file:
        file.writelines([line] * 40_000)  # 400 MB
    said, peak = peak_of_reading(tmp_path / "a.jsonl", "count_sources")
    assert said == "1"
    assert peak < 250


def test_a_line_longer_than_the_limit_is_a_row_that_cannot_be_used(tmp_path, monkeypatch):
    monkeypatch.setattr("reweightviz.readers.documents.jsonl.LONGEST_LINE", 100)
    path = tmp_path / "a.jsonl"
    path.write_bytes(LINES + b'{"text": "' + b"x" * 250 + b'"}\n' + LINES)
    with pytest.raises(ReweightvizError, match="line 4: more than"):
        rv.read_corpus(path)
    with pytest.warns(ReweightvizWarning, match="1 rows were skipped"):
        corpus = rv.read_corpus(path, on_error="skip")
    assert corpus.ids.tolist() == ["a:1", "a:2", "a:3", "a:5", "a:6", "a:7"]


def test_arrow_whose_texts_lie_elsewhere_is_refused(tmp_path):
    """Arrow itself would follow such a place into any memory, and end the process."""
    places = pa.py_buffer(np.array([0, 2, 1 << 30, 3], np.int32).tobytes())
    text = pa.Array.from_buffers(pa.string(), 3, [None, places, pa.py_buffer(b"abc")])
    write_stream(pa.table({"text": text, "domain": ["a", "b", "c"]}), tmp_path / "a.arrow")
    with pytest.raises(ReweightvizError, match="cannot read .*a.arrow as Arrow"):
        rv.read_corpus(tmp_path / "a.arrow", on_error="skip")


def test_arrow_that_is_no_utf8_is_a_fault_of_its_row(tmp_path):
    text = pa.array([b"ok", b"\xff", b"b"]).view(pa.string())
    write_stream(pa.table({"text": text, "domain": ["a", "b", "c"]}), tmp_path / "a.arrow")
    with pytest.raises(ReweightvizError, match="row 2: not UTF-8"):
        rv.read_corpus(tmp_path / "a.arrow")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b'{"text": ' + b"[" * 100_000, "line 1: no JSON"),
        (b'[{"text": ' + b"[" * 100_000, "nested too deeply"),
        (b'{"text": "x", "domain": "a", "n": 1' + b"0" * 400 + b"}", "tokens must be a whole num"),
        (b'[{"text": "x", "domain": "a", "n": 1}] {}', "behind the end of its list"),
        (b'[{"text": "x", "domain": "a", "n": 1},', "breaks off.*entry 2"),
        (b'[{"text": "x", "domain": "a", "n": 1}, 7]', "line 2: no JSON object but a int"),
    ],
)
def test_values_that_no_one_can_hold(tmp_path, data, sentence):
    (tmp_path / "a.json").write_bytes(data)
    with pytest.raises(ReweightvizError, match=sentence):
        rv.read_corpus(tmp_path / "a.json", tokens="n")


# ---- any file ends in documents or in one sentence


def seeds(folder):
    for name, write in WRITERS.items():
        write(TABLE, folder / name)
        yield name, (folder / name).read_bytes()
    yield "n.jsonl", "\n".join(map(json.dumps, NESTED)).encode()
    for packing, pack in PACKERS.items():
        yield f"p.jsonl{packing}", pack(LINES)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return dict(seeds(tmp_path_factory.mktemp("seeds")))


MUTATIONS = st.lists(
    st.tuples(
        st.sampled_from(["flip", "cut", "insert", "repeat"]),
        st.floats(0, 0.999),
        st.sampled_from(
            [b"\x00", b"\xff", b'"', b"{", b"[", b"\n", b",", b"1e999", b"\xed\xa0\x80"]
        ),
    ),
    min_size=1,
    max_size=4,
)


def mutate(data, mutations):
    for kind, where, piece in mutations:
        place = int(where * len(data))
        if kind == "flip" and data:
            data = data[:place] + bytes([data[place] ^ piece[0] | 1]) + data[place + 1 :]
        if kind == "cut":
            data = data[:place]
        if kind == "insert":
            data = data[:place] + piece + data[place:]
        if kind == "repeat":
            data = data[:place] + data
    return data


@settings(max_examples=500)
@given(data=st.data(), mutations=MUTATIONS, on_error=st.sampled_from(["raise", "skip"]))
@pytest.mark.filterwarnings("ignore::reweightviz.core.errors.ReweightvizWarning")
def test_a_mutated_file_is_read_or_refused(files, tmp_path_factory, data, mutations, on_error):
    name = data.draw(st.sampled_from(sorted(files)))
    path = tmp_path_factory.getbasetemp() / f"mutated-{name}"
    path.write_bytes(mutate(files[name], mutations))
    try:
        corpus = rv.read_corpus(path, on_error=on_error, keep=["size"] * (name != "n.jsonl"))
    except ReweightvizError as error:
        said = str(error)
        assert said.count("\n") == 0
    else:
        assert len(corpus) == len(corpus.tokens)
        corpus.sources.tokens.sum()


def test_a_damaged_footer_never_ends_the_process(tmp_path):
    # pyarrow throws past Python, and takes the process with it, where the sizes of a column of a
    # damaged footer are asked for. Each byte of the footer is changed in turn.
    path = tmp_path / "a.parquet"
    pd.DataFrame({"text": ["a", "b"], "domain": ["x", "y"]}).to_parquet(path)
    code = f"""
import pathlib, reweightviz as rv
path = pathlib.Path({str(path)!r})
good = path.read_bytes()
footer = int.from_bytes(good[-8:-4], "little")
for place in range(len(good) - 8 - footer, len(good) - 8):
    path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
    try:
        rv.read_corpus(path)
    except rv.ReweightvizError:
        pass
print("alive")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip().endswith("alive"), done.stderr[-300:]
