"""One rule for URLs: a reader that does not say that it fetches names the URL and what would do."""

from pathlib import Path

import pytest

import reweightviz as rv
from reweightviz.core.local_path import check_local

URLS = ["https://example.org/a.csv", "s3://bucket/a.yaml", "hf://datasets/a/b.jsonl"]
READERS = {
    "read_swarm": rv.read_swarm,
    "read_swarm, the second table": lambda url: rv.read_swarm([{"run": "a", "web": 1.0}], url),
    "read_log": rv.read_log,
    "read_log, followed": lambda url: rv.read_log(url, follow=True),
    "read_sources": rv.read_sources,
    "check": rv.check,
    "check of a framework": lambda url: rv.check(url, "levanter"),
    "load_mixture": rv.load_mixture,
    "load_schedule": rv.load_schedule,
    "load_selection": lambda url: rv.load_selection(url, None),
}


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("reader", READERS)
def test_a_url_is_one_sentence_and_nothing_is_fetched(monkeypatch, reader, url):
    def fetch(*_args, **_options):
        raise AssertionError("something was fetched")

    monkeypatch.setattr("socket.socket.connect", fetch)
    with pytest.raises(rv.ReweightvizError, match=f"cannot read {url}: it is a URL") as caught:
        READERS[reader](url)
    assert "download it" in str(caught.value)


def test_a_path_made_of_a_url_is_told_too():
    with pytest.raises(rv.ReweightvizError, match="cannot read https://example.org/a: it is a URL"):
        check_local(Path("https://example.org/a"))


@pytest.mark.parametrize("path", ["C:/runs/a.csv", "a:b.csv", "runs/a.csv", "/a/b", 3])
def test_what_is_no_url_passes(path):
    check_local(path)
