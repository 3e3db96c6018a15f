"""The public names: sorted, documented, and loaded only when used."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys

import pytest

import reweightviz as rv

HEAVY = (
    "torch",
    "umap",
    "plotly",
    "panel",
    "ray",
    "sklearn",
    "transformers",
    "faiss",
    "datasets",
    "lance",
    "numba",
    "anywidget",
)
LOADED_AFTER = (
    "import json, sys; {code}; print(json.dumps([m for m in {names!r} if m in sys.modules]))"
)


def loaded_after(code):
    """Which of the heavy packages a fresh interpreter has loaded after running this line."""
    command = [sys.executable, "-c", LOADED_AFTER.format(code=code, names=HEAVY)]
    return json.loads(
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1]
    )


def test_names_are_sorted_and_listed():
    assert list(rv.__all__) == sorted(set(rv.__all__))
    assert set(rv.__all__) <= set(dir(rv))


@pytest.mark.parametrize("name", rv.__all__)
def test_a_public_name_resolves_and_is_documented(name):
    assert (getattr(rv, name).__doc__ or "").strip()


def test_importing_reweightviz_loads_nothing_heavy():
    assert loaded_after("import reweightviz") == []


@pytest.mark.parametrize("step", ["map", "score", "mix", "watch", "ship"])
def test_the_verbs_of_a_step_load_nothing_heavy(step):
    # plotly's own modules load when they are used; its name alone is cheap.
    assert set(loaded_after(f"import reweightviz.api.{step}")) <= {"plotly"}


def test_a_verb_has_the_signature_of_its_home():
    verbs = {
        name: getattr(rv, name) for name in rv.__all__ if rv._HOMES.get(name, "").startswith("api.")
    }
    assert len(verbs) == 40
    assert "dimensions" in inspect.signature(rv.embed).parameters


def test_the_nouns_load_nothing_heavy():
    assert loaded_after("import reweightviz as rv; rv.Mixture.uniform(['a', 'b'])") == []


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(
        AttributeError, match="'reweightviz' has no attribute 'nothing_of_the_kind'"
    ):
        rv.nothing_of_the_kind  # noqa: B018


def test_a_warning_points_at_the_line_of_the_caller():
    with pytest.warns(rv.ReweightvizWarning) as said:
        rv.mix(
            {"tokens": {"web": 100.0, "code": 10.0}}, rv.mixers.UniMax(budget=1000, max_epochs=2)
        )
    assert said[0].filename == __file__
