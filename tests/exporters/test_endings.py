"""Endings of data files: tables, arrays, archives and what is compressed, but no versions."""

from __future__ import annotations

import pytest

from reweightviz.exporters.text.endings import is_data_file, strip


@pytest.mark.parametrize("ending", ["jsonl", "npy", "mds", "gz", "zip", "warc", "zstd"])
def test_an_ending_makes_a_data_file_in_either_case_and_is_stripped(ending):
    assert is_data_file(f"s3://b/web.{ending}") and is_data_file(f"web.{ending.upper()}")
    assert strip(f"s3://b/web.{ending}") == "web"


@pytest.mark.parametrize(
    "path", ["web.jsonl.gz", "web.warc.gz", "web.tar.zst", "/d/web.csv.zip", "hdfs://n/web.WARC"]
)
def test_the_last_ending_decides_and_all_are_stripped(path):
    assert is_data_file(path)
    assert strip(path) == "web"


@pytest.mark.parametrize(
    "path",
    [
        "web",
        "/d/web.v2",
        "teknium/OpenHermes-2.5",
        "/d/gz",
        ".zip",
        "s3://b/web.jsonl.gz/shards",
        "",
    ],
)
def test_a_folder_a_version_or_a_bare_ending_is_no_data_file(path):
    assert not is_data_file(path)
    assert strip(path) == path.rpartition("/")[2]
