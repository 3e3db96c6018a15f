"""PremixDB: weights by name in a module, other people's query.mix, and what it would refuse. Read from its source only."""

from __future__ import annotations

import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.exporters.frameworks.premixdb import Premixdb

PREMIX = Premixdb()
MIXTURE = Mixture({"web": 0.7, "Côde: x": 0.2, "math": 0.1, "spam": 0.0})
THEIRS = """\
import premixdb
from premixdb import RegMix

db = premixdb.PremixDB("corpus")
query = db.query(db.snapshots())
proposals = query.mix(weights=RegMix(), tokens=10_000, n_candidates=8)
weights = {"python": 0.75, "prose": 0.25}
mixture = query.mix(domains=premixdb.topic, weights=weights, tokens=1_000_000)
"""


KNOWN = {
    "domains",
    "weights",
    "splits",
    "size",
    "tokens",
    "tokenizer",
    "sequence_length",
    "packing",
    "bounds",
    "n_candidates",
    "replacement",
    "seed",
}
"""The keywords of Query.mix in premixdb 0.1.3."""


class Query:
    """Takes what premixdb 0.1.3 takes."""

    def mix(self, **options):
        assert set(options) <= KNOWN
        return options


def mixed(path, **options):
    space = {}
    exec(path.read_text("utf-8"), space)  # noqa: S102
    return space["mixture"](Query(), **options)


def test_the_module_mixes_every_domain_by_name_those_of_weight_0_too(tmp_path):
    path = PREMIX.write(MIXTURE, tmp_path / "mix.py", seed=3)
    assert PREMIX.recognises(PREMIX.open(path))
    assert mixed(path, tokens=100, sequence_length=8) == {
        "domains": None,
        "weights": dict(MIXTURE),
        "tokens": 100,
        "replacement": False,
        "seed": 3,
        "sequence_length": 8,
    }
    assert dict(PREMIX.read(path)) == dict(MIXTURE)


def test_a_budget_is_written_and_repeats_need_replacement(tmp_path):
    mixture = Mixture({"web": 0.5, "code": 0.5})
    path = PREMIX.write(mixture, tmp_path / "mix.py", sources={"web": 1e6, "code": 1e6}, tokens=1e6)
    assert (mixed(path)["tokens"], mixed(path)["replacement"]) == (1_000_000, False)
    path = PREMIX.write(
        mixture, tmp_path / "more.py", sources={"web": 1e6, "code": 1e6}, tokens=4e6
    )
    assert mixed(path)["replacement"] is True
    path = PREMIX.write(
        mixture,
        tmp_path / "forced.py",
        sources={"web": 1e6, "code": 1e6},
        tokens=4e6,
        replacement=False,
    )
    assert mixed(path)["replacement"] is False


def test_an_edit_is_followed_and_the_sum_is_held(tmp_path):
    path = PREMIX.write(MIXTURE, tmp_path / "mix.py")
    text = path.read_text("utf-8")
    path.write_text(
        text.replace("'web': 0.7", "'web': 0.5").replace("'spam': 0.0", "'spam': 0.2"), "utf-8"
    )
    assert dict(PREMIX.read(path)) == pytest.approx(
        {"web": 0.5, "Côde: x": 0.2, "math": 0.1, "spam": 0.2}
    )
    path.write_text(text.replace("'web': 0.7", "'web': 0.5"), "utf-8")
    with pytest.raises(ReweightvizError, match="must sum to 1, to 12 places; they sum to 0.8"):
        PREMIX.read(path)
    path.write_text(text.replace("'web': 0.7", "'web': 7"), "utf-8")
    with pytest.raises(ReweightvizError, match="must be from 0 to 1; that of 'web' is not"):
        PREMIX.read(path)


def test_somebodys_mix_is_read_and_proposals_are_passed_over(tmp_path):
    (tmp_path / "data.py").write_text(THEIRS)
    assert PREMIX.recognises(PREMIX.open(tmp_path / "data.py"))
    assert dict(PREMIX.read(tmp_path / "data.py")) == {"python": 0.75, "prose": 0.25}
    (tmp_path / "data.py").write_text(THEIRS.rpartition("weights = ")[0])
    assert not PREMIX.recognises(PREMIX.open(tmp_path / "data.py"))
    with pytest.raises(
        ReweightvizError, match="no query.mix.weights=...... that can be read without running it"
    ):
        PREMIX.read(tmp_path / "data.py")


def test_an_empty_name_becomes_a_slug(tmp_path):
    path = PREMIX.write(Mixture({"": 0.5, "web": 0.5}), tmp_path / "mix.py")
    assert all(mixed(path)["weights"])
    assert dict(PREMIX.read(path)) == {"": 0.5, "web": 0.5}
