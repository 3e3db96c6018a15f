"""What there is of each domain: counts as a person writes them, files of them, and sentences for what is wrong."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pandas as pd
import pytest

import reweightviz as rv
from reweightviz.core.errors import ReweightvizError
from reweightviz.core.sources import Source, Sources

# ---- Sources


def test_sources_convert_and_refuse():
    sources = Sources(
        {
            "web": 10,
            "code": {"tokens": 30, "documents": 3, "paths": "x.bin"},
            "math": "1.2T",
            "law": {"tokens": "5B", "documents": "1M"},
        }
    )
    assert sources["code"] == Source(30, 3, ("x.bin",))
    assert sources["code"].mean_tokens == 10
    assert sources["web"].mean_tokens is None
    assert sources["math"].tokens == 1.2e12
    assert sources["law"].mean_tokens == 5000
    assert Sources({"web": Source("1.2T")})["web"] == Source(1.2e12)
    with pytest.raises(ReweightvizError, match="no domain 'x'"):
        sources.with_paths({"x": "x"})


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("x", "the tokens of 'web' must be a number >= 0, such as 1.2e12 or '1.2T' .*; got 'x'"),
        (None, "'web' has no tokens: give it a number of tokens, or a mapping with 'tokens'"),
        ({}, "'web' has no tokens"),
        ([1, 2], r"the tokens of 'web' must be .* got \[1, 2\]"),
        ({"token": 5}, "no field of 'web' in these sources 'token'; did you mean 'tokens'"),
        ({"tokens": "many"}, "the tokens of 'web' must be .* got 'many'"),
        ({"tokens": 5, "paths": 3}, "the paths of 'web' must be a path or a list of them; got 3"),
        ({"tokens": 5, "paths": [3]}, "the paths of 'web' must be a path"),
        ({"documents": 3}, "'web' has no tokens"),
        ({"tokens": 5, "documents": -3}, "the documents of 'web' must be a number >= 0.*; got -3"),
        (Source(float("nan")), "the tokens of 'web' must be a number >= 0.*; got nan"),
        (-1, "the tokens of 'web' must be a number >= 0.*; got -1"),
    ],
)
def test_a_source_that_is_none_is_one_sentence(entry, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        Sources({"web": entry})


def test_sources_need_a_mapping():
    with pytest.raises(ReweightvizError, match="takes a mapping of domain to tokens; got list"):
        Sources(["web"])


# ---- files

WANTED = {
    "web": Source(1.2e12, 3e9, ("/d/web",)),
    "no": Source(1e11, None, ("/d/a", "/d/b")),
    "1.5": Source(5e9),
}
YAML = """\
web: {tokens: 1.2T, documents: 3B, paths: /d/web}
no:
  tokens: 100 B     # a bare no stays a name
  paths: [/d/a, /d/b]
  documents: null
1.5: 5e9
"""
CSV = (
    "domain,tokens,documents,paths\nweb,1.2T,3B,/d/web\nno,100B,,/d/a; /d/b\n1.5,5_000_000_000,,\n"
)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("s.yaml", YAML),
        (
            "s.yml",
            "tokenizer: gpt2\ndomains:\n" + "".join(f"  {line}\n" for line in YAML.splitlines()),
        ),
        ("s.csv", CSV),
        ("s.tsv", CSV.replace(",", "\t")),
        ("s.csv", "\ufeff" + CSV),
        (
            "s.json",
            json.dumps(
                {
                    "web": {"tokens": "1.2T", "documents": 3e9, "paths": ["/d/web"]},
                    "no": {"tokens": 1e11, "paths": ["/d/a", "/d/b"]},
                    "1.5": 5e9,
                }
            ),
        ),
    ],
)
def test_every_form_reads_the_same(tmp_path, name, text):
    (tmp_path / name).write_text(text, "utf-8")
    sources = rv.read_sources(tmp_path / name)
    assert dict(sources) == WANTED
    assert sources.tokenizer == ("gpt2" if "gpt2" in text else None)


def test_a_parquet_table_may_hold_lists_and_a_row_a_path(tmp_path):
    rows = [("web", 7e11, 1e9, ["/d/w0"]), ("web", 5e11, 2e9, ["/d/w1"]), ("code", 1e9, None, None)]
    pd.DataFrame(rows, columns=["domain", "tokens", "documents", "paths"]).to_parquet(
        tmp_path / "s.parquet"
    )
    assert dict(rv.read_sources(tmp_path / "s.parquet")) == {
        "web": Source(1.2e12, 3e9, ("/d/w0", "/d/w1")),
        "code": Source(1e9),
    }


def test_saved_sources_come_back(tmp_path):
    for sources in (
        Sources(WANTED, tokenizer="my-bpe"),
        Sources({"domains": 1.0, "tokenizer": 2.0, "🦜 no": Source(3.0)}),
    ):
        again = rv.read_sources(sources.save(tmp_path / "s.json"))
        assert dict(again) == dict(sources)
        assert again.tokenizer == sources.tokenizer
    with pytest.raises(ReweightvizError, match="exists already"):
        sources.save(tmp_path / "s.json", overwrite=False)


@pytest.mark.parametrize(
    "name", ["no", "on", "Yes", "null", "~", "true", "1e5", "0x1F", "2024-01-01", "1_000"]
)
def test_a_bare_key_stays_the_text_that_it_is(tmp_path, name):
    (tmp_path / "s.yaml").write_text(f"{name}: 1T\nother: 2T\n")
    assert rv.read_sources(tmp_path / "s.yaml").domains == (name, "other")


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        (
            "s.yaml",
            "- web\n- code\n",
            "must map each domain to its tokens, as in 'web: 1.2T', .*; it holds a list",
        ),
        ("s.yaml", "", "it holds nothing"),
        ("s.yaml", "a: b: c", "is no YAML: mapping values are not allowed"),
        ("s.yaml", "web: 1T\nweb: 2T\n", 'is no YAML: .*duplicate key "web"'),
        ("s.yaml", "&a [*a]", "&a holds itself"),
        ("s.json", '{"web": 1, "web": 2}', "is no JSON: 'web' stands there twice"),
        ("s.json", '{"web": ', "is no JSON: Expecting value"),
        ("s.yaml", "web: -5\n", "the tokens of 'web' must be a number >= 0.*; got '-5'"),
        (
            "s.yaml",
            "web: {token: 5}\n",
            "no field of 'web' in these sources 'token'; did you mean 'tokens'",
        ),
        ("s.yaml", "web:\ncode: 1T\n", "'web' has no tokens"),
        ("s.yaml", "web: {documents: 3}\n", "'web' has no tokens"),
        (
            "s.yaml",
            "tokenizer: gpt2\nweb: 1T\n",
            "beside 'tokenizer' the domains stand below 'domains'",
        ),
        ("s.yaml", "domains: {}\n", "at least one domain"),
        (
            "s.csv",
            "domain,token\nweb,1\n",
            "no column of a table of sources 'token'; did you mean 'tokens'",
        ),
        (
            "s.csv",
            "domain,documents\nweb,1\n",
            "needs column 'tokens'; there is 'domain', 'documents'",
        ),
        ("s.csv", "domain,tokens\nweb,\n", r"row 1 \('web'\) has no tokens"),
        ("s.csv", "domain,tokens\n,5\n", r"row 1 \(''\) has no domain"),
        (
            "s.csv",
            "domain,tokens\nweb,1\nweb,1\n",
            r"row 2 \('web'\) names a domain again without a path of its own",
        ),
        (
            "s.csv",
            "domain,tokens,documents,path\nweb,1,1,a\nweb,1,,b\n",
            "must give its documents, or no row",
        ),
        ("s.csv", "domain,tokens\nweb,many\n", "the tokens of 'web' must be a number"),
        ("s.csv", "", "is no table"),
        ("s.parquet", "nonsense", "is no table"),
    ],
)
def test_what_cannot_be_read_is_one_sentence_that_names_the_file(tmp_path, name, text, sentence):
    (tmp_path / name).write_text(text)
    with pytest.raises(ReweightvizError, match=sentence) as caught:
        rv.read_sources(tmp_path / name)
    assert isinstance(caught.value, rv.errors.UnreadableFile)
    assert caught.value.path == tmp_path / name


def test_files_that_cannot_be_opened_are_one_sentence(tmp_path):
    for name in ("absent.yaml", "absent.csv", "absent.parquet"):
        with pytest.raises(ReweightvizError, match=f"cannot read .*{name}: No such file"):
            rv.read_sources(tmp_path / name)
    with pytest.raises(ReweightvizError, match="cannot read .*: Is a directory"):
        rv.read_sources(tmp_path)
    (tmp_path / "s.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(ReweightvizError, match="is no text in UTF-8"):
        rv.read_sources(tmp_path / "s.yaml")


@pytest.mark.parametrize("name", ["s.yaml", "s.txt"])
def test_aliases_of_a_table_stay_small(name: str, tmp_path: Path) -> None:
    """Nine levels of nine: 362 bytes that a repr would write out to more than a gigabyte."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 9):
        inner = ", ".join([f"*a{level - 1}"] * 9)
        lines.append(f"a{level}: &a{level} [{inner}]")
    (tmp_path / name).write_text("\n".join(lines))
    tracemalloc.start()
    with pytest.raises(ReweightvizError, match="written out, make more than 1,000,000 entries"):
        rv.read_sources(tmp_path / name)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 10**7


def test_a_column_that_stands_twice_is_named_as_the_file_has_it(tmp_path):
    file = tmp_path / "s.csv"
    file.write_text("domain,tokens,tokens\nweb,1,2\n")
    with pytest.raises(ReweightvizError, match="each column may stand once .* 'tokens' came"):
        rv.read_sources(file)
