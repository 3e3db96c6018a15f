"""A small file may not unfold to what fills the memory."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import reweightviz as rv
from reweightviz.core.array_file import read_arrays
from reweightviz.core.errors import UnreadableFile, WrongContent
from reweightviz.core.parquet_table import read_parquet
from reweightviz.core.unfolding import FREE_BYTES, MOST_TIMES, Allowance

TEXT = "a" * 10_000


def repeat(value: str, rows: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), pa.array([value]))


def test_an_allowance_grows_with_what_was_read():
    allowance = Allowance("a.gz")
    allowance.spend(FREE_BYTES + 100 * MOST_TIMES, 100)
    with pytest.raises(WrongContent, match="a.gz unfolds to more than 10 times its size"):
        allowance.spend(1, 100)


def test_a_table_comes_as_pandas_reads_it(tmp_path):
    table = pa.table({"name": ["x", None, "x"], "number": [1.5, None, 2], "list": [[1], [], None]})
    pq.write_table(table, tmp_path / "a.parquet")
    found = read_parquet(tmp_path / "a.parquet", "a.parquet")
    assert found.equals(table.to_pandas())
    content = (tmp_path / "a.parquet").read_bytes()
    assert read_parquet(content, "a.parquet").equals(found)


@pytest.mark.parametrize(
    "columns",
    [
        {"_step": np.zeros(20_000_000, np.int64)},
        {"_step": np.arange(100_000), "name": repeat(TEXT, 100_000)},
    ],
)
def test_no_table_of_runs_fills_the_memory(columns, tmp_path):
    path = tmp_path / "history.parquet"
    pq.write_table(pa.table(columns), path, compression="zstd")
    for read in (rv.read_log, rv.read_swarm):
        with pytest.raises(UnreadableFile, match="unfolds to more than .* write it as CSV"):
            read(path)


def test_no_table_of_domains_or_selection_fills_the_memory(tmp_path):
    path = tmp_path / "a.parquet"
    rows = 100_000
    columns = {"domain": repeat(TEXT, rows), "tokens": np.ones(rows), "id": repeat(TEXT, rows)}
    pq.write_table(pa.table(columns), path)
    with pytest.raises(UnreadableFile, match="unfolds"):
        rv.read_sources(path)
    with pytest.raises(UnreadableFile, match="unfolds"):
        rv.load_selection(path, rv.Corpus({"text": ["a"], "domain": ["b"]}))


def zip_of(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
        archive.writestr("experiment.json", b"{}")
    return buffer.getvalue()


def test_no_array_fills_the_memory(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, a=np.zeros(FREE_BYTES // 4))
    with pytest.raises(WrongContent, match="unfolds"):
        read_arrays(path)
    # An array of 80 TB by its own word, of which nothing is there.
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (9999999999999,), }".ljust(117)
    magic = b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little")
    path.write_bytes(zip_of("a.npy", magic + header + b"\n"))
    with pytest.raises((WrongContent, ValueError)):
        read_arrays(path)
    np.savez_compressed(path, a=np.arange(3))
    assert read_arrays(path)["a"].tolist() == [0, 1, 2]


def test_no_archive_fills_the_memory(tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(zip_of("messages.json", bytes(2 * FREE_BYTES)))
    with pytest.raises(WrongContent, match="zip -0"):
        rv.read_log(path)


def test_a_sentence_holds_the_ends_of_a_path_alone(tmp_path):
    with pytest.raises(UnreadableFile) as caught:
        rv.check("a\n" * 100_000)
    assert len(str(caught.value)) < 1500
    assert "\n" not in str(caught.value)
