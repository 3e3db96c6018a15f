"""Files that 0.3.0 and 0.5.0 saved still open: each folder of tests/golden was written by it."""

import json
import shutil

import numpy as np
import pytest

import reweightviz as rv

DOMAINS = ("web", "code", "math")


@pytest.fixture(params=["0.3.0", "0.5.0"])
def saved(root, tmp_path, request):
    """A copy, because opening may write: a live mixture locks, an explorer saves itself."""
    return shutil.copytree(root / "tests" / "golden" / f"saved_{request.param}", tmp_path / "saved")


def test_mixtures_schedules_and_sources(saved):
    mixture = rv.load_mixture(saved / "mixture.json")
    assert dict(mixture) == {"web": 0.5, "code": 0.3, "math": 0.2}
    assert mixture.source == {"method": "by hand"}
    assert rv.Mixture.load(saved / "mixture.json") == mixture
    schedule = rv.load_schedule(saved / "schedule.json")
    assert [dict(stage) for stage in schedule.values()][1] == {"web": 0.2, "code": 0.4, "math": 0.4}
    sources = rv.read_sources(saved / "sources.yaml")
    assert sources.tokens.tolist() == [1.2e12, 3e11, 2e10]
    assert sources["web"].documents == 1.5e9


def test_a_live_mixture_keeps_its_history_and_guards(saved):
    live = rv.LiveMixture(saved / "live.json")
    assert dict(live.mixture) == pytest.approx({"web": 0.6, "code": 0.3, "math": 0.1})
    assert live.version == 2
    assert live.changes()["note"].tolist()[-1] == "more code"
    with pytest.raises(rv.ReweightvizError, match="0.3"):
        live.set({"web": 0.5, "code": 0.1, "math": 0.4}, author="me")
    live.set({"web": 0.5, "code": 0.4, "math": 0.1}, author="me")
    assert live.version == 3


def test_a_run_log(saved):
    for log in (rv.read_log(saved / "log.jsonl"), rv.RunLog.load(saved / "log.jsonl")):
        assert (log.domains, log.name, log.meta["seed"]) == (DOMAINS, "run", 1)
        assert log.steps.tolist() == [1, 2, 3]
        assert np.isfinite(log["loss"]).all()


@pytest.mark.optional("lance")
def test_a_corpus(saved):
    corpus = rv.open_corpus(saved / "corpus.lance")
    assert (len(corpus), corpus.domains, corpus.tokenizer) == (12, DOMAINS, "bytes")
    assert corpus["xy"].shape == (12, 2)
    more = corpus.with_column("score:mine", np.arange(12.0))
    more.save(saved / "corpus.lance")
    assert rv.open_corpus(saved / "corpus.lance")["score:mine"].tolist() == list(range(12))


@pytest.mark.optional("lance")
def test_an_explorer_with_its_law_logs_and_undo_steps(saved):
    x = rv.Explorer.load(saved / "explorer")
    expected = json.loads((saved / "expected.json").read_text("utf-8"))
    assert dict(x.mixture) == {"web": 0.2, "code": 0.5, "math": 0.3}
    assert x.law.predict([[0.5, 0.3, 0.2]]).tolist() == expected["predicted"]
    assert [log.name for log in x.logs] == ["run"]
    x.redo()
    assert x.selection.ids.tolist() == ["d1", "d4"]
    x.undo()
    x.undo()
    assert dict(x.mixture) == {"web": 0.5, "code": 0.3, "math": 0.2}


def test_what_else_0_5_0_wrote(root, tmp_path):
    """A journal beside a live mixture, exports with their provenance, a decision record."""
    saved = shutil.copytree(root / "tests" / "golden" / "saved_0.5.0", tmp_path / "saved")
    live = rv.LiveMixture(saved / "live.json")
    assert dict(live.history()[0]) == pytest.approx({"web": 0.6, "code": 0.3, "math": 0.1})
    assert live.changes()["step"].tolist()[-1] == 0
    for name in ("hf", "levanter.yaml"):
        mixture = rv.load_mixture(saved / name)
        assert dict(mixture) == pytest.approx({"web": 0.5, "code": 0.3, "math": 0.2}, rel=1e-3)
        assert mixture.source["method"] == "by hand"
    new = {"web": 0.2, "code": 0.5, "math": 0.3}
    rv.decision_record(new, saved / "why", overwrite=True)
    assert "reweightviz 0.5.0" not in (saved / "why.md").read_text("utf-8")
