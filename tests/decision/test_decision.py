"""The decision record: what it says is what was worked out, and nothing in it is more than text."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

import reweightviz as rv
from reweightviz.core.errors import ReweightvizError
from reweightviz.core.sources import Source, Sources
from reweightviz.decision.gather_decision import gather_decision
from reweightviz.decision.highlights import highlights
from reweightviz.laws._log_linear_law import LogLinearLaw

MIXTURE = rv.Mixture(
    {"web": 0.5, "code": 0.375, "math": 0.125},
    source={
        "method": "optimize",
        "objective": "mean",
        "kl": 0.05,
        "near": "uniform",
        "bounds": {"math": [0.1, 0.2]},
        "max_epochs": 3,
        "budget": 2e9,
        "predicted_interval_90": [1.0, 2.0],
    },
)
SOURCES = Sources(
    {
        "web": Source(6e9, 1e6, ("/d/web",)),
        "code": Source(1e9, 1e6, ("/d/code",)),
        "math": Source("100M", 1e5, ("/d/math",)),
    },
    tokenizer="gpt2",
)


class LinearLaw:
    """Loss is w @ slopes; samples add a noise that both mixtures of a draw share, and a slope that is drawn."""

    domains, lower_is_better = ("web", "code", "math"), np.array([True, True])
    targets = ("first", "second")
    slopes = np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 2.0]])
    diagnostics = {"r2": [0.9, 0.8], "held_out_mae": [0.01, 0.03], "degenerate": [False, True]}

    def predict(self, weights):
        return np.atleast_2d(weights) @ self.slopes.T

    def interval(self, weights, level=0.9):
        half = level / 18
        return self.predict(weights) - half, self.predict(weights) + half

    def browser_form(self):
        return None

    def __repr__(self):
        return "LinearLaw(<3 domains>)"


class SampledLaw(LinearLaw):
    """With draws: noise shared by both mixtures, 0.2 wide, and slopes that wobble a little."""

    def samples(self, weights):
        rng = np.random.default_rng(0)
        noise, wobble = rng.uniform(-0.2, 0.2, (400, 1, 2)), rng.normal(0, 0.01, (400, 2, 3))
        return (
            np.stack([np.atleast_2d(weights) @ (self.slopes + wobble[b]).T for b in range(400)])
            + noise
        )


def work(mixture=MIXTURE, **given):
    known = {
        "reference": None,
        "law": None,
        "sources": SOURCES,
        "tokens": None,
        "rejected": None,
        "files": (),
        "title": None,
    }
    return gather_decision(mixture, **(known | given))


# ---- what is worked out


def test_weights_epochs_and_the_natural_reference():
    found = work()
    assert found.reference == "the natural mixture"
    assert [row.domain for row in found.rows] == ["web", "code", "math"]
    web = found.rows[0]
    assert (web.weight, web.reference, web.available, web.drawn, web.epochs) == pytest.approx(
        (0.5, 6 / 7.1, 6e9, 1e9, 1 / 6)
    )
    assert found.moved == pytest.approx(6 / 7.1 - 0.5)
    assert (found.budget, found.limit) == (2e9, 3)
    assert work(tokens=30e9).rows[2].epochs == pytest.approx(37.5)
    assert "above 3: 'code', 'math'." in " ".join(highlights(work(tokens=30e9)))


def test_without_sources_there_is_neither_reference_nor_epochs():
    found = work(sources=None)
    assert (found.reference, found.moved) == ("", None)
    assert all(row.reference is row.epochs is row.available is None for row in found.rows)
    given = work(sources=None, reference={"web": 0.25, "extra": 0.75})
    assert {row.domain: row.weight for row in given.rows}["extra"] == 0.0
    assert given.moved == 0.75
    with pytest.raises(ReweightvizError, match="needs the tokens of 'math', which sources= lacks"):
        work(sources=Sources({"web": 1e9, "code": 1e9}))


def test_a_difference_is_judged_by_paired_draws():
    natural = {
        "web": 0.5,
        "code": 0.25,
        "math": 0.25,
    }  # 0.125 from math to code: first falls by 0.125, second stays
    found = work(law=SampledLaw(), reference=natural)
    targets = {one.target: one for one in found.targets}
    first, second = targets["first"], targets["second"]
    assert first.chosen.value == pytest.approx(1.625)
    assert first.change.value == pytest.approx(-0.125)
    assert -0.14 < first.change.low < -0.125 < first.change.high < -0.11, (
        "the noise that both share cancels"
    )
    assert 0.3 < first.chosen.high - first.chosen.low < 0.4
    assert first.verdict == "better on average", (
        "it exceeds its own interval, but not the noise of one run"
    )
    assert second.verdict == "noise"
    assert found.mean.change.value == pytest.approx(-0.0625)
    assert found.paired == 400
    far = work(law=SampledLaw(), reference={"web": 0.0, "code": 0.0, "math": 1.0})
    assert {one.target: one.verdict for one in far.targets} == {
        "first": "better",
        "second": "worse",
    }
    assert [one.target for one in far.targets] == ["first", "second"], (
        "what gains most stands first"
    )


def test_without_draws_two_intervals_must_not_overlap():
    far, near = (
        {"web": 0.25, "code": 0.375, "math": 0.375},
        {"web": 0.5, "code": 0.3125, "math": 0.1875},
    )
    assert {one.target: one.verdict for one in work(law=LinearLaw(), reference=far).targets} == {
        "first": "better",
        "second": "worse",
    }
    assert {one.target: one.verdict for one in work(law=LinearLaw(), reference=near).targets} == {
        "first": "noise",
        "second": "noise",
    }
    mean = work(law=LinearLaw(), reference=far).mean
    # The mean reaches as far as if both targets erred together.
    assert mean.change == pytest.approx((-0.125, -0.225, -0.025))
    assert mean.verdict == "better"
    silent = LogLinearLaw(
        MIXTURE.domains, ("loss",), np.array([True]), np.array([[0.0, -1.0, -2.0, 0.5]])
    )
    assert work(law=silent).mean.verdict == "unknown"
    assert "how large the noise is, is not known" in next(highlights(work(law=silent)))


def test_targets_where_higher_is_better_are_judged_the_other_way_and_not_averaged():
    law = SampledLaw()
    law.lower_is_better = np.array([True, False])
    found = work(law=law, reference={"web": 0.0, "code": 0.0, "math": 1.0})
    assert {one.target: one.verdict for one in found.targets} == {
        "first": "better",
        "second": "better",
    }
    assert found.averaged == 1
    assert found.mean.change.value == pytest.approx(-1.375)


def test_the_law_says_its_error_out_of_sample_or_that_it_does_not():
    said = dict(work(law=LinearLaw()).law)
    assert said["mean absolute error out of sample"] == "0.02 (median over targets; 0.01 to 0.03)"
    assert said["R² in sample"].startswith("0.85")
    assert "out of sample" not in said
    assert "degenerate" not in said
    silent = LogLinearLaw(MIXTURE.domains, ("loss",), np.array([True]), np.zeros((1, 4)))
    assert dict(work(law=silent).law)["out of sample"].startswith("not known")


def test_a_law_is_told_what_the_mixture_was_proposed_with():
    rng = np.random.default_rng(0)
    mixtures, tokens = rng.dirichlet(np.ones(3), 60), rng.choice([1e8, 1e9, 1e10], 60)
    losses = (
        1 + np.exp(-mixtures @ np.array([[0.5], [1.0], [0.2]])) + (tokens[:, None] / 1e8) ** -0.3
    )
    law = rv.laws.ScalingMixtures(draws=20).fit(
        domains=MIXTURE.domains,
        targets=("loss",),
        mixtures=mixtures,
        losses=losses,
        run_tokens=tokens,
    )
    assert law.given == ("run_tokens",)
    chosen = rv.optimize(law, tokens=2e9, draws=0)
    long, short = (law.predict(chosen.array, run_tokens=count).item() for count in (2e9, 2e8))
    assert work(chosen, law=law).mean.chosen.value == pytest.approx(long)
    assert work(chosen, law=law, tokens=2e8).mean.chosen.value == pytest.approx(short)
    assert work(chosen, law=law, given={"run_tokens": 2e8}).mean.chosen.value == pytest.approx(
        short
    )
    assert work(rv.Mixture(dict(chosen)), law=law, tokens=2e8).mean.chosen.value == pytest.approx(
        short
    )
    with pytest.raises(ReweightvizError, match="predicts from 'run_tokens' too"):
        work(rv.Mixture(dict(chosen)), law=law)


def test_constraints_come_from_the_mixture():
    said = dict(work().constraints)
    assert said == {
        "method": "optimize",
        "objective": "mean",
        "pull towards the prior (KL)": "0.05",
        "prior": "uniform",
        "bounds": "math 0.1 to 0.2",
        "most epochs": "3",
        "budget": "2B tokens",
    }
    alike = rv.Mixture(
        MIXTURE,
        source={"near": dict.fromkeys("abcd", 0.25), "flag": True, "none": None, "list": [1, 2.5]},
    )
    assert dict(work(alike).constraints) == {
        "prior": "all 4 alike, 0.25",
        "flag": "true",
        "list": "1, 2.5",
    }


def test_the_rejected_are_compared_with_the_chosen():
    uniform = rv.Mixture.uniform(MIXTURE)
    found = work(
        law=SampledLaw(),
        rejected={
            "uniform": (uniform, "too much math"),
            "plain": {"web": 0.5, "code": 0.5, "math": 0.0},
        },
    )
    one, two = found.rejected
    assert (one.name, one.reason, one.moved) == (
        "uniform",
        "too much math",
        pytest.approx(MIXTURE.distance(uniform)),
    )
    assert one.mean.value == pytest.approx((2 + 7 / 3) / 2)
    assert one.epochs == pytest.approx(2e9 / 3 / 1e8)
    assert one.change.value == pytest.approx(one.mean.value - found.mean.chosen.value)
    assert two.reason == ""
    with pytest.raises(
        ReweightvizError, match=r"maps a name to \(mixture, reason\); that of 'x' is str"
    ):
        work(rejected={"x": "y"})


def test_a_law_that_does_not_know_a_domain_is_one_sentence():
    with pytest.raises(
        ReweightvizError, match="the law does not know 'spam', so it cannot predict this mixture"
    ):
        work(rv.Mixture({"web": 0.5, "spam": 0.5}), sources=None, law=LinearLaw())
    assert (
        work(rv.Mixture({"web": 0.5, "code": 0.5, "spam": 0.0}), sources=None, law=LinearLaw()).mean
        is not None
    )


# ---- what is written


class Page(HTMLParser):
    """What stands in a page: its tags, its attributes, its text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text, self.open = [], [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in {"meta", "rect", "circle", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data if self.open and self.open[-1] != "style" else ""


def written(tmp_path, mixture=MIXTURE, **options):
    path = rv.decision_record(mixture, tmp_path / "why.md", **({"sources": SOURCES} | options))
    return path.read_text("utf-8"), Page((tmp_path / "why.html").read_text("utf-8"))


def test_both_pages_say_the_same(tmp_path):
    config = rv.export(MIXTURE, "megatron", tmp_path / "blend.txt", sources=SOURCES)
    markdown, page = written(
        tmp_path,
        law=SampledLaw(),
        files=[config, tmp_path / "picture.png"],
        title="Run 7",
        rejected={"uniform": (rv.Mixture.uniform(MIXTURE), "too much math")},
    )
    assert page.open == []
    for text in (markdown, page.text):
        for part in (
            "Run 7",
            "the natural mixture",
            "optimize",
            "too much math",
            "blend.txt",
            "Megatron",
            "picture.png",
            "gpt2",
            "2B",
            "a weight is a share of training sequences of one fixed length",
            "read back, nothing that would be refused",
            "written by reweightviz",
            rv.__version__,
            "mean absolute error out of sample",
            "400 paired draws",
        ):
            assert part in text
    assert re.search(
        r"\| web \| 50\.00 % \| 84\.51 % \| −34\.51 \| 6B \| 1B \| 0\.167 \|", markdown
    )
    assert re.search(r"- Predicted mean over 2 targets: 2\.062 \(\d", markdown)


def test_names_from_outside_are_text_in_both(tmp_path):
    nasty = [
        '"><script>alert(1)</script>',
        "<b>bold</b>",
        "a|b",
        "\x1b[31m\nline",
        "'; x: url(http://evil)",
    ]
    mixture = rv.Mixture.uniform(nasty)
    sources = Sources({name: Source(1e9, paths=("/d",)) for name in nasty}, tokenizer="<i>bpe</i>")
    markdown, page = written(
        tmp_path,
        rv.Mixture(mixture, source={"method": "<u>m</u>", "near": {"<s>": 1.0}}),
        sources=sources,
        tokens=1e9,
        title="<h1>T</h1>",
        rejected={"<em>": (mixture, "<strong>why</strong>")},
        files=["<a href=x>"],
    )
    assert set(page.tags) <= {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "main",
        "div",
        "span",
        "h1",
        "h2",
        "ul",
        "li",
        "b",
        "em",
        "section",
        "table",
        "tr",
        "th",
        "td",
        "i",
        "svg",
        "rect",
        "circle",
        "small",
        "p",
        "dl",
        "dt",
        "dd",
        "code",
        "br",
    }
    assert page.open == []
    assert "<b>bold</b>" in page.text
    assert "<script>" not in markdown
    assert "\x1b" not in markdown + page.text
    assert "| a\\|b |" in markdown


def test_the_page_stands_alone(tmp_path):
    _, page = written(tmp_path, law=SampledLaw())
    names = {name for name, _ in page.attributes}
    assert not names & {"src", "href", "onload", "onclick"}
    assert dict(page.attributes)["content"] == "default-src 'none'; style-src 'unsafe-inline'"
    text = (tmp_path / "why.html").read_text("utf-8")
    assert "http" not in text.replace("http-equiv", "")
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_a_record_without_law_or_sources_is_still_one(tmp_path):
    markdown, page = written(tmp_path, rv.Mixture({"a": 1.0}), sources=None)
    assert "No law was given, so nothing is predicted." in markdown
    assert "No law was given" in page.text
    assert "| a | 100.00 % |" in markdown
    assert "nan" not in markdown + page.text


def test_a_record_that_is_there_is_kept(tmp_path):
    first = rv.decision_record(MIXTURE, tmp_path / "v1.2")
    assert first == tmp_path / "v1.2.md"
    with pytest.raises(ReweightvizError, match="exists already; pass overwrite=True"):
        rv.decision_record(MIXTURE, tmp_path / "v1.2.html")
    (tmp_path / "v1.2.md").unlink()
    with pytest.raises(ReweightvizError, match="exists already"):
        rv.decision_record(MIXTURE, tmp_path / "v1.2")
    assert not first.exists(), "both are written, or neither"
    assert rv.decision_record(dict(MIXTURE), tmp_path / "v1.2", overwrite=True).exists()
    with pytest.raises(
        ReweightvizError, match="takes a mixture, a mapping of domain to weight; got list"
    ):
        rv.decision_record([1], tmp_path / "x")
    with pytest.raises(ReweightvizError, match="does not exist; create it first"):
        rv.decision_record(MIXTURE, tmp_path / "absent" / "x")


def test_a_kill_between_its_files_can_be_told(tmp_path, is_killed_at):
    def marks() -> list[str]:
        texts = [(tmp_path / name).read_text("utf-8") for name in ("why.md", "why.html")]
        return [re.search(r"Record ([0-9a-f]{8})", text)[1] for text in texts]

    written(tmp_path)
    old = marks()
    assert old[0] == old[1]
    for nth in range(2):
        assert is_killed_at(
            nth, lambda: written(tmp_path, rv.Mixture.uniform(MIXTURE), overwrite=True)
        )
        assert marks()[0] == old[0]
        assert (marks()[1] == old[1]) == (nth == 0)
    written(tmp_path, rv.Mixture.uniform(MIXTURE), overwrite=True)
    assert marks()[0] == marks()[1] != old[0]
    assert not list(tmp_path.glob(".*.draft"))


def test_the_demo_law_gives_a_record(tmp_path):
    swarm = rv.demo_swarm()
    law = rv.fit(swarm, rv.laws.Olmix(draws=40))
    chosen = rv.optimize(law, tokens=2e7, sources=swarm.tokens, max_epochs=4)
    markdown, page = written(tmp_path, chosen, law=law, sources=swarm.tokens, tokens="20M")
    assert "the difference exceeds its 90 % interval" in markdown
    assert page.tags.count("circle") == len(law.targets) + 1
    for domain in swarm.domains:
        assert domain in page.text
