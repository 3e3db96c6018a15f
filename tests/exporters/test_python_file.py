"""Python configs: which names are followed, which are not and why, and that nothing is counted that is not written out."""

from __future__ import annotations

import ast

import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.exporters import find
from reweightviz.exporters.check import check
from reweightviz.exporters.document import Document
from reweightviz.exporters.recognise import recognise
from reweightviz.exporters.text import python_file

CALL = "interleave_datasets([a, b], probabilities=W)\n"


def document(text: str, tmp_path) -> Document:
    (tmp_path / "c.py").write_text(text)
    return Document.open(tmp_path / "c.py")


def weights(text: str, tmp_path) -> list:
    found = document(text, tmp_path)
    call, *_ = found.python.calls("interleave_datasets")
    return found.python.items(found.python.arguments(call)["probabilities"])


# ---- names


@pytest.mark.parametrize(
    "text",
    [
        f"W = [0.7, 0.3]\n{CALL}",
        f"W: list = [0.7, 0.3]\n{CALL}",
        f"W: list\nW = (0.7, 0.3)\n{CALL}",
        f"V = [0.7, 0.3]\nW = V\n{CALL}",
        f"W, S = [0.7, 0.3], 1\n{CALL}",
        f"def f():\n    W = [0.7, 0.3]\n    return {CALL}",
        f"W = [1]\ndef f():\n    W = [0.7, 0.3]\n    return {CALL}",
        f"W = [0.7, 0.3]\ndef g():\n    W = [1]\ndef f():\n    return {CALL}",
        f"class C:\n    W = [1]\n    def f(self):\n        {CALL}W = [0.7, 0.3]\n",
        f"p = 0.7\nW = [p, 0.3]\n{CALL}",
        f"if x:\n    W = [0.7, 0.3]\n    {CALL}",
        f"W = [0.7, 0.3]\nprint(W[0], W.index(0.7))\n{CALL}",
        f"def f():\n    global W\n    W = [0.7, 0.3]\n{CALL}",
        f"(W := [0.7, 0.3])\n{CALL}",
    ],
)
def test_a_name_that_is_bound_once_is_followed_in_its_scope(text, tmp_path):
    assert weights(text, tmp_path) == [0.7, 0.3]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"W = [0.7, 0.3]\nW = [0.5, 0.5]\n{CALL}", "'W' is bound or changed in lines 1, 2"),
        (
            f"W = [0.7, 0.3]\nif x:\n    W = [0.5, 0.5]\n{CALL}",
            "'W' is bound or changed in lines 1, 3",
        ),
        (f"W = [0.7, 0.3]\ndef f(W):\n    return {CALL}", "'W' of line 2 is not written out"),
        (
            f"W = [0.7, 0.3]\ndef f(*, W=[0.5, 0.5]):\n    return {CALL}",
            "'W' of line 2 is not written out",
        ),
        (f"W = [0.7, 0.3]\nf = lambda W: {CALL}", "'W' of line 2 is not written out"),
        (f"W = [0.7]\nW += [0.3]\n{CALL}", "'W' is bound or changed in lines 1, 2"),
        (f"W = [0.7, 0.3]\nW[0] = 0.1\n{CALL}", "'W' is bound or changed in lines 1, 2"),
        (f"W = [0.7]\nW.append(0.3)\n{CALL}", "'W' is bound or changed in lines 1, 2"),
        (
            f"W = [0.7, 0.3]\ndef f():\n    W[0] = 0.1\n{CALL}",
            "'W' is bound or changed in lines 1, 3",
        ),
        (
            f"W = [0.7, 0.3]\ndef f():\n    global W\n    W = [0.5, 0.5]\n{CALL}",
            "'W' is bound or changed in lines 1, 4",
        ),
        (
            f"def f():\n    W = [0.7, 0.3]\n    def g():\n        nonlocal W\n        W = [1]\n    return {CALL}",
            "'W' is bound or changed in lines 2, 5",
        ),
        (f"W = [0.7, 0.3]\nfor W in x:\n    {CALL}", "'W' is bound or changed in lines 1, 2"),
        (f"W = [0.7, 0.3]\nwith x as W:\n    {CALL}", "'W' is bound or changed in lines 1, 2"),
        (
            f"W = [0.7, 0.3]\ntry:\n    x\nexcept E as W:\n    {CALL}",
            "'W' is bound or changed in lines 1, 4",
        ),
        (
            f"W = [0.7, 0.3]\nmatch x:\n    case [1, W]:\n        {CALL}",
            "'W' is bound or changed in lines 1, 3",
        ),
        (f"W = [0.7, 0.3]\nfrom other import W\n{CALL}", "'W' is bound or changed in lines 1, 2"),
        (f"from other import W\n{CALL}", "'W' of line 1 is not written out"),
        (f"W = [0.7, 0.3]\ndef W(): pass\n{CALL}", "'W' is bound or changed in lines 1, 2"),
        (f"W = [0.7, 0.3]\nx = [{CALL.strip()} for W in y]\n", "'W' of line 2 is not written out"),
        (f"W = [0.7, 0.3]\ndel W\n{CALL}", "'W' is bound or changed in lines 1, 2"),
        (
            "interleave_datasets([a, b], probabilities=[*W])",
            "the list of line 1 has more in it than is written out",
        ),
        (
            "interleave_datasets([*a, c], probabilities=[0.7, 0.3])",
            "the list of line 1 has more in it than is written out",
        ),
        (
            "interleave_datasets([a, b], **options)",
            r"some of the arguments stand behind \* or \*\*",
        ),
        ("interleave_datasets(*both)", r"some of the arguments stand behind \* or \*\*"),
    ],
)
def test_other_names_are_not_and_the_sentence_says_why(text, why, tmp_path):
    found = document(text, tmp_path)
    with pytest.raises(ReweightvizError, match=f"can be read without running it \\(.*{why}"):
        find("huggingface").parse(found)


def test_arguments_behind_a_star_have_no_place(tmp_path):
    found = document("f(1, *more, 2, k=3, **others)", tmp_path)
    (call,) = found.python.calls("f")
    assert found.python.arguments(call) == {0: 1, "k": 3}
    assert python_file.has_spread(call)


def test_deep_code_is_named_by_its_line(tmp_path):
    (tmp_path / "c.py").write_text(
        "interleave_datasets([" + "a." * 2500 + "b, c], probabilities=[0.5, 0.5])\n"
    )
    assert check(tmp_path / "c.py").table["domain"].tolist() == ["the code in line 1", "c"]
    assert python_file.to_text(ast.parse("a.b").body[0].value) == "a.b"


def test_asking_whose_a_deep_file_is_never_fails(tmp_path, monkeypatch):
    def deep(*_):
        raise RecursionError

    monkeypatch.setattr(type(find("huggingface")), "recognises", deep)
    (tmp_path / "c.py").write_text(
        "interleave_datasets([a, b], probabilities=[0.5, 0.5])\nRandomMix([a, b], [0.5, 0.5])\n"
    )
    assert check(tmp_path / "c.py").framework == "webdataset"
    monkeypatch.setattr(type(find("huggingface")), "parse", deep)
    with pytest.raises(ReweightvizError, match="cannot read .*: it is nested too deeply"):
        check(tmp_path / "c.py", "hf")


# ---- the frameworks


TWO = {
    "huggingface": (
        "def late():\n    return interleave_datasets([c, d], probabilities=[0.5, 0.5])\n",
        "interleave_datasets([a, b], probabilities=[0.7, 0.3])\n",
        "interleave_datasets",
    ),
    "litdata": (
        "def late():\n    return CombinedStreamingDataset(['c', 'd'], weights=[1, 1], iterate_over_all=False)\n",
        "CombinedStreamingDataset(['a', 'b'], weights=[0.7, 0.3], iterate_over_all=False)\n",
        "CombinedStreamingDataset",
    ),
    "webdataset": (
        "def late():\n    return RandomMix([c, d], [0.5, 0.5])\n",
        "RandomMix([a, b], [0.7, 0.3])\n",
        "RandomMix",
    ),
    "ray": (
        "import ray\ndef late():\n    return c.mix(d, weights=[1, 1])\n",
        "a.mix(b, weights=[0.7, 0.3])\n",
        "mix",
    ),
    "premixdb": (
        "def late():\n    return q.mix(weights={'c': 0.5, 'd': 0.5})\n",
        "q.mix(weights={'a': 0.7, 'b': 0.3})\n",
        "mix",
    ),
    "torchtitan": (
        "def late():\n    return [HFDataSource(dataset='c', weight=1), HFDataSource(dataset='d', weight=1)]\n",
        "x = [HFDataSource(dataset='a', weight=0.7), HFDataSource(dataset='b', weight=0.3)]\n",
        "HFDataSource",
    ),
}


@pytest.mark.parametrize("framework", TWO)
def test_the_first_call_of_the_file_is_read_and_others_are_said(framework, tmp_path):
    inner, outer, what = TWO[framework]
    config = find(framework).parse(document(inner + outer, tmp_path))
    assert list(config.stages[0]) == ["c", "d"], "a walk of the tree meets the outer one first"
    line = inner.count("\n")
    assert any(
        f"more than one {'list of ' if framework == 'torchtitan' else ''}{what}" in trap
        and f"this is the one of line {line}, another is in line {line + 1}." in trap
        for trap in config.traps
    )
    assert not [
        trap
        for trap in find(framework).parse(document(outer, tmp_path)).traps
        if "more than one" in trap
    ]


def test_the_last_blend_of_nemo_is_read_and_others_are_said(tmp_path):
    nemo = find("nemo")
    text = "def late():\n    cfg.dataset.blend = [['/c'], [1.0]]\ncfg.dataset.blend = [['/a', '/b'], [0.7, 0.3]]\n"
    config = nemo.parse(document(text, tmp_path))
    assert config.stages[0] == {"/a": 0.7, "/b": 0.3}
    assert config.traps == (
        "The file has more than one blend: this is the one of line 3, another is in line 2.",
    )
    assert (
        nemo.parse(document("blend = [['/a'], [1.0]]\ncfg.dataset.blend = blend\n", tmp_path)).traps
        == ()
    )
    with pytest.raises(
        ReweightvizError, match=r"without running it \('W' is bound or changed in lines 1, 2\)"
    ):
        nemo.parse(
            document("W = [['/a'], [1.0]]\nW = [['/b'], [1.0]]\ncfg.dataset.blend = W\n", tmp_path)
        )


@pytest.mark.parametrize(
    ("framework", "text"),
    [
        ("webdataset", "RandomMix([a, b], **options)"),
        ("ray", "import ray\na.mix(b, **options)"),
        ("litdata", "CombinedStreamingDataset([*a, b], weights=[0.5, 0.5])"),
        ("torchtitan", "x = [*more, HFDataSource(dataset='a', weight=1)]"),
        ("premixdb", "W = {'a': 1}\nW['b'] = 0\nq.mix(weights=W)"),
    ],
)
def test_what_is_not_all_written_out_is_not_guessed(framework, text, tmp_path):
    with pytest.raises(ReweightvizError, match="can be read without running it \\("):
        find(framework).parse(document(text, tmp_path))


def test_a_table_that_is_bound_twice_is_not_taken(tmp_path):
    rows = "[{'name': 'a', 'probability': 1.0}]"
    with pytest.raises(ReweightvizError, match=r"\('SOURCES' is bound or changed in lines 1, 2\)"):
        find("webdataset").parse(document(f"SOURCES = {rows}\nSOURCES = {rows}\n", tmp_path))
    assert find("webdataset").parse(document(f"SOURCES = {rows}\n", tmp_path)).stages == {
        0: {"a": 1.0}
    }


def test_weights_that_a_call_may_hold_elsewhere_are_no_ones(tmp_path):
    text = "x = [HFDataSource(dataset='a', **more), HFDataSource(dataset='b')]"
    with pytest.raises(ReweightvizError, match=r"cannot be read .*arguments stand behind"):
        find("torchtitan").parse(document(text, tmp_path))
    named = find("torchtitan").parse(
        document(
            "one = HFDataSource(dataset='a', weight=2)\nx = [one, HFDataSource(dataset='b')]",
            tmp_path,
        )
    )
    assert named.stages[0] == {"a": 2.0, "b": 1.0}


def test_names_are_followed_inside_lists_and_dictionaries():
    text = "A = 'a'\nW = [0.7, W2]\nW2 = 0.3\nD = {'train': [A, ('b', W)]}\nT = (*W,)\nU = [W, X]"
    file = python_file.PythonFile(text)
    assert file.constant("D") == {"train": ["a", ("b", [0.7, 0.3])]}
    assert file.constant("T") is None and file.constant("U") is None


def test_lists_that_hold_themselves_or_one_another_come_to_an_end():
    assert python_file.PythonFile("A = [B]\nB = [A]").constant("A") is None
    assert python_file.PythonFile("A = [A]").constant("A") is None
    bomb = "A0 = [1]\n" + "".join(
        f"A{place + 1} = [{', '.join([f'A{place}'] * 10)}]\n" for place in range(40)
    )
    assert len(python_file.PythonFile(bomb).constant("A40")) == 10
    chain = "A0 = [1]\n" + "".join(f"A{n + 1} = [A{n}]\n" for n in range(5000))
    assert python_file.PythonFile(chain).constant("A5000") is None


LOOPS = {
    "huggingface": "interleave_datasets([load(n) for n in names], probabilities=[w for w in x])",
    "litdata": "CombinedStreamingDataset([f(p) for p in x], weights=[w for w in x])",
    "olmo-core": "SourceMixtureList(sources=[SourceMixtureConfig(source_name=s.name, target_ratio=s.ratio, paths=s.paths) for s in x])",
    "ray": "import ray\na.mix(*[f(n) for n in x], weights=[w for w in x])",
    "torchtitan": "Config(sources=[HFDataSource(dataset=n, weight=w) for n, w in x])",
    "webdataset": "import webdataset\nRandomMix([f(n) for n in x], probs=[w for w in x])",
}


@pytest.mark.parametrize(("framework", "code"), LOOPS.items())
def test_a_mixture_that_is_made_in_a_loop_is_said_to_be_in_every_reader(tmp_path, framework, code):
    (tmp_path / "c.py").write_text(code + "\n")
    assert recognise(tmp_path / "c.py").name == framework
    with pytest.raises(
        ReweightvizError, match=r"without running it \(.*the loop of line \d"
    ) as caught:
        find(framework).read(tmp_path / "c.py")
    assert "object at 0x" not in str(caught.value)


def test_code_that_stands_for_a_number_is_shown_as_written(tmp_path):
    (tmp_path / "c.py").write_text("SourceMixtureConfig('web', cfg.ratio['web'], ['a.npy'])\n")
    with pytest.raises(ReweightvizError, match="cfg.ratio.*of line 1 is not written out"):
        find("olmo-core").read(tmp_path / "c.py")


NESTED = {
    "grain": "grain.MapDataset.mix([{}, {}], weights=[{}, {}])",
    "huggingface": "interleave_datasets([{}, {}], probabilities=[{}, {}])",
    "litdata": "CombinedStreamingDataset([{}, {}], weights=[{}, {}], iterate_over_all=False)",
    "webdataset": "RandomMix([{}, {}], probs=[{}, {}])",
}


@pytest.mark.parametrize(("framework", "code"), NESTED.items())
@pytest.mark.parametrize("part", ["both", "both.shuffle(1).batch(2)"])
def test_what_mixes_mixtures_is_read_and_not_a_part_of_it(tmp_path, framework, code, part):
    first = code.format("a", "b", 0.5, 0.5)
    text = f"import grain\nboth = {first}\nall = {code.format(part, 'c', 0.75, 0.25)}\n"
    config = find(framework).parse(document(text, tmp_path))
    assert config.stages[0] == {part: 0.75, "c": 0.25}
    assert "this is the one of line 3, another is in line 2" in config.traps[0]
    whole = code.format(first, "c", 0.75, 0.25)
    config = find(framework).parse(document(f"import grain\n{whole}\n", tmp_path))
    assert list(config.stages[0].values()) == [0.75, 0.25]


UNKNOWN = {
    "grain": "import grain\ngrain.MapDataset.mix([a, b], weights=[0.5, f(x)])",
    "huggingface": "interleave_datasets([a, b], probabilities=[0.5, f(x)])",
    "litdata": "CombinedStreamingDataset([a, b], weights=[0.5, f(x)], iterate_over_all=False)",
    "ray": "import ray\na.mix(b, weights=[0.5, f(x)])",
    "torchtitan": "[HFDataSource(dataset='a', weight=f(x)), HFDataSource(dataset='b')]",
    "webdataset": "RandomMix([a, b], probs=[0.5, f(x)])",
}


@pytest.mark.parametrize(("framework", "code"), UNKNOWN.items())
def test_a_weight_that_is_not_written_out_is_never_called_refused(tmp_path, framework, code):
    (tmp_path / "c.py").write_text(code + "\n")
    assert recognise(tmp_path / "c.py").name == framework
    with pytest.raises(ReweightvizError, match=r"without running it \('f\(x\)' of line \d is not"):
        check(tmp_path / "c.py")


@pytest.mark.parametrize(("framework", "code"), UNKNOWN.items())
def test_what_two_numbers_make_is_worked_out(tmp_path, framework, code):
    code = f"WEB = 0.5\n{code.replace('f(x)', '1 - WEB')}\n"
    config = find(framework).parse(document(code, tmp_path))
    assert not config.refused and 0.5 in config.stages[0].values()


@pytest.mark.parametrize("code", ["1 / 0", "10 ** 9", "'a' * 9", "1.5 % 1", "10 // 3", "True + 1"])
def test_other_sums_are_not_worked_out(code):
    assert python_file.PythonFile(f"W = [{code}, 1]").constant("W") is None


def test_a_key_that_stands_twice_in_a_dictionary_is_said_and_the_last_is_taken(tmp_path):
    (tmp_path / "c.py").write_text(
        "import grain\nw = {'web': 7,\n 'code': 3, 'web': 1}\ngrain.IterDataset.mix({'web': a, 'code': b}, w)\n"
    )
    report = check(tmp_path / "c.py")
    assert report.traps[0] == (
        "of a key that stands twice in one mapping the last is taken: 'web' (line 3)."
    )
    assert find("grain").parse(Document.open(tmp_path / "c.py")).stages == {
        0: {"web": 1.0, "code": 3.0}
    }
