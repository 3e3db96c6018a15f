import json
import shutil
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

import reweightviz as rv
from reweightviz.core.errors import ReweightvizError, ReweightvizWarning

GOLDEN = Path(__file__).parents[1] / "golden"
NAMES = ["web", 'co"de <b>', "🦜"]


@pytest.fixture(scope="module")
def law():
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.ones(3), 40)
    losses = 1 + np.exp(0.3 - weights @ np.eye(3)) + 0.01 * rng.standard_normal((40, 3))
    return rv.laws.Olmix(draws=20).fit(
        domains=NAMES, targets=NAMES, mixtures=weights, losses=losses
    )


@pytest.fixture
def corpus():
    rng = np.random.default_rng(0)
    return rv.Corpus(
        {
            "id": [f"d{i}" for i in range(60)],
            "text": [f"text {i}" for i in range(60)],
            "domain": NAMES * 20,
            "tokens": np.tile([10, 20, 30], 20),
            "xy": rng.standard_normal((60, 2)),
        }
    )


@pytest.fixture
def x(corpus, law):
    log = rv.RunLog(
        tuple(NAMES),
        [1, 2],
        np.full((2, 3), 1 / 3),
        {"loss": np.ones((2, 3))},
        "doremi",
        {"result": [0.2, 0.3, 0.5]},
    )
    return rv.Explorer(corpus, law=law, logs=[log])


MIX = dict(zip(NAMES, (0.5, 0.3, 0.2), strict=True))


def test_one_state_and_every_widget_follows(x):
    x.mixture = MIX
    assert x.editor.mixture == MIX
    assert x.map.mixture == MIX
    x.editor.mixture = dict.fromkeys(NAMES, 1 / 3)
    assert x.mixture["web"] == pytest.approx(1 / 3)
    x.selection = ["d3", "d1"]
    assert sorted(x.selection.ids) == ["d1", "d3"]
    x.undo()
    assert len(x.selection) == 0
    x.undo()
    assert x.mixture == MIX == dict(x.map.mixture)
    x.redo()
    assert x.editor.mixture["web"] == pytest.approx(1 / 3)


def test_a_point_of_the_front_becomes_the_mixture_and_can_be_undone(corpus, law):
    front = rv.pareto(law, NAMES[:2], points=5, kl=0)
    x = rv.Explorer(corpus, law=law, front=front)
    natural = x.mixture
    x.front.picked = 2
    assert (
        dict(x.mixture)
        == dict(x.editor.mixture)
        == dict(x.map.mixture)
        == pytest.approx(front["weight"].iloc[2].to_dict(), abs=1e-6)
    )
    assert x.mixture.source["method"] == "pareto"
    x.undo()
    assert x.mixture == natural
    assert x.front in x.children and rv.Explorer(corpus, law=law).front is None
    with pytest.raises(
        ReweightvizError,
        match="the front must be over the explorer's domains, 'a', 'b'; it differs in",
    ):
        rv.Explorer(tokens={"a": 1, "b": 2}, front=front)


def test_the_editors_own_undo_is_the_same_journal(x):
    natural = x.mixture
    x.mixture = MIX
    x.editor.undo()
    assert x.mixture == natural
    x.redo()
    assert x.mixture == MIX == dict(x.editor.mixture)


def page_step(x, by, **step):
    """Send what the page sends on undo (-1), redo (1) or, with weights, a change (0)."""
    journal = x.editor.journal
    ids = [entry["id"] for entry in journal["entries"]]
    at = ids[ids.index(journal["at"]) + by]
    sent = {"id": f"page-1:{uuid4()}", "at": at, "seen": journal["version"], **step}
    x.editor.set_state({"draft": None, "page_steps": [sent]})


def test_a_visit_of_equal_weights_is_a_step_of_its_own(x):
    uniform = dict.fromkeys(NAMES, 1 / 3)
    x.mixture = uniform
    x.mixture = MIX
    x.mixture = uniform
    x.undo()
    assert x.mixture == MIX == dict(x.editor.mixture) == dict(x.map.mixture)
    x.undo()
    assert x.mixture == uniform
    x.redo()
    assert x.mixture == MIX


def test_the_pages_undo_and_pythons_step_through_one_journal(x):
    natural = x.mixture
    x.mixture = MIX
    x.map.set_state({"selection_bits": b"\x0f" + bytes(7)})  # a lasso in the page
    rows = x.state.selection.tolist()
    page_step(x, 0, weights=[0.2, 0.3, 0.5], source={"method": "by hand"})
    x.map.set_state({"hidden": ["web"]})
    assert (len(rows), x.mixture["web"], x.state.hidden) == (4, 0.2, ("web",))
    page_step(x, -1)
    assert (x.state.hidden, x.map.hidden) == ((), [])
    x.undo()
    assert x.mixture == MIX == dict(x.map.mixture)
    page_step(x, -1)
    assert len(x.selection) == 0 == len(x.map.selection)
    x.editor.undo()
    assert x.mixture == natural
    for by in (1, 1):
        page_step(x, by)
    assert x.map.selected_rows.tolist() == rows
    x.redo(), x.redo()
    assert (x.mixture["web"], x.map.hidden) == (0.2, ["web"])
    assert [entry["what"] for entry in x.editor.journal["entries"]][1:] == [
        ["mixture"],
        ["selection"],
        ["mixture"],
        ["hidden"],
    ]


def test_presets_hold_the_law_and_the_log(x):
    names = [preset["name"] for preset in x.editor.presets]
    assert "law's optimum" in names
    assert "doremi (log)" in names
    optimum = next(p["weights"] for p in x.editor.presets if p["name"] == "law's optimum")
    assert sum(optimum) == pytest.approx(1)


def test_presets_hold_what_the_scores_make_of_the_weights(corpus):
    values = np.tile([0.0, 1.0, 2.0], 20)
    scored = corpus.with_column("score:less", values)
    # A domain without a score: no weights of that one.
    scored = scored.with_column("score:half", np.where(values > 0, values, np.nan))
    tokens = dict.fromkeys(NAMES, 1e9)
    presets = {
        preset["name"]: preset["weights"]
        for preset in rv.Explorer(scored, tokens=tokens).editor.presets
    }
    assert list(presets) == ["by score:less"]
    expected = rv.score_weights(scored, "score:less", prior=dict.fromkeys(NAMES, 1 / 3))
    assert presets["by score:less"] == pytest.approx(list(expected.values()))
    assert expected.source["score"] == "score:less"


def test_saved_loaded_and_kept_up_to_date(x, tmp_path):
    x.save(tmp_path / "x")
    x.mixture = MIX
    x.selection = np.arange(60) < 5
    x.editor.lock("web")
    x.map.hidden = ["🦜"]
    again = rv.Explorer.load(tmp_path / "x")
    assert again.mixture == MIX == dict(again.editor.mixture)
    assert again.selection.ids.tolist() == [f"d{i}" for i in range(5)]
    assert again.editor.locked == [True, False, False]
    assert again.map.hidden == ["🦜"]
    assert again.losses.logs[0].name == "doremi"
    point = again.mixture.array[None]
    np.testing.assert_allclose(again.law.predict(point), x.law.predict(point))
    again.undo(), again.undo(), again.undo()
    assert again.mixture == x.corpus.natural
    assert rv.Explorer.load(tmp_path / "x").mixture == x.corpus.natural


def test_an_explorer_of_0_3_opens_with_its_undo_steps(corpus, tmp_path):
    folder = shutil.copytree(GOLDEN / "explorer_0.3.0", tmp_path / "x")
    corpus.save(folder / "corpus.lance")
    x = rv.Explorer.load(folder)

    def now():
        return (
            [round(weight, 6) for weight in x.mixture.values()],
            x.selection.ids.tolist(),
            x.map.hidden,
        )

    assert now() == ([0.25, 0.25, 0.5], ["d1", "d3"], ["🦜"])
    assert x.mixture.source == {"method": "by hand", "moved": "🦜"}
    x.redo(), x.redo()
    assert now() == ([0.1, 0.2, 0.7], ["d4", "d5", "d6"], ["🦜"])
    for _ in range(3):
        x.undo()
    assert now() == ([0.25, 0.25, 0.5], ["d1", "d3"], [])
    x.undo()
    assert now() == ([0.5, 0.3, 0.2], ["d1", "d3"], [])
    assert rv.Explorer.load(folder).selection.ids.tolist() == ["d1", "d3"], (
        "saved anew, in today's form"
    )
    x.undo(), x.undo(), x.undo()
    assert now() == ([0.166667, 0.333333, 0.5], [], [])


def test_running_the_cell_again_takes_up_what_was_chosen(corpus, law, tmp_path):
    first = rv.Explorer(corpus, law=law, autosave=tmp_path / "x")
    first.mixture = rv.Mixture(MIX, source={"method": "by hand"})
    first.selection = [4]
    first.editor.budget = 5000.0
    again = rv.Explorer(corpus, law=law, autosave=tmp_path / "x")
    assert again.mixture == MIX == dict(again.editor.mixture) == dict(again.map.mixture)
    assert again.mixture.source == {"method": "by hand"}
    assert again.selection.ids.tolist() == ["d4"]
    again.undo(), again.undo()
    assert again.mixture == corpus.natural
    other = corpus.take(np.arange(30))
    with pytest.raises(rv.ReweightvizError, match="holds an explorer of other documents"):
        rv.Explorer(other, autosave=tmp_path / "x")
    with pytest.raises(rv.ReweightvizError, match="holds an explorer; Explorer.load opens it"):
        rv.Explorer(other).save(tmp_path / "x")
    assert rv.Explorer.load(tmp_path / "x").corpus.digest("text") == corpus.digest("text")


def test_paths_and_documents_of_the_sources_survive(tmp_path):
    sources = rv.Sources(
        {
            "web": {"tokens": 1e9, "documents": 1e6, "paths": ["/d/web"]},
            "code": {"tokens": 1e8, "documents": 1e4},
        }
    )
    rv.Explorer(tokens=sources, budget=1e8).save(tmp_path / "x")
    assert dict(rv.Explorer.load(tmp_path / "x").sources) == dict(sources)


def test_one_domain_has_one_colour_whatever_the_order_of_the_table(corpus):
    tokens = {"🦜": 30.0, 'co"de <b>': 20.0, "web": 1000.0}
    x = rv.Explorer(corpus, tokens=tokens)
    assert x.editor.domains == x.map.domains == NAMES
    assert x.editor.colors == x.map.palette
    np.testing.assert_allclose(x.map.natural, x.map.weights)


def test_the_laws_optimum_follows_the_budget(x):
    def optimum():
        return next(
            (p["name"], dict(zip(NAMES, p["weights"], strict=True)))
            for p in x.editor.presets
            if p["name"].startswith("law's")
        )

    name, small = optimum()
    x.editor.budget = 3600.0  # three times all there is, at most four epochs
    later, large = optimum()
    assert name == later == "law's optimum"
    assert (
        max(rv.Mixture.normalized(large).epochs(x.sources.token_table, 3600.0).values()) <= 4 + 1e-6
    )
    assert small != large
    x.editor.budget = 1e9
    assert optimum()[0] == "law's optimum, no epoch cap"


def test_a_law_that_cannot_be_saved_says_so(corpus, law, tmp_path):
    class Plain:
        domains, targets, lower_is_better = law.domains, law.targets, law.lower_is_better
        predict, interval = law.predict, law.interval

        def browser_form(self):
            return None

    with pytest.warns(ReweightvizWarning, match="Plain cannot be saved; pass it again"):
        rv.Explorer(corpus, law=Plain()).save(tmp_path / "x")
    assert rv.Explorer.load(tmp_path / "x", law=law).law is law


def test_saving_never_overwrites_something_else(x, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(rv.ReweightvizError, match="holds something else"):
        x.save(tmp_path / "mine")
    with pytest.raises(rv.ReweightvizError, match="as a saved explorer"):
        rv.Explorer.load(tmp_path / "mine")


def test_export_takes_the_editors_budget(x, tmp_path):
    x.mixture = MIX
    path = x.export("json", tmp_path / "m.json")
    assert rv.load_mixture(path) == MIX
    with pytest.raises(
        rv.ReweightvizError, match="no framework 'megatrn'; did you mean 'megatron'"
    ):
        x.export("megatrn", tmp_path / "x")
    with pytest.raises(rv.ReweightvizError, match="exists already"):
        x.export("json", path)
    assert json.loads(path.read_text())["weights"]["web"] == 0.5


def test_it_works_from_a_table_of_tokens_alone():
    x = rv.Explorer(tokens={"web": 3e11, "code": 1e11}, budget=2e11)
    x.mixture = {"web": 0.5, "code": 0.5}
    assert x.editor.epochs["code"] == 1
    with pytest.raises(rv.ReweightvizError, match="no corpus, so there is nothing to select"):
        x.selection = [1]
    with pytest.raises(rv.ReweightvizError, match="needs a corpus, or tokens"):
        rv.Explorer()


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ({"web": -1, 'co"de <b>': 1, "🦜": 1}, "'web' must be finite and >= 0; got -1"),
        (dict.fromkeys(NAMES, 0), "must sum to 1; these sum to 0"),
        (dict.fromkeys(NAMES, float("nan")), "'web' must be finite and >= 0; got nan"),
        ({"web": 1.0}, "name different domains"),
    ],
)
def test_bad_weights_change_nothing(x, bad, sentence):
    before = x.mixture
    with pytest.raises(rv.ReweightvizError, match=sentence):
        x.mixture = bad
    assert x.mixture == before == x.editor.mixture
