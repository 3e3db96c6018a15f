"""Lingua: folders below one root, merges, and Lingua's own loader drawing documents and packed tokens."""

from __future__ import annotations

import math

import pytest
import yaml

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Source, Sources
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks.lingua import Lingua

LINGUA = Lingua()
MIXTURE = Mixture({"web": 0.7, "code": 0.2, "maths": 0.1, "spam": 0.0}, source={"method": "test"})


def sources_in(root: str) -> Sources:
    return Sources(
        {
            "web": Source(8e9, 8e6, (f"{root}/web",)),
            "code": Source(4e9, 1e6, (f"{root}/a.chunk.00.jsonl",)),
            "maths": Source(
                1e9, 1e5, (f"{root}/x/math/m.chunk.00.jsonl", f"{root}/x/math/m.chunk.01.jsonl")
            ),
            "spam": Source(1e9, 1e6),
        }
    )


def loaded(path):
    return yaml.safe_load(path.read_text("utf-8"))


def test_weights_are_shares_of_documents_in_folders_below_one_root(tmp_path):
    sources = Sources(
        {
            name: Source(
                s.tokens,
                s.documents,
                tuple(p.replace("/r/a.chunk", "/r/code/a.chunk") for p in s.paths),
            )
            for name, s in sources_in("/d/r").items()
        }
    )
    data = loaded(LINGUA.write(MIXTURE, tmp_path / "c.yaml", sources=sources))["data"]
    assert data["root_dir"] == "/d/r"
    assert list(data["sources"]) == ["web", "code", "x/math"]
    ratios = [data["sources"][name] / data["sources"]["web"] for name in data["sources"]]
    assert ratios == pytest.approx([1, 0.2 / 4e3 / (0.7 / 1e3), 0.1 / 1e4 / (0.7 / 1e3)])
    assert LINGUA.read(tmp_path / "c.yaml").array == pytest.approx(MIXTURE.array)
    packed = LINGUA.write(MIXTURE, tmp_path / "t.yaml", sources=sources, unit="tokens")
    assert loaded(packed)["data"]["sources"] == {"web": 0.7, "code": 0.2, "x/math": 0.1}


def test_a_unit_needs_the_documents(tmp_path):
    with pytest.raises(
        ReweightvizError,
        match="in Lingua a weight is a share of examples .*sources= must give tokens and documents of 'web'",
    ):
        LINGUA.write(MIXTURE, tmp_path / "c.yaml")


@pytest.mark.parametrize(
    ("paths", "root", "names"),
    [
        (["web", "code"], ".", ["web", "code"]),
        (["/web", "/code"], "/", ["web", "code"]),
        (["/d/web"], "/d", ["web"]),
        (["/d/web/", "/d/x/../code"], "/d", ["web", "code"]),
        ([None, "/d/code"], "/d", ["web", "code"]),
        ([None, None], "data", ["web", "code"]),
    ],
)
def test_the_root_is_what_the_paths_have_in_common(tmp_path, paths, root, names):
    sources = {
        name: Source(1e6, 1e3, (path,) if path else ())
        for name, path in zip(["web", "code"], paths, strict=False)
    }
    file = LINGUA.write(Mixture.uniform(sources), tmp_path / "c.yaml", sources=sources)
    assert loaded(file)["data"] == {
        "root_dir": root,
        "sources": dict.fromkeys(names[: len(sources)], 1 / len(sources)),
    }


@pytest.mark.parametrize(
    ("paths", "options", "sentence"),
    [
        (["/d/web", "code"], {}, "the folders of all sources must lie in one root_dir"),
        (["/d/web", "/e/code"], {"root_dir": "/d"}, "that of 'code' does not lie in '/d'"),
        (["s3://b/web", "s3://b/code"], {}, "the path of 'web', 'code' is remote"),
        (["/d/web", "/d/web"], {}, "'web', 'code' have one folder, 'web'"),
    ],
)
def test_folders_that_lingua_cannot_join_are_refused(tmp_path, paths, options, sentence):
    sources = {
        name: Source(1e6, 1e3, (path,)) for name, path in zip(["web", "code"], paths, strict=True)
    }
    with pytest.raises(ReweightvizError, match=sentence):
        LINGUA.write(Mixture.uniform(sources), tmp_path / "c.yaml", sources=sources, **options)
    with pytest.raises(
        ReweightvizError, match="Lingua reads one folder a source; sources= has more for 'web'"
    ):
        LINGUA.write(
            Mixture({"web": 1.0}),
            tmp_path / "c.yaml",
            sources={"web": Source(1e6, 1e3, ("/d/a", "/d/b"))},
        )


def test_names_do_not_climb(tmp_path):
    names = ["..", "../x", "/abs", "a/b", ".", "", "a."]
    sources = {name: Source(1e6, 1e3) for name in names}
    folders = loaded(LINGUA.write(Mixture.uniform(names), tmp_path / "c.yaml", sources=sources))[
        "data"
    ]["sources"]
    assert all("/" not in name and name.strip(".") for name in folders)
    assert LINGUA.read(tmp_path / "c.yaml").domains == tuple(names)


THEIRS = """\
# dump_dir: !!!CHANGE_THIS!!!
steps: 60_000
data:
    root_dir: data/shuffled   # on the cluster
    sources:
        wikipedia: 80.0
        arxiv: 20.0
        eval_only: 0
    batch_size: 32
optim: {lr: 3e-3}
"""


def test_a_merge_changes_the_weights_alone(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text(THEIRS)
    sources = {
        "wikipedia": Source(1e9, 1e6),
        "arxiv": Source(1e9, 1e5),
        "math": Source(1e9, 1e5, ("data/shuffled/math",)),
    }
    with pytest.raises(
        ReweightvizError, match="need the tokens and documents of 'wikipedia', 'arxiv'"
    ):
        LINGUA.read(file)
    assert LINGUA.read(file, sources=sources | {"eval_only": Source(1, 1)}).array == pytest.approx(
        [80 / 280, 200 / 280, 0]
    )
    draft = LINGUA.draft(
        Mixture({"wikipedia": 0.5, "arxiv": 0.25, "math": 0.25}), file, sources=sources, merge=True
    )
    changed = [
        line
        for line in draft.diff().splitlines()
        if line[0] in "+-" and line[:3] not in {"+++", "---"}
    ]
    assert [line.partition(":")[0] for line in changed] == [
        "-        wikipedia",
        "-        arxiv",
        "+        wikipedia",
        "+        arxiv",
        "+        math",
    ]
    elsewhere = {name: Source(1e9, 1e6, (f"/else/{name}",)) for name in ("wikipedia", "arxiv")}
    with pytest.raises(
        ReweightvizError,
        match="lie in '/else', but root_dir of this config is 'data/shuffled': pass root_dir=",
    ):
        LINGUA.write(Mixture({"wikipedia": 0.5, "arxiv": 0.5}), file, sources=elsewhere, merge=True)
    LINGUA.write(
        Mixture({"wikipedia": 0.5, "arxiv": 0.5}),
        file,
        sources=elsewhere,
        merge=True,
        root_dir="/else",
    )
    assert loaded(file)["data"]["root_dir"] == "/else"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (
            "{root_dir: d, sources: {web: -1, code: 1}}",
            "must be numbers >= 0; those of 'web' are not",
        ),
        ("{root_dir: d, sources: {web: 0}}", "must be above 0"),
        ("{sources: {web: 1}}", "data.root_dir is not set"),
        ("{root_dir: d}", "has no data.sources"),
        ("{root_dir: d, sources: [web]}", "has no data.sources"),
    ],
)
def test_what_lingua_would_not_take_is_said(tmp_path, data, sentence):
    (tmp_path / "c.yaml").write_text(f"data: {data}\n")
    with pytest.raises(ReweightvizError, match=sentence):
        LINGUA.read(tmp_path / "c.yaml", sources={"web": Source(1, 1), "code": Source(1, 1)})


def test_keys_that_yaml_takes_for_numbers_are_names(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text(
        "data:\n  root_dir: d\n  sources:\n    2023: 0.5 # the first\n    2024: 0.5\n    2025: 0\n"
    )
    sources = {year: Source(1e9, 1e6) for year in ("2023", "2024", "2025")}
    draft = LINGUA.draft(
        Mixture({"2023": 0.5, "2024": 0.25, "2025": 0.25}), file, sources=sources, merge=True
    )
    assert [line for line in draft.diff().splitlines()[3:] if line[0] in "+-"] == [
        "-    2024: 0.5",
        "-    2025: 0",
        "+    2024: 0.25",
        "+    2025: 0.25",
    ]


@pytest.mark.parametrize(
    ("text", "true"),
    [
        ("data: {root_dir: d, sources: {web: 1}}", True),
        ("dump_dir: x\ndata: {sources: {web: 1}}", True),
        ("data: {sources: {web: 100.0}, tokenizer: {name: bytes}, n_views: 2}", True),
        ("data: {sources: {a: 1, b: 2}}", False),
        ("defaults: [x]\ndata: {sources: {a: 1}}", False),
        ("data: {root_dir: /x, sources: {a: b}}", False),
        ("data: {root_dir: /x}", False),
    ],
)
def test_its_files_are_recognised(tmp_path, text, true):
    assert LINGUA.recognises(Document(tmp_path / "x.yaml", text)) is true


@pytest.mark.checkout("lingua")
def test_linguas_own_configs_are_recognised_and_merged(checkouts, tmp_path):
    for name in ("main/configs/llama_1B.yaml", "fastRNN/hawk/configs/debug.yaml"):
        (tmp_path / "c.yaml").write_text((checkouts / "lingua" / "apps" / name).read_text())
        document = Document.open(tmp_path / "c.yaml")
        assert LINGUA.recognises(document)
        mixture = Mixture.normalized(
            dict.fromkeys(document.mapping["data"]["sources"], 1.0) | {"math": 1.0}
        )
        added = LINGUA.draft(mixture, tmp_path / "c.yaml", unit="tokens", merge=True).diff()
        assert added.count("\n+") == 1 + len(mixture) and added.count("\n-") == len(mixture) - 1


@pytest.mark.framework("transformers4")
@pytest.mark.checkout("lingua")
@pytest.mark.golden(
    "lingua",
    "its source facebookresearch/lingua@437d680, no stand-ins: 2,000 documents, 128,000 packed tokens",
)
def test_lingua_draws_the_documents_and_packs_the_tokens_of_the_mixture(
    tmp_path, load_with, check_order, checkouts
):
    letters = {"web": ["w", 10], "code": ["c", 40], "maths": ["m", 100]}
    sources = {
        name: Source(500 * (size + 2), 500, (str(tmp_path / "d" / name),))
        for name, (_, size) in letters.items()
    }
    mixture = Mixture({name: MIXTURE[name] for name in letters})
    file = tmp_path / "c.yaml"
    file.write_text(
        "data: {batch_size: 4, seq_len: 128, prefetch_size: 16, load_async: false, seed: 1}\nmodel: {dim: 8}\n"
    )
    LINGUA.write(mixture, file, sources=sources, merge=True)
    found = load_with(
        "lingua_load.py",
        checkout=checkouts / "lingua",
        config=file,
        draws=2000,
        batches=250,
        documents={str(tmp_path / "d" / name): pair for name, pair in letters.items()},
    )
    asked = loaded(file)["data"]["sources"]
    check_order(found["order"], {letter: asked[name] for name, (letter, _) in letters.items()})
    assert sum(found["documents"].values()) == 2000
    for name, (letter, _) in letters.items():
        p = asked[name]
        assert abs(found["documents"][letter] / 2000 - p) < 4 * math.sqrt(p * (1 - p) / 2000)
        assert found["tokens"][letter] / sum(found["tokens"].values()) == pytest.approx(
            mixture[name], abs=0.05
        )
    assert found["tokenizer"] == "bytes"
