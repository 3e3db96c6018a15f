"""OLMo-core: both forms, what may repeat, and the real loader."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Source, Sources
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks.olmo_core import OlmoCore

OLMO = OlmoCore()
MIXTURE = Mixture({"web": 0.7, "code": 0.2, "math": 0.1, "spam": 0.0}, source={"method": "test"})
SOURCES = Sources(
    {
        "web": Source(1e9, 1e6, ("/d/web-*.npy",)),
        "code": Source(2e9, 4e6, ("/d/code-0.npy", "/d/code-1.npy")),
        "math": Source(1e8, 1e4, ("/d/math.npy",)),
        "spam": Source(1e9, 1e6, ("/d/spam.npy",)),
    }
)
CONFIG = """# the mixture of our anneal
sources:
  - source_name: web       # crawled
    target_ratio: 0.9
    paths: &web
      - s3://bucket/web/*.npy
    max_repetition_ratio: 4.0
  - source_name: math
    target_ratio: 0.1
    paths: [s3://bucket/math/*.npy]   # small
    max_source_fraction: 0.5
"""


def entries(path):
    return {entry["source_name"]: entry for entry in yaml.safe_load(path.read_text())["sources"]}


def test_a_ratio_is_a_share_of_tokens_and_repeats_as_often_as_the_budget_asks(tmp_path):
    path = OLMO.write(MIXTURE, tmp_path / "mix.yaml", sources=SOURCES, tokens=2e9)
    found = entries(path)
    assert {name: entry["target_ratio"] for name, entry in found.items()} == {
        "web": 0.7,
        "code": 0.2,
        "math": 0.1,
    }
    assert {name: entry["max_repetition_ratio"] for name, entry in found.items()} == {
        "web": 1.42,
        "code": 1.0,
        "math": 2.02,
    }
    assert found["code"]["paths"] == ["/d/code-0.npy", "/d/code-1.npy"]
    assert OLMO.read(path) == MIXTURE
    plain = OLMO.write(MIXTURE, tmp_path / "plain.yaml", sources=SOURCES)
    assert "max_repetition_ratio" not in plain.read_text()


@pytest.mark.parametrize(
    ("options", "web"),
    [
        ({"max_epochs": 1.4}, 1.4),
        ({"max_epochs": 2}, 1.42),
        ({"tokens": 1e9, "max_epochs": 1}, 1.0),
    ],
)
def test_no_source_may_repeat_more_often_than_max_epochs(tmp_path, options, web):
    mixture = Mixture({"web": 0.7, "code": 0.3})
    found = entries(
        OLMO.write(mixture, tmp_path / "mix.yaml", sources=SOURCES, **{"tokens": 2e9} | options)
    )
    assert found["web"]["max_repetition_ratio"] == web


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"tokens": 2e9, "max_epochs": 1.3}, "more than 1.3 epochs at 2e\\+09 tokens: 'web' 1.4"),
        (
            {"tokens": 2.0000001e9, "max_epochs": 2},
            "OLMo-core would refuse 'math': 2e\\+09 tokens ask for 200,000,010 of it, and 2 times its",
        ),
        (
            {"sources": {"web": 1e9, "code": 1e9, "math": 1e9}},
            "needs the token files of each source; sources= has no paths for 'web'",
        ),
        ({"form": "list"}, "no form of an OLMo-core mixture 'list'"),
        ({"form": "composable"}, "form='composable' is a Python module and ends in .py"),
    ],
)
def test_what_is_refused_before_olmo_core_would(tmp_path, options, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        OLMO.write(MIXTURE, tmp_path / "mix.yaml", **{"sources": SOURCES} | options)
    with pytest.raises(ReweightvizError, match="ends in .py"):
        OLMO.write(MIXTURE, tmp_path / "mix.py", sources=SOURCES)
    assert list(tmp_path.iterdir()) == []


def test_a_merge_changes_the_mixture_and_raises_what_repeats_too_little(tmp_path):
    (tmp_path / "mix.yaml").write_text(CONFIG)
    sources = Sources(
        {"web": Source(1e9), "math": Source(1e8), "code": Source(1e9, paths=("/d/code.npy",))}
    )
    mixture = Mixture({"web": 0.6, "math": 0.1, "code": 0.3})
    draft = OLMO.draft(mixture, tmp_path / "mix.yaml", sources=sources, tokens=1.5e9, merge=True)
    lines = [
        line
        for line in draft.diff().splitlines()
        if line[:1] in "+-" and line[:3] not in {"+++", "---"}
    ]
    assert lines == [
        "-    target_ratio: 0.9",
        "+    target_ratio: 0.6",
        "+    max_repetition_ratio: 3.03",
        '+  - source_name: "code"',
        "+    target_ratio: 0.3",
        "+    paths:",
        '+      - "/d/code.npy"',
        "+    max_repetition_ratio: 1.0",
    ]
    assert OLMO.read(draft.save()) == {"web": 0.6, "math": 0.1, "code": 0.3}
    dropped = OLMO.write(
        Mixture({"web": 0.5, "math": 0.0, "code": 0.5}),
        tmp_path / "mix.yaml",
        sources=sources,
        merge=True,
    )
    assert set(entries(dropped)) == {"web", "code"}
    with pytest.raises(ReweightvizError, match="trains on 'code', which the mixture does not name"):
        OLMO.write(Mixture({"web": 1.0}), tmp_path / "mix.yaml", merge=True)


def test_an_edited_file_is_read_as_it_stands(tmp_path):
    path = OLMO.write(MIXTURE, tmp_path / "mix.yaml", sources=SOURCES)
    path.write_text(path.read_text().replace("0.7", "0.6").replace("0.2", "0.3"))
    found = OLMO.read(path)
    assert dict(found) == pytest.approx({"web": 0.6, "code": 0.3, "math": 0.1, "spam": 0.0})
    assert found.source["method"] == "edited by hand"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("0.9", "0.8"), "must sum to 1, or OLMo-core refuses them; they sum to 0.9"),
        (("0.9", "-0.9"), "must be numbers from 0 to 1; that of 'web' is not"),
        (("0.9", "much"), "that of 'web' is not"),
        (
            ("4.0", "0.5"),
            "max_repetition_ratio must be 1 or more, or OLMo-core refuses it; that of 'web' is not",
        ),
        (("0.5", "1.5"), "max_source_fraction above 0 and up to 1; 'math' has other"),
        (
            ("name: math", "name: web"),
            "of the sources that are named 'web' OLMo-core trains on the last alone",
        ),
    ],
)
def test_what_olmo_core_would_refuse_is_said(tmp_path, change, sentence):
    (tmp_path / "mix.yaml").write_text(CONFIG)
    assert OLMO.read(tmp_path / "mix.yaml") == {"web": 0.9, "math": 0.1}
    (tmp_path / "mix.yaml").write_text(CONFIG.replace(*change, 1))
    with pytest.raises(ReweightvizError, match=sentence):
        OLMO.read(tmp_path / "mix.yaml")


def test_the_composable_form_is_a_module_with_the_same_numbers(tmp_path):
    path = OLMO.write(MIXTURE, tmp_path / "mix.py", sources=SOURCES, tokens=2e9, form="composable")
    assert OLMO.read(path) == MIXTURE
    text = path.read_text()
    assert (
        "{'label': 'web', 'ratio': 0.7, 'max_repetition_factor': 1.42, 'paths': ['/d/web-*.npy']}"
        in text
        and "TOKENS = 2000000000" in text
    )
    path.write_text(text.replace("'ratio': 0.7", "'ratio': 0.5"))
    assert dict(OLMO.read(path)) == pytest.approx(
        {"web": 0.625, "code": 0.25, "math": 0.125, "spam": 0.0}
    )
    path.write_text(text.replace("'ratio': 0.7", "'ratio': 0"))
    with pytest.raises(
        ReweightvizError, match="the ratios must be numbers above 0; that of 'web' is not"
    ):
        OLMO.read(path)
    with pytest.raises(ReweightvizError, match="written whole: leave merge out"):
        OLMO.write(MIXTURE, path, sources=SOURCES, form="composable", merge=True)


def test_scripts_that_build_a_mixture_are_read_without_running(tmp_path):
    specs = """raise SystemExit("not to be run")
mix = MixingInstanceSourceConfig(source_specs=[
    MixingInstanceSourceSpecConfig(source=web, ratio=0.75, label="web", max_repetition_factor=2.0),
    MixingInstanceSourceSpecConfig(source=code(32), ratio=0.25),
])
"""
    (tmp_path / "train.py").write_text(specs)
    assert OLMO.read(tmp_path / "train.py") == {"web": 0.75, "code(32)": 0.25}
    listed = 'SourceMixtureList(sources=[SourceMixtureConfig(source_name="a", target_ratio=0.4, paths=[]), SourceMixtureConfig("b", 0.6, [p])])'
    (tmp_path / "train.py").write_text(listed)
    with pytest.raises(ReweightvizError, match="needs paths.*'a' has other"):
        OLMO.read(tmp_path / "train.py")
    (tmp_path / "train.py").write_text(listed.replace("[]", "FILES"))
    assert OLMO.read(tmp_path / "train.py") == {"a": 0.4, "b": 0.6}
    for text, true in (
        (specs, True),
        (listed, True),
        ("MixingInstanceSource()", False),
        ("x = (", False),
    ):
        assert OLMO.recognises(Document(tmp_path / "train.py", text)) is true
    for text, true in (
        (CONFIG, True),
        ("sources: [{name: web, weight: 1}]", False),
        ("sources: 3", False),
        ("]", False),
    ):
        assert OLMO.recognises(Document(tmp_path / "mix.yaml", text)) is true


LENGTH, DRAWS = 32, 2000


def token_files(folder) -> Sources:
    """Raw uint16 tokens, one a source, in two files each; every document of a source has one length."""
    rows = {}
    for token, (name, size, document) in enumerate(
        (("web", 1000, 8), ("code", 600, 32), ("math", 300, 96)), 10
    ):
        for part in range(2):
            tokens = np.full(size * LENGTH // 2, token, np.uint16)
            tokens[document - 1 :: document] = 0
            tokens.tofile(folder / f"{name}-{part}.npy")
        rows[name] = Source(size * LENGTH, size * LENGTH // document, (f"{folder}/{name}-*.npy",))
    return Sources(rows)


@pytest.mark.framework("core")
@pytest.mark.golden("olmo-core", "the real ai2-olmo-core 3.0.0: 2,000 draws, both forms")
def test_olmo_core_draws_the_asked_share_of_tokens(tmp_path, load_with, check_order):
    sources, tokens = token_files(tmp_path), DRAWS * LENGTH
    mixture = Mixture({"web": 0.7, "code": 0.2, "math": 0.1})
    config = OLMO.write(mixture, tmp_path / "mix.yaml", sources=sources, tokens=tokens)
    module = OLMO.write(
        mixture, tmp_path / "mix.py", sources=sources, tokens=tokens, form="composable"
    )
    found = load_with(
        "olmo_core_load.py",
        config=config,
        module=module,
        tokens=tokens,
        length=LENGTH,
        work=tmp_path / "work",
    )
    for form in ("sources", "composable"):
        assert found[form] == pytest.approx({"10": 1400, "11": 400, "12": 200}, abs=1), form
    for order in found["order"]:
        check_order(order, {"10": 0.7, "11": 0.2, "12": 0.1})


@pytest.mark.framework("core")
@pytest.mark.golden(
    "olmo-core", "the real ai2-olmo-core 3.0.0 refuses to repeat what tokens= does not allow"
)
def test_olmo_core_refuses_what_it_was_not_allowed_to_repeat(tmp_path, load_with):
    config = OLMO.write(
        Mixture({"web": 0.7, "code": 0.2, "math": 0.1}),
        tmp_path / "mix.yaml",
        sources=token_files(tmp_path),
    )
    found = load_with(
        "olmo_core_load.py",
        config=config,
        tokens=DRAWS * LENGTH,
        length=LENGTH,
        work=tmp_path / "work",
    )
    assert "Insufficient tokens for source: web" in found["refused"]


@pytest.mark.framework("core")
@pytest.mark.golden("olmo-core", "the real ai2-olmo-core 3.0.0: a source_name that stands twice")
def test_olmo_core_trains_on_the_last_source_of_a_name_alone(tmp_path, load_with):
    """Its ratios sum to 1, so nothing is refused; the first half of web is never read."""
    token_files(tmp_path)
    config = tmp_path / "mix.yaml"
    config.write_text(
        f"""sources:
- {{source_name: web, target_ratio: 0.2, paths: [{tmp_path}/code-0.npy]}}
- {{source_name: web, target_ratio: 0.2, paths: [{tmp_path}/web-0.npy]}}
- {{source_name: math, target_ratio: 0.6, paths: [{tmp_path}/math-0.npy, {tmp_path}/math-1.npy]}}
"""
    )
    tokens = 320 * LENGTH
    found = load_with(
        "olmo_core_load.py", config=config, tokens=tokens, length=LENGTH, work=tmp_path / "work"
    )
    drawn = found["sources"]
    assert "11" not in drawn and set(drawn) == {"10", "12"}
    assert sum(drawn.values()) == 320
    with pytest.raises(ReweightvizError, match="named 'web' OLMo-core trains on the last alone"):
        OLMO.read(config)


def test_a_ratio_is_judged_by_itself_and_not_by_a_sum(tmp_path):
    rows = "".join(
        f"- {{source_name: {name}, target_ratio: {ratio}, paths: [{name}.npy]}}\n"
        for name, ratio in (("web", 0.8), ("web", 0.8), ("code", -0.6))
    )
    (tmp_path / "mix.yaml").write_text(f"sources:\n{rows}")
    config = OLMO.parse(Document.open(tmp_path / "mix.yaml"))
    assert config.refused[0] == "the ratios must be numbers from 0 to 1; that of 'code' is not."
    assert not any("sum to" in sentence for sentence in config.refused)
