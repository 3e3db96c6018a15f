"""Laws from their records, those that 0.3.0 saved included."""

import json
from pathlib import Path

import numpy as np
import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.laws._curves import CURVES
from reweightviz.laws._restore import HOMES, restore_law

SAVED = json.loads(
    (Path(__file__).parents[1] / "golden" / "law_records_0.3.0.json").read_text("utf-8")
)
"""Name to the record that 0.3.0 wrote, and what its law predicted at WEIGHTS."""
WEIGHTS = np.random.default_rng(9).dirichlet(np.ones(3), 4)


@pytest.mark.parametrize("name", SAVED)
def test_a_law_saved_by_0_3_0_predicts_what_it_did(name):
    saved = SAVED[name]
    law = restore_law(saved["record"])
    np.testing.assert_allclose(
        law.predict(WEIGHTS, **saved["given"]), saved["predict"], rtol=1e-9, atol=1e-12
    )
    np.testing.assert_allclose(
        law.interval(WEIGHTS, 0.8, **saved["given"])[1], saved["high"], rtol=1e-6
    )


def test_every_kind_of_law_stands_among_the_saved():
    assert {saved["record"]["kind"] for saved in SAVED.values()} >= set(HOMES)
    families = {kind.split("-")[0] for kind in CURVES}
    assert families <= {saved["record"]["kind"].split("-")[0] for saved in SAVED.values()}


@pytest.mark.parametrize("name", SAVED)
def test_a_record_keeps_its_keys(name):
    saved = SAVED[name]["record"]
    again = restore_law(saved).to_dict()
    assert again["kind"] == saved["kind"]
    assert again.keys() == saved.keys()


def test_an_unknown_kind_or_no_record_is_one_sentence():
    for record in ({"kind": "crystal-ball"}, {}, None):
        with pytest.raises(ReweightvizError, match="no kind of law"):
            restore_law(record)
