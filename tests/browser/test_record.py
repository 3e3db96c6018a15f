"""The decision record in a real browser: light, dark, and on one sheet of paper."""

from __future__ import annotations

import re

import pytest

import reweightviz as rv


@pytest.fixture
def record(tmp_path):
    swarm = rv.demo_swarm()
    law = rv.fit(swarm, rv.laws.Olmix(draws=40))
    chosen = rv.optimize(law, tokens=2e7, sources=swarm.tokens, max_epochs=4)
    sources = rv.Sources(swarm.tokens).with_paths(
        {domain: f"data/{place}.jsonl" for place, domain in enumerate(swarm.tokens)}
    )
    blend = rv.export(chosen, "levanter", tmp_path / "run.yaml", sources=sources, tokens=2e7)
    rejected = {
        "uniform": (rv.Mixture.uniform(swarm.domains), "repeats small domains more often"),
        "natural": (rv.Mixture.natural(swarm.tokens), "what there is"),
    }
    return rv.decision_record(
        chosen,
        tmp_path / "why",
        law=law,
        sources=swarm.tokens,
        tokens=2e7,
        rejected=rejected,
        files=[blend],
    ).with_suffix(".html")


@pytest.mark.parametrize(
    ("scheme", "paper"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(20, 23, 27)")]
)
def test_the_record_follows_the_theme_and_nothing_runs_over(lab_session, record, scheme, paper):
    context = lab_session._browser.new_context(
        viewport={"width": 1180, "height": 900}, color_scheme=scheme
    )
    page, errors = context.new_page(), []
    page.on("console", lambda message: errors.append(message.text))
    page.goto(record.as_uri())
    page.screenshot(path=lab_session.shots / f"record-{scheme}.png", full_page=True)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == paper
    over = "[...document.querySelectorAll('section, main')].filter((one) => one.scrollWidth > one.clientWidth + 1).length"
    assert page.evaluate(over) == 0
    assert errors == []
    context.close()


def test_the_record_prints_on_one_page(lab_session, record):
    context = lab_session._browser.new_context()
    page = context.new_page()
    page.goto(record.as_uri())
    assert len(re.findall(rb"/Type\s*/Page[^s]", page.pdf(prefer_css_page_size=True))) == 1
    context.close()
