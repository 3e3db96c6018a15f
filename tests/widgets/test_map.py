"""The map without a browser: what it takes, what it sends, what it says when it cannot."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest

from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.core.selection import Selection
from reweightviz.figures.domain_colors import color_names
from reweightviz.figures.palette import MISSING, build_ramp
from reweightviz.widgets.common.assemble import assemble
from reweightviz.widgets.map.map import Map

N = 203
ODD_NAMES = ("plain", '<b>bold</b> "quoted"', "🙂" * 10, "long " * 60)


@pytest.fixture
def xy():
    return np.random.default_rng(0).normal(size=(N, 2)) * [3, 1]


@pytest.fixture
def corpus(xy):
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 4, N)
    loss = rng.normal(2, 1, N)
    loss[3] = np.nan
    base = Corpus(
        {
            "id": [f"d{i}" for i in range(N)],
            "text": [f"text {i} " + "x" * 10 * i for i in range(N)],
            "domain": [ODD_NAMES[c] for c in codes],
            "tokens": rng.integers(1, 90, N),
            "package": ["p"] * N,
        },
        domains=ODD_NAMES,
    )
    clusters = rng.integers(0, 3, N)
    return (
        base.with_column("xy", xy)
        .with_column("loss:proxy", loss)
        .with_column("cluster", clusters, cluster_names=["a · b", "c · d", "e · f"])
    )


class Wire:
    """Stands where the kernel's comm stands, and keeps what is sent."""

    def __init__(self, widget):
        self.sent, self.comm_id = [], "wire"
        widget.comm = self

    kernel = "a live one"

    def send(self, data=None, buffers=None, **_):
        self.sent.append((data, buffers or []))

    def on_msg(self, _):
        """Nothing arrives by itself."""

    def close(self, *_, **__):
        """Nothing to close."""

    def drained(self):
        sent, self.sent = self.sent, []
        return sent

    @property
    def size(self):
        return sum(
            len(json.dumps(data)) + sum(len(b) for b in buffers) for data, buffers in self.sent
        )


def points_of_map(widget):
    return np.frombuffer(widget.points, "<u2").reshape(-1, 3)


# ---- what is drawn


def test_points_are_the_corpus_shuffled(corpus, xy):
    widget = Map(corpus)
    sent = points_of_map(widget)
    assert sent.shape == (N, 3)
    rows = widget._order
    assert sorted(rows.tolist()) == list(range(N))
    assert rows.tolist() != list(range(N))
    np.testing.assert_array_equal(sent[:, 2], corpus.domain_codes[rows])
    span = np.ptp(xy, axis=0).max()
    unit = (xy - (xy.min(axis=0) + xy.max(axis=0)) / 2) / span * 65535 + 65535 / 2
    assert np.abs(sent[:, :2] - unit[rows]).max() <= 0.5 + 1e-6
    np.testing.assert_array_equal(points_of_map(Map(corpus)), sent)


def test_domains_colours_and_natural_are_the_corpus(corpus):
    widget = Map(corpus)
    assert widget.domains == list(ODD_NAMES)
    assert widget.palette == list(color_names(widget.domains).values())
    assert widget.natural == pytest.approx(corpus.natural.array.tolist())
    assert widget.mixture.array == pytest.approx(corpus.natural.array)
    assert widget.color_options == ["domain", "cluster", "loss:proxy", "tokens"]


@pytest.mark.parametrize("name", ["score:less", "loss:m", "copies", "grade:teacher"])
def test_every_kind_of_worth_colours_the_map(corpus, name):
    values = np.arange(N) % 7
    if name != "copies":
        values = np.where(values == 3, np.nan, values)
    widget = Map(corpus.with_column(name, values), color_by=name)
    assert name in widget.color_options
    assert widget.legend["title"] == name
    assert (widget.legend["low"], widget.legend["high"]) == (0, 6)
    drawn = np.frombuffer(widget.values, np.uint8)
    assert (drawn == 0).sum() == np.isnan(values).sum()
    assert len(set(drawn.tolist())) == 7


def test_a_score_is_shown_with_how_far_to_believe_it(corpus):
    scored = corpus.with_column("score:x", np.arange(N), score_figures={"score:x": "AUC 0.93"})
    assert Map(scored).color_notes == {"score:x": "AUC 0.93"}
    assert Map(corpus).color_notes == {}


def test_plain_places(xy):
    widget = Map(xy, domains=["b"] * 3 + ["a"] * (N - 3), columns={"score:x": np.arange(N)})
    assert widget.domains == ["b", "a"]
    assert widget.natural == pytest.approx([3 / N, 1 - 3 / N])
    assert widget.color_options == ["domain", "score:x"]
    assert Map(xy).domains == ["all"]


def test_every_sized_trait_is_bytes(corpus):
    big, few = (
        Map(corpus, color_by="loss:proxy", selection=[1]),
        Map(corpus.take(range(20)), color_by="loss:proxy", selection=[1]),
    )
    size = {
        name: [len(json.dumps(w.get_state()[name])) for w in (big, few)]
        for name in (
            "domains",
            "palette",
            "natural",
            "weights",
            "hidden",
            "legend",
            "summary",
            "color_options",
        )
    }
    assert all(a < b + 40 for a, b in size.values())
    for name in ("points", "values", "ramp", "selection_bits"):
        assert isinstance(getattr(big, name), bytes)


# ---- weights


def test_mixture_is_set_and_read(corpus):
    widget = Map(corpus)
    widget.mixture = {ODD_NAMES[1]: 0.25, ODD_NAMES[3]: 0.75}
    assert widget.weights == [0, 0.25, 0, 0.75]
    assert isinstance(widget.mixture, Mixture)
    widget.mixture = None
    assert widget.mixture.array == pytest.approx(corpus.natural.array)


def test_a_weight_change_sends_little(corpus):
    sizes = []
    for data in (
        corpus,
        Corpus({"text": ["t"] * 4000, "domain": np.resize(ODD_NAMES, 4000)}).with_column(
            "xy", np.random.default_rng(2).normal(size=(4000, 2))
        ),
    ):
        widget = Map(data)
        wire = Wire(widget)
        wire.drained()
        widget.mixture = {ODD_NAMES[0]: 1.0}
        assert len(wire.sent) == 1
        sizes.append(wire.size)
    assert sizes[0] == sizes[1] < 300


@pytest.mark.parametrize(
    ("mixture", "sentence"),
    [
        ({"nowhere": 1.0}, "the mixture must name domains of the map, 'plain'"),
        ({"plain": 0.4}, "sum to 1"),
        ({"plain": -1.0, "long " * 60: 2.0}, ">= 0"),
        (0.5, "mapping of domain to weight; got float"),
    ],
)
def test_bad_mixture(corpus, mixture, sentence):
    widget = Map(corpus)
    with pytest.raises(ReweightvizError, match=sentence):
        widget.mixture = mixture
    assert widget.mixture.array == pytest.approx(corpus.natural.array)


# ---- colours


def test_color_by_number(corpus):
    widget = Map(corpus, color_by="loss:proxy")
    values = np.frombuffer(widget.values, np.uint8)
    loss = corpus["loss:proxy"][widget._order]
    assert values[np.isnan(loss)].tolist() == [0]
    known = ~np.isnan(loss)
    assert values[known].min() == 1
    assert values.max() == 255
    by_loss = np.argsort(loss[known])
    assert (np.diff(values[known][by_loss].astype(int)) >= 0).all()
    table = np.frombuffer(widget.ramp, np.uint8).reshape(256, 3)
    assert tuple(table[0]) == MISSING
    np.testing.assert_array_equal(table[1:], build_ramp()[1:])
    assert widget.legend["kind"] == "number"
    assert widget.legend["missing"] == 1
    assert (widget.legend["low"], widget.legend["high"]) == pytest.approx(
        tuple(np.nanpercentile(loss, [1, 99]))
    )


def test_color_by_cluster(corpus):
    widget = Map(corpus)
    widget.color_by = "cluster"
    legend = widget.legend
    counts = np.bincount(corpus["cluster"])
    order = np.argsort(-counts, kind="stable")
    assert legend["names"] == [["a · b", "c · d", "e · f"][c] for c in order]
    assert legend["counts"] == counts[order].tolist()
    values = np.frombuffer(widget.values, np.uint8)
    np.testing.assert_array_equal(order[values - 1], corpus["cluster"][widget._order])
    for slot, (x, y) in enumerate(legend["at"]):
        np.testing.assert_allclose(
            np.median(points_of_map(widget)[values == slot + 1, :2], axis=0), [x, y], atol=0.51
        )
    widget.color_by = "domain"
    assert (widget.values, widget.legend["kind"]) == (b"", "domain")


def test_many_clusters(xy):
    n = 600
    places = np.random.default_rng(0).normal(size=(n, 2))
    widget = Map(
        places, columns={"cluster": np.r_[np.zeros(300), np.arange(300)]}, color_by="cluster"
    )
    assert len(widget.legend["names"]) == 254
    assert (np.frombuffer(widget.values, np.uint8) == 0).sum() == 46


@pytest.mark.parametrize("wanted", ["package", "los", ""])
def test_unknown_colour_names_those_there(corpus, wanted):
    widget = Map(corpus)
    with pytest.raises(
        ReweightvizError,
        match=r"numeric column; got .*there is 'domain', 'cluster', 'loss:proxy', 'tokens'",
    ):
        widget.color_by = wanted
    assert widget.color_by == "domain"
    with pytest.raises(ReweightvizError, match="no finite value"):
        Map([[0, 0]], columns={"x": [np.nan]}, color_by="x")


# ---- selection


def test_selection_by_rows_ids_mask_selection_none(corpus):
    widget = Map(corpus)
    seen = []
    widget.observe(lambda change: seen.append(len(change["new"])), "selection")
    mask = np.zeros(N, bool)
    mask[[9, 4]] = True
    for value, rows in [
        ([4, 9], [4, 9]),
        (["d9", "d4", "d11"], [4, 9, 11]),
        (mask, [4, 9]),
        (Selection(np.array([7, 2]), np.array(["d7", "d2"], object), {"how": "x"}), [2, 7]),
        (None, []),
        ([], []),
    ]:
        widget.selection = value
        assert widget.selected_rows.tolist() == rows
        assert widget.selected_rows.dtype == np.int64
        assert sorted(widget.selection.ids) == sorted(f"d{r}" for r in rows)
    assert seen == [2, 3, 2, 2, 0, 0]


def test_bits_and_rows_agree_both_ways(corpus):
    widget = Map(corpus)
    widget.selection = [5, 6, 200]
    bits = np.unpackbits(np.frombuffer(widget.selection_bits, np.uint8), bitorder="little")
    assert sorted(widget._order[np.flatnonzero(bits)].tolist()) == [5, 6, 200]
    drawn = np.zeros(N, bool)
    drawn[[0, 77, N - 1]] = True
    widget.set_state(
        {"selection_bits": memoryview(np.packbits(drawn, bitorder="little").tobytes())}
    )
    assert widget.selected_rows.tolist() == sorted(widget._order[[0, 77, N - 1]].tolist())
    assert widget.selection.ids.tolist() == [f"d{r}" for r in widget.selected_rows]
    assert widget.selection.how == {"how": "drawn on the map"}
    widget.set_state({"selection_bits": memoryview(b"")})
    assert len(widget.selection) == 0


def test_pick_order_is_kept(corpus):
    widget = Map(corpus)
    chosen = Selection(np.array([9, 1, 5]), corpus.ids[[9, 1, 5]], {"method": "top"})
    widget.selection = chosen
    assert widget.selection is chosen


def test_summary_counts_tokens(corpus):
    widget = Map(corpus)
    widget.selection = range(50)
    assert widget.summary["selected"] == 50
    assert widget.summary["share"] == pytest.approx(corpus.tokens[:50].sum() / corpus.tokens.sum())
    before = widget.summary["serial"]
    widget.selection = None
    assert widget.summary == {"selected": 0, "share": 0.0, "serial": before + 1}
    assert Map([[0, 0]], selection=[0]).summary["share"] is None


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ([N], f"rows of this map must be 0 to {N - 1}; got {N} to {N}"),
        ([-1], "got -1 to -1"),
        ([True, False], "mask must have one entry a document, 203; got 2"),
        (["d1", "nobody"], "no document 'nobody' on this map of 203"),
        ([[1, 2]], r"got shape \(1, 2\)"),
        ([0.5], "no document '0.5'"),
    ],
)
def test_bad_selection(corpus, value, sentence):
    widget = Map(corpus, selection=[3])
    with pytest.raises(ReweightvizError, match=sentence):
        widget.selection = value
    assert widget.selected_rows.tolist() == [3]


def test_bits_of_another_length(corpus):
    with pytest.raises(ReweightvizError, match="selection_bits must be 26 bytes or none; got 3"):
        Map(corpus).selection_bits = b"abc"


def test_what_a_callback_raises_is_shown_and_raised(corpus):
    widget = Map(corpus)
    widget.observe(lambda _: {}["mine"], "selection")
    lasso = np.packbits(np.arange(N) < 9, bitorder="little").tobytes()
    with pytest.raises(KeyError):
        widget.set_state({"selection_bits": memoryview(lasso)})
    assert widget.error == "KeyError in a Python callback: 'mine'"
    assert len(widget.selection) == 9
    assert widget.get_state()["error"] == widget.error


def test_the_page_is_refused_whole_and_hears_the_old(corpus, monkeypatch):
    widget, back = Map(corpus, selection=[4]), []
    monkeypatch.setattr(widget, "send_state", lambda key=None: back.append(key))
    for state, sentence in [
        ({"selection_bits": memoryview(b"abc")}, "selection_bits must be 26 bytes or none; got 3."),
        ({"hidden": ["plain", "x"], "color_by": "cluster"}, "no domain 'x'; there is"),
        ({"height": "tall"}, "height"),
    ]:
        back.clear()
        widget.set_state(state)
        assert sentence in widget.error
        assert back == [list(state), "error"]
        assert (widget.selected_rows.tolist(), widget.hidden, widget.color_by, widget.height) == (
            [4],
            [],
            "domain",
            480,
        )


# ---- hidden, hover, picture


def test_hidden_names_domains(corpus):
    widget = Map(corpus)
    widget.hidden = [ODD_NAMES[2]]
    with pytest.raises(ReweightvizError, match="no domain 'x'; there is"):
        widget.hidden = ["x"]
    assert widget.hidden == [ODD_NAMES[2]]


def ask(widget, point, number=17):
    wire = Wire(widget)
    wire.drained()
    widget._handle_custom_msg({"id": number, "type": "hover", "point": point}, [])
    ((data, _),) = wire.drained()
    return data["content"]


def test_hover_answers_for_the_same_document(corpus):
    widget = Map(corpus)
    for point in (0, 50, N - 1):
        row = int(widget._order[point])
        reply = ask(widget, point)
        assert (reply["id"], reply["type"], reply["name"]) == (17, "hover", f"d{row}")
        assert reply["text"].startswith(f"text {row} x"[: 6 + len(str(row))])
        assert len(reply["text"]) <= 601
        assert reply["scores"]["tokens"] == corpus.tokens[row]
    nan = int(np.flatnonzero(widget._order == 3)[0])
    assert ask(widget, nan)["scores"]["loss:proxy"] is None


def test_hover_after_filter_select_and_recolour_is_the_same_document(corpus):
    widget = Map(corpus)
    before = ask(widget, 12)["name"]
    widget.hidden, widget.color_by, widget.selection = [ODD_NAMES[0]], "cluster", [1, 2, 3]
    assert ask(widget, 12)["name"] == before


def test_hover_says_what_failed(xy):
    def broken(rows):
        raise OSError("the disk is gone")

    assert ask(Map(xy, texts=broken), 4)["error"] == "OSError: the disk is gone"
    assert "IndexError" in ask(Map(xy), N + 4)["error"]
    assert ask(Map(xy, texts=[f"t{i}" for i in range(N)], ids=np.arange(N)), 0)["text"].startswith(
        "t"
    )


def test_mimebundle_carries_a_picture(corpus):
    data, _ = Map(corpus)._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert base64.b64decode(data["image/png"])[:4] == b"\x89PNG"
    assert len(data["image/png"]) < 200_000
    assert "image/png" not in Map(corpus, static=False)._repr_mimebundle_()[0]


def test_picture_follows_weights_and_hidden(corpus):
    widget = Map(corpus)
    natural = widget.picture(120, 80)
    widget.mixture = {ODD_NAMES[1]: 1.0}
    alone = widget.picture(120, 80)
    assert alone != natural
    widget.mixture, widget.hidden = None, [name for name in ODD_NAMES if name != ODD_NAMES[1]]
    assert widget.picture(120, 80) not in (natural, alone)
    with pytest.raises(ReweightvizError, match="at least 1 pixel"):
        widget.picture(0, 10)


# ---- bad input


@pytest.mark.parametrize(
    ("arguments", "keywords", "sentence"),
    [
        ([[[0, np.nan], [1, 1], [np.inf, 0]]], {}, "2 of 3 rows of xy are not, the first is row 0"),
        ([np.zeros((0, 2))], {}, r"at least one document; got shape \(0, 2\)"),
        ([np.zeros((3, 3))], {}, r"places \(N, 2\) of at least one document; got shape \(3, 3\)"),
        (["nonsense"], {}, "or a corpus; got str"),
        (
            [[[0, 0], [1, 1]]],
            {"domains": ["a"]},
            "domains must have one entry a document, 2; got 1",
        ),
        ([[[0, 0]]], {"texts": ["a", "b"]}, "texts must have one entry a document, 1; got 2"),
        ([[[0, 0]]], {"ids": []}, "ids must have one entry a document, 1; got 0"),
        ([[[0, 0]]], {"columns": {"x": [1, 2]}}, "column 'x' must have one entry"),
        ([[[0, 0]]], {"columns": {"x": ["a"]}}, r"column 'x' must be \(N,\) numbers"),
        ([[[0, 0]]], {"natural": {"b": 1}}, "only in the map 'all'"),
        ([[[0, 0]]], {"color_by": "loss"}, "got 'loss', there is 'domain'"),
    ],
)
def test_bad_input_is_one_sentence(arguments, keywords, sentence):
    with pytest.raises(ReweightvizError, match=sentence) as caught:
        Map(*arguments, **keywords)
    assert "\n" not in str(caught.value)


def test_corpus_without_places():
    with pytest.raises(
        ReweightvizError, match=r"needs column 'xy'; there is 'text', 'domain'\. rv.project"
    ):
        Map(Corpus({"text": ["a"], "domain": ["d"]}))


def test_script_is_small_and_builds_no_code():
    script = assemble(Map._path)
    assert len(script.encode()) < 60_000
    assert "eval(" not in script
    assert "Function(" not in script
    assert "http" not in script.replace("http://www.w3.org/2000/svg", "")
    assert "innerHTML" not in script
