"""No reader opens a connection, whatever addresses a file names."""

from __future__ import annotations

import socket
import warnings

import fuzz_families
import pytest

import reweightviz as rv
from reweightviz.core.errors import ReweightvizError

ADDRESS = "https://example.org/a.jsonl"


class Connected(AssertionError):
    pass


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*arguments, **_):
        raise Connected(arguments)

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("getaddrinfo", "create_connection", "gethostbyname"):
        monkeypatch.setattr(socket, name, refuse)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("family", sorted(fuzz_families.FAMILIES))
def test_no_address_in_a_file_is_called(family, tmp_path):
    write, read = fuzz_families.FAMILIES[family]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write(tmp_path)
        for example in sorted(tmp_path.iterdir()):
            read(example)
            for file in (one for one in example.rglob("*") if one.is_file()):
                content = file.read_bytes().replace(b"data/web.jsonl", ADDRESS.encode())
                content = content.replace(b"d/web", b"s3://bucket/web").replace(
                    b"https://", b"http://"
                )
                file.write_bytes(content)
            try:
                read(example)
            except ReweightvizError:
                continue


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("address", [ADDRESS, "s3://bucket/a.csv", "hf://datasets/a/b/c.json"])
def test_an_address_is_refused_by_every_reader_of_a_path(address):
    for read in (rv.read_log, rv.read_sources, rv.read_swarm, rv.check, rv.load_mixture):
        with pytest.raises(ReweightvizError, match="URL"):
            read(address)
