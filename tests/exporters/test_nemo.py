"""NeMo: the blend of Megatron-Bridge, the Metadataset of Energon, and both loaded."""

from __future__ import annotations

import math

import pytest
import yaml

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Source, Sources
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks.nemo import Nemo

NEMO = Nemo()
MIXTURE = Mixture({"web": 0.7, "code": 0.2, "math": 0.1, "spam": 0.0}, source={"method": "test"})
SOURCES = Sources(
    {
        name: Source(1e6, documents, (f"/d/{name}_text_document",))
        for name, documents in (("web", 1e4), ("code", 1e3), ("math", 1e2), ("spam", 1))
    }
)
META = """__module__: megatron.energon
__class__: MetadatasetV2
splits:
  # Split defines the train/val/test subsets composition
  train:
    blend:
      - weight: 5
        path: ./coco      # captions
        subflavors: {augmentation: small}
      - weight: 2
        path: ./coyo
        shuffle_over_epochs_multiplier: 3
  val:
    path: ./coco
"""


def module(tmp_path, text):
    return Document(tmp_path / "run.py", text)


def test_the_module_sets_the_blend_of_a_recipe(tmp_path):
    path = NEMO.write(MIXTURE, tmp_path / "mix.py", sources=SOURCES, split="99,1,0")
    names = {}
    exec(path.read_text(), names)  # noqa: S102
    assert names["blend"] == [
        ["/d/web_text_document", "/d/code_text_document", "/d/math_text_document"],
        [0.7, 0.2, 0.1],
    ]
    assert names["split"] == "99,1,0"
    assert NEMO.read(path) == MIXTURE
    path.write_text(path.read_text().replace("0.2, 0.1]", "0.1, 0.2]"))
    assert NEMO.read(path) == {"web": 0.7, "code": 0.1, "math": 0.2, "spam": 0.0}


@pytest.mark.parametrize(
    ("options", "name", "sentence"),
    [
        ({"form": "list"}, "mix.py", "no form of a NeMo blend 'list'"),
        ({}, "mix.yaml", "reads a file that ends in .py; got 'mix.yaml'"),
        (
            {"form": "energon"},
            "mix.py",
            "Megatron-Energon reads a file that ends in .yaml; got 'mix.py'",
        ),
        ({"sources": None}, "mix.py", "needs a prefix for each indexed dataset"),
        (
            {"form": "energon", "sources": {"web": 1, "code": 1, "math": 1}},
            "mix.yaml",
            "sources= must give tokens and documents of 'web'",
        ),
        (
            {"form": "energon", "unit": "tokens", "sources": None},
            "mix.yaml",
            "Megatron-Energon needs one path for each domain; sources= has no path for 'web'",
        ),
        ({"form": "energon", "split": "9,1"}, "mix.yaml", "no option of Megatron-Energon 'split'"),
    ],
)
def test_what_is_refused(tmp_path, options, name, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        NEMO.write(MIXTURE, tmp_path / name, **{"sources": SOURCES} | options)
    (tmp_path / "there.py").write_text("blend = [['a'], [1.0]]")
    with pytest.raises(ReweightvizError, match="what NeMo reads is written whole"):
        NEMO.write(MIXTURE, tmp_path / "there.py", sources=SOURCES, merge=True)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "cfg: ConfigContainer = recipe()\ncfg.dataset.blend = [['/d/a', '/d/b'], [0.25, 0.75]]\npretrain(cfg)",
            {"a": 0.25, "b": 0.75},
        ),
        (
            "cfg.dataset.blend = None\nif real:\n    cfg.dataset.blend = (('/d/a',), (2,))",
            {"a": 1.0},
        ),
        (
            "cfg.dataset.blend_per_split = [[['/d/a', '/d/b'], [1, 3]], None, None]",
            {"a": 0.25, "b": 0.75},
        ),
        (
            "d = GPTDatasetConfig(seq_length=8192, blend=[['/d/a', '/d/b_text_document'], [1, 3]], split='99,1,0')",
            {"a": 0.25, "b": 0.75},
        ),
        (
            "PATHS = ['0.8', '/d/a', '0.2', '/d/b']\ncfg = llama3_8b_pretrain_config(data_paths=PATHS)",
            {"a": 0.8, "b": 0.2},
        ),
        ("cfg.dataset.data_path = ['30', '/d/a', '70', '/d/b']", {"a": 0.3, "b": 0.7}),
        ("cfg.dataset.blend = [['/d/a', '/d/b', '/d/a'], [1, 2, 1]]", {"a": 0.5, "b": 0.5}),
        (
            "PATHS = ['/d/a', '/d/b']\nW = [0.7, 0.3]\ncfg.dataset.blend = [PATHS, W]",
            {"a": 0.7, "b": 0.3},
        ),
        (
            "A = '/d/a'\ncfg.dataset.blend = ((A, '/d/b'), [0.7, 0.3])",
            {"a": 0.7, "b": 0.3},
        ),
        (
            "data = llm.PreTrainingDataModule(paths=[30, '/d/a', 70, '/d/b'], seq_length=4096)",
            {"a": 0.3, "b": 0.7},
        ),
        (
            "T = ['0.3', '/d/a', '0.7', '/d/b']\nrun.Config(llm.PreTrainingDataModule, "
            "paths={'train': T, 'validation': ['/d/v'], 'test': ['/d/t']})",
            {"a": 0.3, "b": 0.7},
        ),
    ],
)
def test_recipes_are_read_without_running(tmp_path, text, wanted):
    (tmp_path / "run.py").write_text(text)
    assert NEMO.recognises(module(tmp_path, text))
    assert dict(NEMO.read(tmp_path / "run.py")) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("over.yaml", "dataset:\n  blend: [[/d/a, /d/b], [0.3, 0.7]]\n"),
        ("gpt.yaml", "model:\n  data:\n    data_prefix: [.3, /d/a, .7, /d/b]\n"),
        (
            "gpt.yaml",
            "model: {data: {data_prefix: {train: [.3, /d/a, .7, /d/b], validation: [/d/v]}}}\n",
        ),
        ("run.sh", "torchrun run.py 'dataset.blend=[[/d/a,/d/b],[0.3,0.7]]' train.iters=3\n"),
        ("run.sh", "torchrun run.py dataset.blend=[[/d/a,/d/b],[0.3,0.7]] \\\n train.iters=3\n"),
        (
            "run.slurm",
            'P="/d/a\\",\\"/d/b"\nsrun "++dataset.blend=[[\\"$P\\"],[0.3,0.7]] x=1"\n',
        ),
        ("run.sh", "python m.py model.data.data_prefix=[.3,/d/a,.7,/d/b] trainer.devices=8\n"),
        ("run.sh", 'python m.py "model.data.data_prefix={train: [.3,/d/a,.7,/d/b], test: [/t]}"\n'),
    ],
)
def test_yamls_and_commands_are_read(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert NEMO.recognises(Document.open(tmp_path / name))
    assert dict(NEMO.read(tmp_path / name)) == pytest.approx({"a": 0.3, "b": 0.7})


def test_without_weights_shares_go_by_the_sizes(tmp_path):
    (tmp_path / "run.py").write_text("PreTrainingDataModule(paths=['/d/a', '/d/b'])")
    config = NEMO.parse(Document.open(tmp_path / "run.py"))
    assert (config.unit, config.refused) == ("copies", ())
    sources = {"a": Source(3e9, 1), "b": Source(1e9, 1)}
    assert dict(NEMO.read(tmp_path / "run.py", sources=sources)) == {"a": 0.75, "b": 0.25}


NEMOTRON = """{"_comment": "phase 1", "datasets": [
 {"name": "web", "path": "hf://x/all", "subset": "web", "weight": 1.0},
 {"name": "code", "path": "hf://x/all", "subset": "code", "weight": 0.5, "_note": ""}]}"""


def test_a_blend_of_nemotron_is_read(tmp_path):
    path = tmp_path / "blend.json"
    path.write_text(NEMOTRON)
    assert NEMO.recognises(Document.open(path))
    assert dict(NEMO.read(path)) == pytest.approx({"web": 2 / 3, "code": 1 / 3})
    assert NEMO.parse(Document.open(path)).paths["code"] == ["hf://x/all"]
    path.write_text(NEMOTRON.replace("datasets", "train").replace(', "weight": 0.5', ""))
    assert dict(NEMO.read(path)) == pytest.approx({"web": 0.5, "code": 0.5})
    path.write_text(NEMOTRON.replace("0.5", "-1"))
    with pytest.raises(ReweightvizError, match="must be numbers >= 0, one above 0"):
        NEMO.read(path)
    for other in ('"fraction": 1', '"type": "alpaca"'):
        path.write_text(NEMOTRON.replace('"subset": "web"', other))
        assert not NEMO.recognises(Document.open(path))


def test_a_yaml_of_overrides_is_read_too(tmp_path):
    (tmp_path / "over.yaml").write_text(
        "train: {train_iters: 20}\ndataset:\n  blend: [[/d/a, /d/b], [0.25, 0.75]]\n"
    )
    assert NEMO.recognises(Document.open(tmp_path / "over.yaml"))
    assert NEMO.read(tmp_path / "over.yaml") == {"a": 0.25, "b": 0.75}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("cfg.dataset.blend = [['/d/a', '/d/b'], None]", "need the tokens of 'a', 'b'"),
        (
            "cfg.dataset.blend = [['/d/a', '/d/b'], [1.0]]",
            "each prefix needs one weight; there are 1 for 2",
        ),
        (
            "cfg.dataset.blend = [['/d/a', '/d/b'], [1.0, 0]]",
            "needs a finite weight above 0; that of '/d/b' is not",
        ),
        (
            "cfg.dataset.blend = [[f'/d/{i}' for i in range(3)], None]",
            "has no blend, .* that can be read without running it",
        ),
        ("recipe(data_paths=['/d/a', '/d/b'])", "has no blend"),
    ],
)
def test_blends_that_megatron_would_read_otherwise(tmp_path, text, sentence):
    (tmp_path / "run.py").write_text(text)
    with pytest.raises(ReweightvizError, match=sentence):
        NEMO.read(tmp_path / "run.py")


@pytest.mark.parametrize(
    ("name", "text", "true"),
    [
        ("run.py", "cfg.dataset.blend = None", False),
        ("run.py", "interleave_datasets([a], probabilities=[1.0])", False),
        ("run.py", "load(data_paths=['train.jsonl', 'more.jsonl'])", False),
        ("run.py", "x = (", False),
        ("run.py", "blend = [[1, 2], [3, 4]]", False),
        ("meta.yaml", META, True),
        ("mix.yaml", "train_data_paths: [/d/a]", False),
        ("mix.yaml", "dataset: {path: x}", False),
        ("mix.yaml", "[", False),
        ("run.py", "load(paths=[1, '/d/a', 2, '/d/b'])", False),
        ("run.py", "paths = ['/d/a', '/d/b']", False),
        ("run.py", "config.data.paths = ['a.json.gz', 'b.json.gz']", False),
        ("run.py", "recipe.data.paths = ['/d/a', '/d/b']", True),
        ("run.sh", "train.py dataset.blend=[[$PATHS],null]", False),
        ("run.sh", 'x "model.data.data_prefix={train: [a.jsonl], test: [b.jsonl]}"', False),
    ],
)
def test_its_files_are_recognised(tmp_path, name, text, true):
    assert NEMO.recognises(Document(tmp_path / name, text)) is true


def test_energon_draws_samples_so_its_weights_are_shares_of_examples(tmp_path):
    path = NEMO.write(MIXTURE, tmp_path / "meta.yaml", sources=SOURCES, form="energon")
    found = yaml.safe_load(path.read_text())
    assert (found["__module__"], found["__class__"]) == ("megatron.energon", "MetadatasetV2")
    weights = {entry["path"]: entry["weight"] for entry in found["splits"]["train"]["blend"]}
    assert weights == pytest.approx(
        {
            "/d/web_text_document": 7 / 7.21,
            "/d/code_text_document": 0.2 / 7.21,
            "/d/math_text_document": 0.01 / 7.21,
        }
    )
    assert dict(NEMO.read(path)) == pytest.approx(dict(MIXTURE))
    (tmp_path / "meta.yaml.provenance.json").unlink()
    with pytest.raises(
        ReweightvizError,
        match="shares of tokens need the tokens and documents of 'web', 'code', 'math': pass sources=",
    ):
        NEMO.read(path)
    packed = NEMO.write(
        MIXTURE, path, sources=SOURCES, form="energon", unit="tokens", overwrite=True
    )
    assert [
        entry["weight"] for entry in yaml.safe_load(packed.read_text())["splits"]["train"]["blend"]
    ] == [0.7, 0.2, 0.1]
    assert NEMO.read(packed) == MIXTURE


def test_a_merge_into_a_metadataset_changes_weights_only(tmp_path):
    (tmp_path / "meta.yaml").write_text(META)
    sources = Sources(
        {
            "coco": Source(1e6, 1e3, ("./coco",)),
            "coyo": Source(1e6, 1e3, ("./coyo",)),
            "new": Source(1e6, 1e3, ("./new",)),
        }
    )
    draft = NEMO.draft(
        Mixture({"coco": 0.6, "coyo": 0.4}),
        tmp_path / "meta.yaml",
        sources=sources,
        form="energon",
        merge=True,
    )
    lines = [
        line
        for line in draft.diff().splitlines()
        if line[:1] in "+-" and line[:3] not in {"+++", "---"}
    ]
    assert lines == [
        "-      - weight: 5",
        "+      - weight: 0.6",
        "-      - weight: 2",
        "+      - weight: 0.4",
    ]
    assert dict(NEMO.read(draft.save())) == pytest.approx({"coco": 0.6, "coyo": 0.4})
    NEMO.write(
        Mixture({"coco": 0.0, "coyo": 0.5, "new": 0.5}),
        tmp_path / "meta.yaml",
        sources=sources,
        form="energon",
        merge=True,
    )
    found = yaml.safe_load((tmp_path / "meta.yaml").read_text())["splits"]
    assert found["train"]["blend"] == [
        {"weight": 0.5, "path": "./coyo", "shuffle_over_epochs_multiplier": 3},
        {"weight": 0.5, "path": "./new"},
    ]
    assert found["val"] == {"path": "./coco"}
    with pytest.raises(
        ReweightvizError, match="trains on './new', which the mixture does not name"
    ):
        NEMO.write(
            Mixture({"coyo": 1.0}),
            tmp_path / "meta.yaml",
            sources=sources,
            form="energon",
            merge=True,
        )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            META.replace("weight: 2", "weight: 0"),
            "refuses a weight that is not above 0, or is no number; that of './coyo' is",
        ),
        (META.replace("weight: 2", "weight: '2'"), "or is no number; that of './coyo' is"),
        (META.replace("weight: 2", "weight: null"), "or is no number; that of './coyo' is"),
        (
            META.replace("  val:", "    path: ./coco\n  val:"),
            "splits.train must be a blend, a path or a join, and is more than one of them",
        ),
        ("__class__: MetadatasetV2\nsplits: {train: {path: ./coco}}", "it has none"),
    ],
)
def test_metadatasets_that_energon_would_refuse_or_that_have_no_weights(tmp_path, text, sentence):
    (tmp_path / "meta.yaml").write_text(text)
    with pytest.raises(ReweightvizError, match=sentence):
        NEMO.read(tmp_path / "meta.yaml", sources={"./coco": Source(1, 1), "./coyo": Source(1, 1)})


def test_parts_joins_and_missing_weights_are_told_apart(tmp_path):
    (tmp_path / "meta.yaml").write_text("""__class__: MetadatasetV2
splits:
  train:
    blend:
      - {weight: 2, path: ./coyo}
      - {path: ./coyo, split_part: val}
      - {weight: 1, join: {a: {path: ./x}, b: {path: ./y}}, joiner: {}}
""")
    assert NEMO.parse(Document.open(tmp_path / "meta.yaml")).stages == {
        0: {"./coyo": 2.0, "./coyo (val)": 1.0, "./x + ./y": 1.0}
    }
    first = META.replace("V2", "").replace("blend:", "datasets:")
    (tmp_path / "meta.yaml").write_text(first)
    sources = {"coco": Source(1e6, 1e3, ("./coco",)), "coyo": Source(1e6, 1e3, ("./coyo",))}
    path = NEMO.write(
        Mixture({"coco": 0.6, "coyo": 0.4}),
        tmp_path / "meta.yaml",
        sources=sources,
        form="energon",
        merge=True,
    )
    assert [
        entry["weight"] for entry in yaml.safe_load(path.read_text())["splits"]["train"]["datasets"]
    ] == [0.6, 0.4]


@pytest.mark.framework("core")
@pytest.mark.golden(
    "nemo",
    "the real megatron-core 0.16.1, which Megatron-Bridge hands its blend to: 2,000 draws; the recipe's config is a stand-in",
)
def test_the_blend_of_a_recipe_draws_the_asked_share_of_sequences(tmp_path, load_with, check_order):
    prefixes = [
        str(tmp_path / name) for name in ("web_text_document", "my code", "é_text_document")
    ]
    sources = Sources(dict.fromkeys(("web", "code", "math"), 1e6)).with_paths(
        dict(zip(("web", "code", "math"), prefixes, strict=True))
    )
    config = NEMO.write(
        Mixture({"web": 0.7, "code": 0.2, "math": 0.1}), tmp_path / "mix.py", sources=sources
    )
    found = load_with("nemo_load.py", config=config, prefixes=prefixes, draws=2000)
    assert found["counts"] == pytest.approx({"1": 1400, "2": 400, "3": 200}, abs=1)
    check_order(found["order"], {"1": 0.7, "2": 0.2, "3": 0.1})
    assert found["split"] == "9999,8,2"


@pytest.mark.framework("energon")
@pytest.mark.golden(
    "nemo",
    "the real megatron-energon 7.4.1: 2,000 draws from a MetadatasetV2 of documents of different lengths",
)
def test_energon_draws_the_asked_share_of_tokens(tmp_path, load_with, check_order):
    words, draws = {"web": 10, "code": 40, "math": 100}, 2000
    mixture = Mixture({"web": 0.7, "code": 0.2, "math": 0.1})
    sources = Sources(
        {
            name: Source(40 * size, 40, (str(tmp_path / f"{name}'s: #1"),))
            for name, size in words.items()
        }
    )
    config = NEMO.write(mixture, tmp_path / "meta.yaml", sources=sources, form="energon")
    copies = NEMO.write(
        mixture,
        tmp_path / "copies.yaml",
        sources=sources,
        form="energon",
        unit="copies",
        tokens=2e4,
        max_epochs=40,
    )
    both = load_with(
        "energon_load.py",
        configs=[config, copies],
        folders={sources[name].paths[0]: size for name, size in words.items()},
        draws=draws,
    )["found"]
    found = both[0]
    asked = {str(size): mixture[name] / size for name, size in words.items()}
    for drawn in both:
        check_order(drawn["order"], drawn["counts"])
        check_order(drawn["order"], asked)
    counts = {name: found["counts"][str(size)] for name, size in words.items()}
    whole = sum(mixture[name] / size for name, size in words.items())
    for name, size in words.items():
        share = mixture[name] / size / whole
        assert abs(counts[name] / draws - share) < 4 * math.sqrt(share * (1 - share) / draws)
        assert counts[name] * size / sum(counts[n] * words[n] for n in words) == pytest.approx(
            mixture[name], abs=0.05
        )


HEAD = "__module__: megatron.energon\n__class__: MetadatasetV2\nsplits:\n  train:\n"
INNER = "    blend:\n      - {weight: 3, path: ./A}\n      - {weight: 1, path: ./B}\n"
TWICE = "    blend_epochized:\n      - {repetitions: 5, path: ./A}\n      - {repetitions: 2, path: ./B}\n"
METADATASETS = {
    "inner": (INNER, {"./A": 3, "./B": 1}),
    "ranges": (
        "    blend:\n      - {weight: 6, path: ./A, subset: {range: [0%, 50%]}}\n"
        "      - {weight: 2, path: ./A, subset: {range: [50%, 100%]}}\n"
        "      - {weight: 2, path: ./B}\n",
        {"./A": 8, "./B": 2},
    ),
    "outer": (
        "    blend: [{weight: 1, path: ./inner.yaml}, {weight: 1, path: ./C}]\n",
        {"./A": 0.75, "./B": 0.25, "./C": 1},
    ),
    "path": ("    path: ./inner.yaml\n", {"./A": 0.75, "./B": 0.25}),
    "again": (
        "    blend: [{weight: 2, path: ./inner.yaml}, {weight: 2, path: ./A}]\n",
        {"./A": 3.5, "./B": 0.5},
    ),
    "passes": (TWICE, {"./A": 5, "./B": 2}),
    "twofold": (
        "    blend_epochized: [{repetitions: 2, path: ./passes.yaml}, {path: ./C}]\n",
        {"./A": 10, "./B": 4, "./C": 1},
    ),
}
ENERGON_REFUSES = {
    "mixed": "    blend: [{weight: 1, path: ./passes.yaml}, {weight: 1, path: ./C}]\n",
    "other": "    blend_epochized: [{path: ./inner.yaml}, {path: ./C}]\n",
    "nothing": "    blend: [{weight: 0, path: ./A}, {weight: 1, path: ./C}]\n",
    "never": "    blend_epochized: [{repetitions: 0, path: ./A}, {path: ./C}]\n",
    "text": "    blend: [{weight: '3', path: ./A}, {weight: 1, path: ./C}]\n",
    "placeless": "    blend: [{weight: 5, path: ./A}, {weight: 2}]\n",
    "part": "    blend: [{path: ./inner.yaml, split_part: val}, {path: ./C}]\n",
}


def write_metadatasets(folder) -> None:
    for name, (blend, _) in METADATASETS.items():
        (folder / f"{name}.yaml").write_text(HEAD + blend)
    for name, blend in ENERGON_REFUSES.items():
        (folder / f"{name}.yaml").write_text(HEAD + blend)


@pytest.mark.parametrize("name", METADATASETS)
def test_nested_metadatasets_multiply_and_names_add_up(tmp_path, name):
    write_metadatasets(tmp_path)
    config = NEMO.parse(Document.open(tmp_path / f"{name}.yaml"))
    assert config.stages[0] == pytest.approx(METADATASETS[name][1])
    assert not config.refused
    said = [trap for trap in config.traps if "'./A' stands several times" in trap]
    assert len(said) == (name in {"ranges", "again"})
    assert config.unit == ("copies" if name in {"passes", "twofold"} else "examples")


@pytest.mark.parametrize("name", ENERGON_REFUSES)
def test_what_energon_refuses_is_refused(tmp_path, name):
    write_metadatasets(tmp_path)
    assert NEMO.parse(Document.open(tmp_path / f"{name}.yaml")).refused


def test_a_metadataset_that_is_not_there_or_names_itself_is_said(tmp_path):
    path = tmp_path / "meta.yaml"
    path.write_text(HEAD + "    blend: [{path: ./deep/absent.yaml}, {path: './${D}'}]\n")
    config = NEMO.parse(Document.open(path))
    assert config.stages[0] == {"./deep/absent.yaml": 1.0, "./${D}": 1.0}
    assert "'./deep/absent.yaml' is a metadataset that could not be read" in config.traps[0]
    assert "fills in no ${...}; it would take './${D}' as written" in config.traps[1]
    path.write_text(HEAD + "    blend: [{path: ./meta.yaml}, {path: ./A}]\n")
    assert "names itself" in NEMO.parse(Document.open(path)).refused[0]
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "absent.yaml").write_text(HEAD + INNER)
    path.write_text(HEAD + "    blend: [{path: ./deep/absent.yaml}, {path: /d/C}]\n")
    assert NEMO.parse(Document.open(path)).stages[0] == {
        "./deep/A": 0.75,
        "./deep/B": 0.25,
        "/d/C": 1.0,
    }


@pytest.mark.framework("energon")
def test_energon_itself_multiplies_adds_up_and_refuses(tmp_path, load_with, check_order):
    write_metadatasets(tmp_path)
    names = [*METADATASETS, *ENERGON_REFUSES]
    found = load_with(
        "energon_load.py",
        configs=[tmp_path / f"{name}.yaml" for name in names],
        folders={str(tmp_path / name): words for words, name in enumerate("ABC", 1)},
        draws=2000,
    )["found"]
    results = dict(zip(names, found, strict=True))
    for name, (_, numbers) in METADATASETS.items():
        shares = {str("ABC".index(path[-1]) + 1): number for path, number in numbers.items()}
        check_order(results[name]["order"], shares)
    assert all("error" in results[name] for name in ENERGON_REFUSES), results


def test_copies_are_repetitions_and_a_merge_keeps_to_them(tmp_path):
    sources = {
        "A": Source(1e6, 1e3, ("./A",)),
        "B": Source(2e6, 1e3, ("./B",)),
    }
    options = {"sources": sources, "form": "energon"}
    mixture = Mixture({"A": 0.5, "B": 0.5})
    path = NEMO.write(mixture, tmp_path / "new.yaml", unit="copies", tokens=4e6, **options)
    assert yaml.safe_load(path.read_text())["splits"]["train"] == {
        "blend_epochized": [
            {"repetitions": 2.0, "path": "./A"},
            {"repetitions": 1.0, "path": "./B"},
        ]
    }
    assert dict(NEMO.read(path)) == pytest.approx(dict(mixture))
    path = tmp_path / "passes.yaml"
    path.write_text(HEAD + TWICE)
    with pytest.raises(
        ReweightvizError, match="counts repetitions: pass unit='copies' and tokens="
    ):
        NEMO.write(mixture, path, merge=True, **options)
    NEMO.write(mixture, path, merge=True, unit="copies", tokens=4e6, **options)
    assert [
        one["repetitions"]
        for one in yaml.safe_load(path.read_text())["splits"]["train"]["blend_epochized"]
    ] == [2.0, 1.0]
    path.write_text(HEAD + INNER)
    with pytest.raises(ReweightvizError, match="counts weight: leave unit='copies' out"):
        NEMO.write(mixture, path, merge=True, unit="copies", tokens=4e6, **options)
    path.write_text(HEAD + METADATASETS["ranges"][0])
    with pytest.raises(ReweightvizError, match=r"has './A' more than once: keep one entry of each"):
        NEMO.write(mixture, path, merge=True, **options)
    with pytest.raises(ReweightvizError, match="no unit of NeMo 'copies'"):
        NEMO.write(mixture, tmp_path / "m.py", sources=sources, unit="copies", tokens=4e6)
