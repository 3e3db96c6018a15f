"""Domains that were split, and laws of the domains before."""

import json

import numpy as np
import pytest

import reweightviz as rv
from reweightviz.core.errors import ReweightvizError
from reweightviz.core.lineage import Lineage, natural_inside
from reweightviz.laws._log_linear_law import LogLinearLaw
from reweightviz.widgets.editor.mixture_editor import MixtureEditor

LAW = LogLinearLaw(
    ("web", "code"), ("a", "b"), np.ones(2, bool), np.array([[0.0, -1.0, 0.5], [-0.5, 0.3, -2.0]])
)


@pytest.fixture
def corpus():
    """Web: 6 documents of 10 tokens, code: 4 of 5."""
    return rv.Corpus(
        {
            "id": [str(i) for i in range(10)],
            "text": [f"text {i}" for i in range(10)],
            "domain": ["web"] * 6 + ["code"] * 4,
            "tokens": [10] * 6 + [5] * 4,
            "xy": np.random.default_rng(0).normal(size=(10, 2)),
        }
    )


def mean_loss(corpus, mixture=None):
    asked = corpus.lineage.mixture_onto(corpus.natural if mixture is None else mixture, LAW.domains)
    return LAW.predict(asked).mean()


SPLITS = {
    "of one domain": [([0, 1], "mine")],
    "of two domains": [([0, 1, 6], "mine")],
    "of a whole domain": [([6, 7, 8, 9], "mine")],
    "of a split": [([0, 1, 2, 6], "mine"), ([0, 6], "few")],
    "of a split and a parent": [([0, 1, 6], "mine"), ([0, 2, 7], "few"), ([3], "one")],
}


@pytest.mark.parametrize("splits", SPLITS.values(), ids=SPLITS)
def test_a_split_alone_changes_no_prediction(corpus, splits):
    split = corpus
    for rows, name in splits:
        split = rv.split_domain(split, rows, name)
    shares = split.lineage.onto(split.domains, LAW.domains)
    np.testing.assert_allclose(shares.sum(0), 1)
    np.testing.assert_allclose(shares @ split.natural.array, corpus.natural.array)
    assert mean_loss(split) == pytest.approx(mean_loss(corpus), abs=1e-12)
    with pytest.raises(
        ReweightvizError, match=rf"name different domains: only in the mixture .*'{splits[0][1]}'"
    ):
        LAW.predict(split.natural)


def test_a_domain_of_two_parents_counts_as_both_by_tokens(corpus):
    split = rv.split_domain(corpus, [0, 1, 6, 7], "mine")  # 20 tokens of web, 10 of code
    assert split.lineage == Lineage(
        {"mine": {("web",): pytest.approx(2 / 3), ("code",): pytest.approx(1 / 3)}}
    )
    known = split.lineage.mixture_onto({"web": 0.1, "code": 0.3, "mine": 0.6}, LAW.domains)
    assert known == pytest.approx({"web": 0.5, "code": 0.5})


def test_a_split_of_a_split_knows_which_of_its_documents_came_from_where(corpus):
    split = rv.split_domain(rv.split_domain(corpus, [0, 1, 6], "mine"), [6], "code of mine")
    assert split.lineage.former == {
        "mine": {("web",): 1.0},
        "code of mine": {("mine", "code"): 1.0},
    }
    middle = ("web", "code", "mine")
    np.testing.assert_array_equal(
        split.lineage.onto(split.domains, middle), [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1]]
    )


def test_the_lineage_is_saved_and_carried_by_every_corpus_made_from_it(corpus, tmp_path):
    split = rv.split_domain(corpus, [0, 1, 6], "mine")
    for again in (
        rv.open_corpus(split.save(tmp_path / "c")),
        split.with_column("score:x", np.zeros(10)),
        split.take(np.arange(10)),
    ):
        assert again.lineage == split.lineage
    assert split.take([0, 1, 2]).lineage.former == {"mine": {("web",): 1.0}}
    path = split.sources.with_paths({"mine": "/data"}).save(tmp_path / "sources.json")
    assert rv.read_sources(path).lineage == split.lineage
    assert "lineage" not in json.loads(corpus.sources.save(path).read_text())
    with pytest.raises(ReweightvizError, match="a lineage maps a domain to pairs"):
        Lineage.from_jsonable({"mine": [["web"]]})


def test_a_corpus_saved_without_a_lineage_opens(corpus, tmp_path):
    again = rv.open_corpus(corpus.save(tmp_path / "c"))
    assert not again.lineage
    assert not again.sources.lineage
    assert again.lineage.mixture_onto(again.natural, LAW.domains) == again.natural


def test_a_former_name_stays_with_its_documents(corpus):
    split = rv.split_domain(corpus, np.arange(6), "all of web")
    with pytest.raises(ReweightvizError, match="other documents lay in a domain 'web' before"):
        rv.split_domain(split, [0, 6], "web")
    back = rv.split_domain(split, np.arange(6), "web")
    assert back.lineage.onto(back.domains, ("all of web", "code")).tolist() == [[0, 1], [1, 0]]
    assert back.lineage.onto(back.domains, LAW.domains).tolist() == [[0, 1], [1, 0]]


def test_a_domain_without_documents_outlives_a_split():
    corpus = rv.Corpus({"text": ["a", "b"], "domain": ["web", "web"]}, domains=["web", "code"])
    assert rv.split_domain(corpus, [0], "mine").domains == ("web", "code", "mine")


def test_strangers_are_refused_and_may_weigh_nothing():
    with pytest.raises(
        ReweightvizError,
        match="the law does not know 'spam', so it cannot predict this mixture; it knows 'web', 'code'",
    ):
        Lineage().mixture_onto({"web": 0.5, "spam": 0.5}, LAW.domains)
    assert Lineage().mixture_onto({"web": 1.0, "spam": 0.0}, LAW.domains) == {
        "web": 1.0,
        "code": 0.0,
    }


def test_parts_of_a_domain_without_tokens_share_it_evenly():
    assert natural_inside(np.array([[1.0, 1.0]]), np.zeros(2)).tolist() == [[0.5], [0.5]]


# ---- where a law meets the parts


def test_the_editor_sends_what_each_domain_counts_as(corpus):
    split = rv.split_domain(corpus, [0, 1, 6, 7], "mine")
    for tokens in (split, split.sources):
        shares = np.zeros((2, 3))
        for row, column, share in MixtureEditor(tokens, law=LAW).law_header["shares"]:
            shares[row, column] = share
        np.testing.assert_allclose(shares, [[1, 0, 2 / 3], [0, 1, 1 / 3]])
    assert "shares" not in MixtureEditor(corpus, law=LAW).law_header


def test_a_law_of_the_kernel_is_asked_about_its_own_domains(corpus, monkeypatch):
    split = rv.split_domain(corpus, [0, 1, 6, 7], "mine")
    monkeypatch.setattr(LogLinearLaw, "browser_form", lambda _: None)
    editor, replies = MixtureEditor(split, law=LAW), []
    monkeypatch.setattr(editor, "send", replies.append)
    natural = split.natural.array.tolist()
    editor._answer(
        editor, {"id": "a:1", "type": "predict", "weights": natural, "reference": natural}, []
    )
    assert editor.law_header["kind"] == "kernel"
    assert replies[0]["now"]["mean"]["value"] == pytest.approx(mean_loss(corpus))


def test_the_laws_optimum_is_spread_over_the_parts_by_their_tokens(corpus):
    split = rv.split_domain(corpus, [0, 1], "mine")
    whole = rv.optimize(LAW, tokens=100, sources=corpus.sources, max_epochs=2, draws=0)
    parts = rv.optimize(LAW, tokens=100, sources=split.sources, max_epochs=2, draws=0)
    assert parts.domains == split.domains
    assert parts == pytest.approx(
        {"web": whole["web"] * 2 / 3, "code": whole["code"], "mine": whole["web"] / 3}, abs=1e-6
    )
    assert parts.source["predicted"] == pytest.approx(whole.source["predicted"], abs=1e-6)
    assert max(parts.epochs(split.sources.token_table, 100).values()) <= 2 + 1e-6


def test_a_cap_on_a_part_bounds_its_parent_and_one_too_narrow_is_named(corpus):
    split = rv.split_domain(corpus, [0, 1], "mine")
    bounded = rv.optimize(LAW, kl=0, sources=split.sources, bounds={"mine": (0, 0.1)}, draws=0)
    assert bounded["mine"] == pytest.approx(0.1, abs=1e-6)
    assert bounded["web"] == pytest.approx(0.2, abs=1e-6)
    with pytest.raises(ReweightvizError, match="no mixture meets all constraints: .*'web'"):
        rv.optimize(LAW, sources=split.sources, bounds={"mine": (0, 0.1), "web": (0.5, 1)}, draws=0)
    with pytest.raises(ReweightvizError, match="the law does not know 'code', 'of code'"):
        rv.optimize(
            LogLinearLaw(("web",), ("a",), np.ones(1, bool), np.zeros((1, 2))),
            sources=rv.split_domain(corpus, [6], "of code").sources,
            draws=0,
        )


def test_a_proposal_over_mixed_parts_is_predicted_as_it_comes_out(corpus):
    split = rv.split_domain(corpus, [0, 1, 6, 7], "mine")
    found = rv.optimize(LAW, tokens=200, sources=split.sources, max_epochs=4, draws=0)
    predicted = LAW.predict(split.lineage.mixture_onto(found, LAW.domains))[0]
    assert found.source["predicted"] == pytest.approx(
        dict(zip(LAW.targets, predicted, strict=True))
    )
    pulled = rv.optimize(
        LAW, near={"web": 0.9, "code": 0.1}, kl=np.inf, sources=split.sources, draws=0
    )
    inside = natural_inside(split.lineage.onto(split.domains, LAW.domains), split.sources.tokens)
    assert list(pulled.values()) == pytest.approx(inside @ [0.9, 0.1], abs=1e-6)


def test_a_decision_record_counts_the_parts(corpus, tmp_path):
    split = rv.split_domain(corpus, [0, 1, 6], "mine")
    text = rv.decision_record(
        split.natural,
        tmp_path / "d",
        law=LAW,
        sources=split.sources,
        rejected={"before": corpus.natural},
    ).read_text()
    assert f"{mean_loss(corpus):.3f}" in text
    with pytest.raises(ReweightvizError, match="the law does not know 'mine'"):
        rv.decision_record(split.natural, tmp_path / "e", law=LAW)


def test_an_explorer_of_a_split_corpus_offers_the_laws_optimum_and_is_opened_again(
    corpus, tmp_path
):
    split = rv.split_domain(corpus, [0, 1], "mine")
    x = rv.Explorer(split, law=LAW)
    optimum = next(preset for preset in x.editor.presets if preset["name"] == "law's optimum")
    weights = dict(zip(x.editor.domains, optimum["weights"], strict=True))
    assert weights["mine"] == pytest.approx(weights["web"] / 2)
    x.save(tmp_path / "x")
    again = rv.Explorer.load(tmp_path / "x")
    assert again.sources.lineage == split.lineage
    assert again.editor.law_header == x.editor.law_header


def test_an_explorer_saved_without_a_lineage_opens(corpus, tmp_path):
    rv.Explorer(corpus, law=LAW).save(tmp_path / "x")
    settings = json.loads((tmp_path / "x" / "explorer.json").read_text())
    del settings["lineage"]
    (tmp_path / "x" / "explorer.json").write_text(json.dumps(settings))
    assert not rv.Explorer.load(tmp_path / "x").sources.lineage


def test_the_law_s_optimum_carries_its_warnings():
    noisy = LogLinearLaw(
        LAW.domains,
        LAW.targets,
        np.ones(2, bool),
        LAW.coef,
        refits=np.stack([LAW.coef, LAW.coef[:, [0, 2, 1]]] * 10),
        noise=np.random.default_rng(0).normal(0, 1, (20, 2)),
    )
    x = rv.Explorer(tokens={"web": 3e11, "code": 1e11}, law=noisy)
    optimum = next(preset for preset in x.editor.presets if preset["name"] == "law's optimum")
    assert any(
        "may be none: its 90 % interval is" in sentence
        for sentence in optimum["source"]["warnings"]
    )
