"""MixtureEditor: its traits, its border, its journal, and the numbers it shares with the browser."""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.core.protocols import BrowserForm
from reweightviz.core.sources import Sources
from reweightviz.widgets.common.assemble import assemble
from reweightviz.widgets.editor.mixture_editor import MixtureEditor

TOKENS = {"web": 1.2e12, "code": 3e11, "math": 2e10}
GOLDEN = Path(__file__).parents[1] / "golden" / "law_form.json"
COUNTS = json.loads((GOLDEN.parent / "token_counts.json").read_text("utf-8"))
JS_TESTS = Path(__file__).parents[1] / "js"


class LogLinear:
    """A law as the browser form says it: coef (M, 1+K), draws (B, M, 1+K), noise (B, M)."""

    def __init__(self, header, data):
        self.header, self.data = header, data
        self.domains, self.targets = tuple(header["domains"]), tuple(header["targets"])
        self.lower_is_better = np.array(header["lower_is_better"])
        M, width, B = len(self.targets), 1 + len(self.domains), header["draws"]
        numbers = np.frombuffer(data, "<f4").astype(np.float64)
        coef, draws, noise = np.split(numbers, [M * width, M * width * (1 + B)])
        self.coef, self.draws = coef.reshape(M, width), draws.reshape(B, M, width)
        self.noise = noise.reshape(B, 1, M)

    @staticmethod
    def curve(coef, weights):
        """(..., M, 1+K), (n, K) -> (..., n, M)."""
        return np.exp(coef[..., None, :, 0]) + np.exp(weights @ np.swapaxes(coef[..., 1:], -1, -2))

    def drawn(self, weights):
        return self.curve(self.draws, np.asarray(weights)) + self.noise

    def predict(self, weights):
        return self.curve(self.coef, np.asarray(weights))

    def interval(self, weights, level=0.9):
        return tuple(
            np.quantile(
                self.drawn(weights), [(1 - level) / 2, (1 + level) / 2], axis=0, method="weibull"
            )
        )

    def browser_form(self):
        return BrowserForm(self.header, self.data)


class Opaque(LogLinear):
    def browser_form(self):
        return None


def make_golden():
    rng = np.random.default_rng(20)
    domains, targets, draws, level = (
        ["web", "code", "math", "books"],
        ["web", "arc", "code"],
        37,
        0.9,
    )
    coef = np.concatenate([rng.normal(0.4, 0.2, (3, 1)), rng.normal(-0.5, 0.6, (3, 4))], 1)
    parts = [coef, coef + rng.normal(0, 0.05, (draws, 3, 5)), rng.normal(0, 0.01, (draws, 3))]
    data = b"".join(part.astype("<f4").tobytes() for part in parts)
    header = {
        "kind": "log-linear",
        "domains": domains,
        "targets": targets,
        "lower_is_better": [True] * 3,
    }
    header["draws"] = draws
    weights = np.array([[0.25] * 4, [0.7, 0.2, 0.1, 0.0], [0, 0, 0, 1.0], [0.1, 0.2, 0.3, 0.4]])
    record = {"header": header, "data": base64.b64encode(data).decode(), "level": level}
    return (
        record | {"weights": weights.tolist()} | expected(LogLinear(header, data), weights, level)
    )


def expected(law, weights, level):
    low, high = law.interval(weights, level)
    means = law.drawn(weights).mean(-1)
    edges = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0, method="weibull")
    mean = np.stack([law.predict(weights).mean(1), *edges], 1)
    arrays = {"predictions": law.predict(weights), "low": low, "high": high, "mean": mean}
    return {name: values.tolist() for name, values in arrays.items()}


@pytest.fixture
def golden():
    return json.loads(GOLDEN.read_text("utf-8"))


@pytest.fixture
def law(golden):
    return LogLinear(golden["header"], base64.b64decode(golden["data"]))


@pytest.fixture
def editor():
    return MixtureEditor(TOKENS, budget=2e12)


def sent(editor, monkeypatch):
    messages = []
    monkeypatch.setattr(editor, "send", messages.append)
    return messages


def change(editor, weights, **source):
    """What the browser sends on release."""
    step = {"weights": weights, "source": source}
    editor.set_state(
        {"draft": None, "page_steps": [page_step(editor, editor.journal["at"], **step)]}
    )


numbers = itertools.count(1)


def page_step(editor, at, **step):
    """What mixture_state.js adds to page_steps."""
    return {"id": f"page-1:{next(numbers)}", "at": at, "seen": editor.journal["version"], **step}


def test_starts_natural_from_a_table_alone(editor):
    total = sum(TOKENS.values())
    assert editor.mixture == pytest.approx({name: n / total for name, n in TOKENS.items()})
    assert editor.epochs == pytest.approx(dict.fromkeys(TOKENS, 2e12 / total))
    assert editor.reference == editor.weights
    assert editor.locked == [False] * 3
    assert editor.draft is None
    assert editor.law_header == {}


def test_takes_sources_and_what_carries_them():
    class Corpus:
        sources = Sources(TOKENS)

    for given in (Sources(TOKENS), Corpus()):
        assert (
            dict(zip(MixtureEditor(given).domains, MixtureEditor(given).tokens, strict=True))
            == TOKENS
        )


def test_setting_the_mixture_reorders_and_can_be_undone(editor):
    start = editor.mixture
    wanted = Mixture({"math": 0.2, "web": 0.5, "code": 0.3}, source={"method": "olmix"})
    editor.mixture = wanted
    assert editor.weights == [0.5, 0.3, 0.2]
    assert editor.mixture.source == {"method": "olmix"}
    editor.undo()
    editor.undo()
    assert editor.mixture == start
    editor.redo()
    assert editor.mixture == wanted
    assert editor.mixture.source == {"method": "olmix"}


def test_a_change_after_undo_drops_what_was_undone(editor):
    editor.mixture = Mixture.uniform(TOKENS)
    editor.undo()
    editor.weights = [0.2, 0.3, 0.5]
    assert [entry["weights"] for entry in editor.journal["entries"]][1:] == [[0.2, 0.3, 0.5]]
    editor.redo()
    assert editor.weights == [0.2, 0.3, 0.5]


def test_the_browser_moves_a_weight_and_observers_hear_once(editor):
    seen = []
    editor.observe(lambda event: seen.append((event.new, editor.journal["at"])), "mixture")
    change(editor, [0.5, 0.25, 0.25], method="by hand", moved="web")
    step = editor.page_steps[0]["id"]
    assert seen == [({"web": 0.5, "code": 0.25, "math": 0.25}, step)]
    assert editor.weights == [0.5, 0.25, 0.25]
    assert list(editor.journal["heard"].values()) == [step]
    assert editor.mixture.source == {"method": "by hand", "moved": "web"}
    assert len(editor.journal["entries"]) == 2


def browser_travels(editor, steps):
    """What the page's undo and redo buttons send."""
    ids = [entry["id"] for entry in editor.journal["entries"]]
    at = ids[ids.index(editor.journal["at"]) + steps]
    editor.set_state({"page_steps": [page_step(editor, at)]})


def held(journal):
    """The mixtures of a journal, without ids."""
    return [(entry["weights"], entry["source"]) for entry in journal["entries"]]


def test_a_journal_is_restored_with_its_place(editor):
    start = editor.mixture
    change(editor, [0.5, 0.25, 0.25], method="by hand")
    editor.mixture = Mixture({"web": 0.2, "code": 0.3, "math": 0.5}, source={"method": "olmix"})
    editor.undo()
    kept = json.loads(json.dumps(editor.journal))
    new, seen = MixtureEditor(TOKENS, mixture={"web": 0, "code": 0, "math": 1}), []
    new.observe(lambda event: seen.append(event.new), "mixture")
    new.restore(kept)
    assert held(new.journal) == held(kept)
    assert (new.weights, new.mixture.source) == ([0.5, 0.25, 0.25], {"method": "by hand"})
    assert seen == [editor.mixture]
    new.redo()
    assert (new.weights, new.mixture.source) == ([0.2, 0.3, 0.5], {"method": "olmix"})
    browser_travels(new, -2)
    assert new.mixture == start
    browser_travels(new, 1)
    assert new.mixture == editor.mixture
    assert (held(new.journal), new.error) == (held(kept), "")


def test_a_restored_journal_of_the_same_weights_brings_its_sources(editor):
    other = MixtureEditor(TOKENS)
    other.weights = [0.5, 0.25, 0.25]
    change(editor, [0.5, 0.25, 0.25], method="by hand")
    other.restore(editor.journal)
    assert other.mixture.source == {"method": "by hand"}
    assert len(other.journal["entries"]) == 2


def test_a_journal_of_0_3_is_restored(editor):
    entries = [{"weights": [k / 100, 1 - k / 100, 0.0]} for k in range(80)]
    editor.restore({"entries": entries, "at": 40})
    assert editor.weights == entries[40]["weights"]
    assert held(editor.journal) == [(entry["weights"], {}) for entry in entries[29:]]
    editor.undo()
    assert editor.weights == entries[39]["weights"]


def test_every_visit_of_equal_weights_is_a_step(editor):
    a, b = [0.5, 0.3, 0.2], [0.2, 0.3, 0.5]
    editor.weights = a
    editor.mixture = dict(zip(TOKENS, b, strict=True))
    change(editor, a)
    editor.mixture = dict(zip(TOKENS, b, strict=True))
    visits = []
    for travel in (
        editor.undo,
        lambda: browser_travels(editor, -1),
        editor.undo,
        editor.redo,
        lambda: browser_travels(editor, 1),
    ):
        travel()
        visits.append(editor.weights)
    assert visits == [a, b, a, b, a]


def test_what_crosses_on_the_wire_is_kept(editor):
    start = editor.journal["at"]
    late = page_step(editor, start, weights=[0.0, 0.0, 1.0], source={"method": "by hand"})
    editor.mixture = Mixture({"web": 0.5, "code": 0.3, "math": 0.2}, source={"method": "olmix"})
    editor.set_state({"page_steps": [late]})
    assert editor.weights == [0.0, 0.0, 1.0]
    editor.undo()
    assert editor.mixture.source == {"method": "olmix"}
    editor.set_state(
        {"page_steps": [late, page_step(editor, late["id"])]}
    )  # the first is not taken again
    assert editor.weights == [0.0, 0.0, 1.0]
    assert len(editor.journal["entries"]) == 3


class Wire:
    """Stands where the kernel's comm stands, and keeps the states that are sent."""

    comm_id, kernel = "wire", "a live one"

    def __init__(self):
        self.states = []

    def send(self, data, **_):
        self.states.append(data["state"])

    def on_msg(self, _):
        """Nothing arrives by itself."""

    def close(self, *_, **__):
        """Nothing to close."""


def test_the_page_hears_of_a_restored_journal_in_one_message(editor):
    editor.comm = wire = Wire()
    wire.states.clear()
    journal = {"entries": [{"weights": [1.0, 0.0, 0.0]}, {"weights": [0.0, 1.0, 0.0]}], "at": 1}
    editor.restore(journal)
    assert wire.states == [{"journal": editor.journal, "weights": [0.0, 1.0, 0.0]}]


def test_the_page_sends_what_is_new_and_hears_one_message(editor):
    editor.comm = wire = Wire()
    change(editor, [0.5, 0.25, 0.25])
    assert [set(state) - {"draft"} for state in wire.states if set(state) - {"draft"}] == [
        {"journal", "weights"}
    ]


@pytest.mark.parametrize(("text", "tokens"), COUNTS["read"].items())
def test_a_budget_is_read_as_in_the_browser(text, tokens):
    editor = MixtureEditor(TOKENS, budget=text)
    assert editor.budget == tokens
    assert isinstance(editor.get_state()["budget"], float)


@pytest.mark.parametrize("text", COUNTS["zero"] + COUNTS["refused"])
def test_a_budget_that_is_no_number_is_refused_as_in_the_browser(text):
    with pytest.raises(
        ReweightvizError, match="budget must be a number above 0, such as 1.2e12 or '1.2T' .*; got"
    ):
        MixtureEditor(TOKENS, budget=text)


def test_numbers_of_numpy_are_numbers():
    editor = MixtureEditor(
        TOKENS, budget=np.int64(10), max_epochs=np.float32(2), level=np.float32(0.5)
    )
    assert (editor.budget, editor.max_epochs, editor.level) == (10.0, 2.0, 0.5)


def test_the_draft_is_not_the_mixture(editor):
    start = editor.mixture
    editor.set_state({"draft": [0.1, 0.2, 0.7]})
    assert editor.draft_mixture == {"web": 0.1, "code": 0.2, "math": 0.7}
    assert editor.mixture == start
    editor.set_state({"draft": None})
    assert editor.draft_mixture == start


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ({"weights": [0.5, 0.5]}, "must be a list of 3 numbers"),
        ({"weights": [1.5, -0.5, 0]}, "finite and >= 0; got -0.5"),
        ({"weights": [None, 0.5, 0.5]}, "finite and >= 0; got None"),
        ({"weights": [float("nan"), 0.5, 0.5]}, "finite and >= 0; got nan"),
        ({"weights": [0, 0, 0]}, "sum to 1; got a sum of 0"),
        ({"draft": [2, 0, 0]}, "sum to 1"),
        ({"locked": [True]}, "list of 3 booleans"),
        ({"budget": -5}, "budget must be a number above 0"),
        ({"journal": {"entries": [], "at": ""}}, "the kernel alone writes the journal"),
        ({"page_steps": {}}, "page_steps must be"),
        ({"page_steps": [{"id": "p:1", "seen": 0}]}, "page_steps must be"),
        ({"page_steps": [{"id": "p:1", "at": "", "seen": "0"}]}, "page_steps must be"),
        (
            {"page_steps": [{"id": "p:1", "at": "", "seen": 0, "source": "me"}]},
            "page_steps must be",
        ),
        (
            {"page_steps": [{"id": "p:1", "at": "", "seen": 0, "weights": [1, 1, 0]}]},
            "weights must sum to 1",
        ),
    ],
)
def test_the_border_refuses_whole_and_sends_the_old_back(editor, monkeypatch, state, sentence):
    before, back = dict(editor.get_state()), []
    monkeypatch.setattr(editor, "send_state", lambda key=None: back.append(key))
    editor.set_state(state | {"reference_name": "uniform"})
    assert sentence in editor.error
    assert {name: editor.get_state()[name] for name in state} == {
        name: before[name] for name in state
    }
    assert editor.reference_name == "natural"
    assert set(back[0]) == {*state, "reference_name"}


@pytest.mark.parametrize(
    ("act", "sentence"),
    [
        (lambda e: setattr(e, "mixture", {"web": 1.0}), "does not fit this editor"),
        (lambda e: setattr(e, "mixture", {"web": 0.9, "code": 0.3, "math": 0.2}), "must sum to 1"),
        (lambda e: setattr(e, "mixture", [1, 0, 0]), "must map domains to weights; got list"),
        (lambda e: setattr(e, "weights", [0.5, 0.6, 0.0]), "weights must sum to 1"),
        (lambda e: setattr(e, "budget", 0.0), "budget must be a number above 0"),
        (
            lambda e: setattr(e, "budget", [1]),
            r"a number above 0, such as 1.2e12 or '1.2T' .*; got \[1\]",
        ),
        (lambda e: setattr(e, "max_epochs", "4"), "max_epochs must be a number above 0; got '4'"),
        (lambda e: setattr(e, "level", 1.5), "level must be between 0 and 1"),
        (
            lambda e: setattr(e, "level", "much"),
            "level must be between 0 and 1, such as 0.9; got 'much'",
        ),
        (lambda _: MixtureEditor(TOKENS, budget="lots"), "budget must be a number above 0"),
        (lambda e: e.restore(7), "journal must be"),
        (lambda e: e.restore(e.journal | {"at": 1}), "with at the id of an entry"),
        (lambda e: e.restore(e.journal | {"at": "nowhere"}), "with at the id of an entry"),
        (
            lambda e: e.restore({"entries": [{"weights": [1, 0, 0], "source": "me"}], "at": 0}),
            "journal must be",
        ),
        (lambda e: e.restore(MixtureEditor({"web": 1}).journal), "list of 3 numbers"),
        (lambda e: setattr(e, "law", "olmix"), "str has no 'domains'"),
        (lambda e: e.add_preset("natural", e.mixture), "is always there"),
        (lambda e: e.add_preset("mine", {"web": 1.0}), "the preset 'mine' does not fit"),
        (lambda e: e.lock("wiki"), "no domain 'wiki'; it has 'web', 'code', 'math'"),
        (lambda _: MixtureEditor({}), "at least one domain"),
        (lambda _: MixtureEditor(7), "tokens must map domains"),
        (lambda _: MixtureEditor({"web": -1}), "must be a number >= 0"),
        (lambda _: MixtureEditor(TOKENS, colors=["red"]), "one colour a domain: 3; got 1"),
        (lambda _: MixtureEditor(TOKENS, reference={"web": 1.0}), "the reference does not fit"),
    ],
)
def test_python_is_told_in_one_sentence(editor, act, sentence):
    weights = list(editor.weights)
    with pytest.raises(ReweightvizError, match=sentence):
        act(editor)
    assert editor.weights == weights


def test_errors_of_callbacks_show_in_the_widget(editor):
    editor.observe(lambda _: 1 / 0, "mixture")
    with pytest.raises(ZeroDivisionError):
        change(editor, [0.5, 0.25, 0.25])
    assert editor.error == "ZeroDivisionError in a Python callback: division by zero"


def test_presets_locks_and_a_reference():
    optimum = Mixture({"code": 0.5, "web": 0.3, "math": 0.2}, source={"method": "law optimum"})
    editor = MixtureEditor(
        TOKENS, presets={"law optimum": optimum}, reference=Mixture.uniform(TOKENS)
    )
    assert [preset["name"] for preset in editor.presets] == ["reference", "law optimum"]
    assert editor.presets[1]["weights"] == [0.3, 0.5, 0.2]
    assert editor.presets[1]["source"] == {"method": "law optimum"}
    assert editor.reference_name == "reference"
    editor.lock("web")
    assert editor.locked == [True, False, False]
    editor.lock()
    editor.unlock("math")
    assert editor.locked == [True, True, False]


def test_the_journal_stays_short(editor):
    for share in np.linspace(0.1, 0.9, 80):
        editor.weights = [share, 1 - share, 0.0]
    assert len(editor.journal["entries"]) == 51, "where it starts, and 50 changes"
    assert editor.journal["entries"][-1]["weights"] == editor.weights


def test_golden_file_is_what_numpy_says(golden, law):
    again = expected(law, np.array(golden["weights"]), golden["level"])
    for name, values in again.items():
        np.testing.assert_allclose(values, golden[name], rtol=1e-13)


def test_the_law_travels_as_bytes(law, golden):
    editor = MixtureEditor(dict.fromkeys(law.domains, 1.0), law=law)
    assert editor.law_header == golden["header"]
    assert editor.law_data == base64.b64decode(golden["data"])
    editor.law = None
    assert (editor.law_header, editor.law_data) == ({}, b"")


def test_a_law_without_a_browser_form_answers_from_the_kernel(golden, monkeypatch):
    law = Opaque(golden["header"], base64.b64decode(golden["data"]))
    domains = ["books", *law.domains[:3], "unseen"]
    editor = MixtureEditor(dict.fromkeys(domains, 1.0), law=law)
    assert editor.law_header["kind"] == "kernel"
    replies = sent(editor, monkeypatch)
    weights = [golden["weights"][3][3], *golden["weights"][3][:3], 0.0]
    question = {"id": "a:1", "type": "predict", "weights": weights, "reference": [0.25] * 4 + [0.0]}
    editor._answer(editor, question, [])
    assert replies[0]["id"] == "a:1"
    assert [one["value"] for one in replies[0]["now"]["targets"]] == pytest.approx(
        golden["predictions"][3]
    )
    assert [one["low"] for one in replies[0]["before"]["targets"]] == pytest.approx(
        golden["low"][0]
    )
    assert replies[0]["now"]["mean"]["value"] == pytest.approx(golden["mean"][3][0])
    change = replies[0]["change"]["targets"]
    expected = np.subtract(golden["predictions"][3], golden["predictions"][0])
    assert [one["change"] for one in change] == pytest.approx(expected)
    assert {one["verdict"] for one in change} <= {"better", "worse", "noise"}
    json.dumps(replies)


def test_a_law_of_the_kernel_without_an_interval_says_none(golden, monkeypatch):
    law = Opaque(golden["header"], base64.b64decode(golden["data"]))
    monkeypatch.setattr(law, "interval", lambda rows, _: (np.full((len(rows), 3), np.nan),) * 2)
    editor = MixtureEditor(dict.fromkeys(law.domains, 1.0), law=law)
    replies = sent(editor, monkeypatch)
    editor._answer(
        editor, {"id": "a:1", "type": "predict", "weights": [0.25] * 4, "reference": [0.25] * 4}, []
    )
    assert {
        (one["low"], one["high"])
        for one in [*replies[0]["now"]["targets"], replies[0]["now"]["mean"]]
    } == {(None, None)}
    change = replies[0]["change"]
    assert {one["verdict"] for one in [*change["targets"], change["mean"]]} == {"unknown"}
    json.dumps(replies, allow_nan=False)


def test_a_law_that_fails_says_so(golden, monkeypatch):
    law = Opaque(golden["header"], base64.b64decode(golden["data"]))
    editor = MixtureEditor(dict.fromkeys(law.domains, 1.0), law=law)
    replies = sent(editor, monkeypatch)
    monkeypatch.setattr(law, "predict", lambda _: 1 / 0)
    question = {"id": "a:1", "type": "predict", "weights": [0.25] * 4, "reference": [0.25] * 4}
    editor._answer(editor, question, [])
    assert "the law could not predict: ZeroDivisionError" in editor.error
    assert replies[0]["error"] == editor.error


def test_a_page_without_javascript_shows_a_table():
    editor = MixtureEditor({"<b>web</b>": 3e11, "code": 1e11}, budget=8e11)
    table = editor._repr_mimebundle_()[0]["text/html"]
    assert "&lt;b&gt;web&lt;/b&gt;" in table
    assert "<b>web" not in table
    assert "<td>75.00%</td><td>2.00</td>" in table


def test_the_module_is_whole():
    module = assemble(MixtureEditor._path)
    assert "export default" in module
    assert 'from "./' not in module
    assert "innerHTML" not in module


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_pure_modules_in_node():
    files = [str(JS_TESTS / f"{name}.test.mjs") for name in ("simplex", "law")]
    run = subprocess.run(
        ["node", "--test", *files], capture_output=True, text=True, check=False, timeout=120
    )
    assert run.returncode == 0, run.stdout + run.stderr


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(make_golden()) + "\n", "utf-8")
