"""Levanter: schedules, blocks, merges into configs as people write them, and the real library drawing both stages."""

from __future__ import annotations

import pytest
import yaml

import reweightviz as rv
from reweightviz.core.errors import ReweightvizError, ReweightvizWarning
from reweightviz.core.mixture import Mixture
from reweightviz.core.schedule import Schedule
from reweightviz.core.sources import Source, Sources
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks.levanter import Levanter
from reweightviz.exporters.recognise import recognise

LEVANTER = Levanter()
MIXTURE = Mixture(
    {"web": 0.7, "no": 0.2, "code-1.0/py": 0.1, "spam": 0.0}, source={"method": "test"}
)
SOURCES = Sources(
    {
        "web": Source(8e9, 8e6, ("gs://b/web/*.jsonl.gz", "gs://b/more.jsonl")),
        "no": Source(4e9, 1e6, ("org/code-1.0",)),
        "code-1.0/py": Source(1e9, 1e6, ("org/the-code:python",)),
        "spam": Source(1e9, 1e6, ("/d/spam.jsonl",)),
    }
)
BARE = pytest.mark.filterwarnings("ignore:this config of Levanter has no files yet")


def loaded(path):
    return yaml.safe_load(path.read_text("utf-8"))


def test_a_new_file_names_every_component(tmp_path):
    file = LEVANTER.write(
        MIXTURE,
        tmp_path / "c.yaml",
        sources=SOURCES,
        tokenizer="org/tokenizer",
        stop_strategy="first_exhausted",
    )
    plain = LEVANTER.write(MIXTURE, tmp_path / "plain.yaml", sources=SOURCES)
    assert list(loaded(plain)["data"]) == [
        "cache_dir",
        "components",
        "train_weights",
        "stop_strategy",
        "mixture_block_size",
    ]
    assert loaded(file) == {
        "data": {
            "tokenizer": "org/tokenizer",
            "cache_dir": "cache/",
            "components": {
                "web": {
                    "type": "cached",
                    "source": {
                        "type": "url",
                        "train_urls": ["gs://b/web/*.jsonl.gz", "gs://b/more.jsonl"],
                    },
                },
                "no": {"type": "cached", "source": {"type": "hf", "id": "org/code-1.0"}},
                "code-1.0/py": {
                    "type": "cached",
                    "source": {"type": "hf", "id": "org/the-code", "name": "python"},
                },
            },
            "train_weights": {"web": 0.7, "no": 0.2, "code-1.0/py": 0.1},
            "stop_strategy": "first_exhausted",
            "mixture_block_size": 2048,
        }
    }
    assert '"no": 0.2' in file.read_text("utf-8")
    with pytest.raises(
        ReweightvizError, match="no stop_strategy 'restrat'; did you mean 'restart'"
    ):
        LEVANTER.write(MIXTURE, tmp_path / "d.yaml", stop_strategy="restrat")
    assert LEVANTER.parse(Document.open(file)).paths == {
        "web": ["gs://b/web/*.jsonl.gz", "gs://b/more.jsonl"],
        "no": ["org/code-1.0"],
        "code-1.0/py": ["org/the-code:python"],
    }


def test_components_without_files_are_said_when_written_and_when_read(tmp_path):
    with pytest.warns(
        ReweightvizWarning,
        match="has no files yet for 'web', 'code': give paths in sources=, or fill train_urls",
    ):
        file = LEVANTER.write(Mixture.uniform(["web", "code"]), tmp_path / "c.yaml")
    assert loaded(file)["data"]["components"]["web"] == {
        "type": "cached",
        "source": {"type": "url", "train_urls": []},
    }
    assert (
        "finds nothing to train on for 'web', 'code'"
        in LEVANTER.parse(Document.open(file)).traps[-1]
    )
    file.write_text(
        "data: {components: {web: {cache_dir: c}, code: {source: {type: url}}, held: {source: {type: url}}}, train_weights: "
        "{web: 1, code: 1, held: 0}}\n"
    )
    assert LEVANTER.parse(Document.open(file)).traps == (
        "Levanter finds nothing to train on for 'code': its train_urls are empty.",
    )


@pytest.mark.parametrize(
    "path",
    [
        "/data/tok",
        "/d/web_text_document",
        "${data.dir}/web.jsonl",
        "s3://b/web",
        "gs://b/web/",
        "a/b/c",
        "d/x.tar",
        "org/math::validation",
    ],
)
def test_what_levanter_reads_neither_as_a_file_nor_from_the_hub_is_said(tmp_path, path):
    with pytest.warns(
        ReweightvizWarning,
        match="Levanter reads files that end in .json.* is neither: name the files",
    ):
        file = LEVANTER.write(
            Mixture({"web": 1.0}), tmp_path / "c.yaml", sources={"web": Source(1e9, 1e6, (path,))}
        )
    assert loaded(file)["data"]["components"]["web"]["source"] == {
        "type": "url",
        "train_urls": [path],
    }


@BARE
def test_component_names_are_no_paths_that_climb(tmp_path):
    names = loaded(
        LEVANTER.write(
            Mixture.uniform(["..", "a/../b", "/abs", "a//b", "a.", ".", "nemotron_cc/hq"]),
            tmp_path / "c.yaml",
        )
    )
    for name in names["data"]["components"]:
        assert not name.startswith("/") and not {"", ".", ".."} & set(name.split("/"))
    assert "nemotron_cc/hq" in names["data"]["components"]


@BARE
def test_a_block_has_a_place_for_every_weight(tmp_path):
    small = Mixture.normalized({"web": 1.0, "rare": 1 / 5000})
    assert loaded(LEVANTER.write(small, tmp_path / "c.yaml"))["data"]["mixture_block_size"] == 8192
    with pytest.raises(
        ReweightvizError,
        match="'rare' would never be drawn: a share below 1/2048 .*raise mixture_block_size= or the weight",
    ):
        LEVANTER.write(small, tmp_path / "d.yaml", mixture_block_size=2048)
    with pytest.raises(
        ReweightvizError, match="'rare' would never be drawn: a share below 1/32768"
    ):
        LEVANTER.write(Mixture.normalized({"web": 1.0, "rare": 1e-6}), tmp_path / "d.yaml")
    with pytest.raises(
        ReweightvizError, match="'rare' would never be drawn: a share below 1/32768"
    ):
        LEVANTER.write(Mixture({"web": 1.0, "rare": 5e-324}), tmp_path / "d.yaml")
    (tmp_path / "d.yaml").write_text(
        "data: {train_weights: {web: 0.9999, rare: 0.0001, some: 0.0009}, mixture_block_size: 2048}\n"
    )
    config = LEVANTER.parse(Document.open(tmp_path / "d.yaml"))
    assert config.refused == ()
    assert "'rare' would never be drawn" in config.traps[0]
    assert "'some' is rounded down by more than a twentieth" in config.traps[1]


THEIRS = """\
data:
  configs:
    owt:
      train_urls:
        - "gs://b/openwebtext_train.{1..128}-of-128.jsonl.gz"
    wikitext:
      id: dlwh/wikitext_103_detokenized
  train_weights:
    owt: 0.6       # most of it
    wikitext: 0.4
  tokenizer: gpt2
trainer:
  train_batch_size: 256
optimizer:
  learning_rate: 1E-3
"""


def changes(draft) -> list[str]:
    return [
        line
        for line in draft.diff().splitlines()
        if line[0] in "+-" and line[:3] not in {"+++", "---"}
    ]


def test_a_merge_changes_the_weights_alone(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text(THEIRS)
    assert dict(LEVANTER.read(file)) == {"owt": 0.6, "wikitext": 0.4}
    assert changes(LEVANTER.draft(Mixture({"owt": 0.5, "wikitext": 0.5}), file, merge=True)) == [
        "-    owt: 0.6       # most of it",
        "-    wikitext: 0.4",
        "+    owt: 0.5       # most of it",
        "+    wikitext: 0.5",
    ]
    added = LEVANTER.draft(
        Mixture({"owt": 0.5, "wikitext": 0.25, "math": 0.25}),
        file,
        merge=True,
        sources={"owt": 1.0, "wikitext": 1.0, "math": Source(1.0, 1, ("org/math",))},
    )
    assert changes(added)[:2] == ["+    math:", '+      id: "org/math"'], (
        "the older tree has no 'type' and 'source'"
    )
    assert "marin-levanter refuses data.configs" in LEVANTER.parse(Document.open(file)).traps[0]


YEARS = """\
data:
  components:
    2023: {source: {type: url, train_urls: [a.jsonl]}}
    2024: {source: {type: url, train_urls: [b.jsonl]}}
    2025: {source: {type: url, train_urls: [c.jsonl]}}
  train_weights:
    2023: 0.5   # the first
    2024: 0.5
    2025: 0
"""


def test_keys_that_yaml_takes_for_numbers_are_names(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text(YEARS)
    assert dict(LEVANTER.read(file)) == {"2023": 0.5, "2024": 0.5, "2025": 0.0}
    assert LEVANTER.parse(Document.open(file)).paths["2024"] == ["b.jsonl"]
    draft = LEVANTER.draft(Mixture({"2023": 0.75, "2024": 0.25}), file, merge=True)
    assert changes(draft) == [
        "-    2023: 0.5   # the first",
        "-    2024: 0.5",
        "+    2023: 0.75  # the first",
        "+    2024: 0.25",
    ]


COMMENTED = """\
data:
  components: {web: {}, code: {}, math: {}}
  # the mixture
  train_weights:   # by hand
    # from the crawl
    web: 0.5   # shrinks
    code: 0.5
trainer:
  num_train_steps: 4000
  train_batch_size: 512
"""


def test_a_schedule_keeps_the_comments_beside_the_weights(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text(COMMENTED)
    start, end = Mixture({"web": 0.75, "code": 0.25}), Mixture({"web": 0.25, "code": 0.75})
    LEVANTER.write(Schedule({0: start, 1000: end}), file, merge=True)
    text = file.read_text()
    assert [
        text.count(comment)
        for comment in ("# the mixture", "# by hand", "# from the crawl", "# shrinks")
    ] == [1] * 4
    back = LEVANTER.read_schedule(file)
    assert {step: dict(mixture) for step, mixture in back.items()} == {
        0: dict(start),
        1000: dict(end),
    }
    assert back.steps == 4000
    file.write_text(text.replace("code: 0.75", "code: 0.75  # anneals"))
    draft = LEVANTER.draft(Schedule({0: end, 1000: start}), file, merge=True)
    assert [line.partition("# ")[2] for line in changes(draft)] == [
        "shrinks",
        "",
        "shrinks",
        "",
        "",
        "anneals",
        "",
        "anneals",
    ]
    LEVANTER.write(start, draft.save(), merge=True)
    assert dict(LEVANTER.read(file)) == dict(start)
    shared = (
        "data:\n  train_weights:\n  - - 0\n    - &m {web: 0.5, code: 0.5}\n  - - 1024\n    - *m\n"
    )
    file.write_text(shared)
    LEVANTER.write(
        Schedule({0: start, 1024: end}),
        file,
        merge=True,
        sources={"web": Source(1, 1, ("org/web",)), "code": Source(1, 1, ("org/code",))},
    )
    assert {step: dict(mixture) for step, mixture in LEVANTER.read_schedule(file).items()} == {
        0: dict(start),
        1024: dict(end),
    }


def test_a_schedule_begins_on_blocks_of_the_configs_batches(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text(THEIRS)
    start, end = Mixture({"owt": 0.8, "wikitext": 0.2}), Mixture({"owt": 0.5, "wikitext": 0.5})
    with pytest.raises(
        ReweightvizError,
        match="begins on a block of 2048 sequences, at a step that is a multiple of 8; step 1001 is "
        "sequence 256256",
    ):
        LEVANTER.write(Schedule({0: start, 1001: end}), file, merge=True)
    LEVANTER.write(Schedule({0: start, 1000: end}), file, merge=True)
    assert loaded(file)["data"]["train_weights"] == [
        [0, {"owt": 0.8, "wikitext": 0.2}],
        [1000, {"owt": 0.5, "wikitext": 0.5}],
    ]
    back = LEVANTER.read_schedule(file)
    assert {step: dict(mixture) for step, mixture in back.items()} == {
        0: dict(start),
        1000: dict(end),
    }
    file.write_text(file.read_text().replace("- 1000", "- 1004"))
    with pytest.raises(ReweightvizError, match="step 1004 is sequence 257024"):
        LEVANTER.read_schedule(file)
    batches = "[{start: 0, value: 64}, {start: 64, value: 128}, {start: 256, value: 64}, {start: 1024, value: 256}]"
    file.write_text(
        file.read_text()
        .replace("- 1004", "- 1000")
        .replace("train_batch_size: 256", f"train_batch_size: {batches}")
    )
    with pytest.raises(
        ReweightvizError, match="begins on a block of 2048 sequences; step 1000 is sequence 76288"
    ):
        LEVANTER.read_schedule(file)
    file.write_text(
        file.read_text().replace(
            "  tokenizer: gpt2", "  tokenizer: gpt2\n  mixture_block_size: 128"
        )
    )
    assert list(LEVANTER.read_schedule(file)) == [0, 1000]


REFUSED = {
    "{web: 0.7, cod: 0.3}": "train_weights names 'cod', which data.components does not hold",
    "{web: 0.7, code: -0.3}": "must be numbers >= 0; those of 'code' are not",
    "{web: 0, code: 0}": "train_weights sum to 0",
    "[[0, {web: 1}], [2048, {code: 1}], [1024, {web: 1}]]": "the steps of train_weights must rise from 0",
    "[[0, {web: 1}], [2048.5, {code: 1}]]": "the steps of train_weights must be whole numbers; '2048.5' is none",
}


@pytest.mark.parametrize(("weights", "sentence"), REFUSED.items())
def test_what_levanter_refuses_is_said(tmp_path, weights, sentence):
    (tmp_path / "c.yaml").write_text(
        f"data: {{components: {{web: {{}}, code: {{}}}}, train_weights: {weights}}}\n"
    )
    with pytest.raises(ReweightvizError, match=sentence):
        LEVANTER.read(tmp_path / "c.yaml")


def test_without_weights_all_components_count_alike_and_a_data_file_is_read_too(tmp_path):
    (tmp_path / "c.yaml").write_text("data: {tokenizer: gpt2, components: {web: {}, code: {}}}\n")
    assert dict(LEVANTER.read(tmp_path / "c.yaml")) == {"web": 0.5, "code": 0.5}
    (tmp_path / "d.yaml").write_text(
        "tokenizer: gpt2\nconfigs: {web: {}, code: {}}\ntrain_weights: {web: 3, code: 1}\n"
    )
    assert LEVANTER.recognises(Document.open(tmp_path / "d.yaml"))
    assert dict(LEVANTER.read(tmp_path / "d.yaml")) == {"web": 0.75, "code": 0.25}
    assert not LEVANTER.recognises(
        Document(tmp_path / "x.yaml", "data: {components: {button: 1}, cache_dir: x}")
    )
    LEVANTER.write(Mixture({"web": 0.5, "code": 0.5}), tmp_path / "d.yaml", merge=True)
    assert loaded(tmp_path / "d.yaml")["train_weights"] == {"web": 0.5, "code": 0.5}
    (tmp_path / "e.yaml").write_text("data: {train_weights: [[5, {web: 1}]]}\n")
    with pytest.raises(ReweightvizError, match="no data.train_weights from step 0 on"):
        LEVANTER.read(tmp_path / "e.yaml")


STAGES = """data:
  components: {web: {source: {type: url, train_urls: [a.jsonl]}}, math: {source: {type: url, train_urls: [b.jsonl]}}}
  train_weights:
    - [0, {web: 1.0, math: 3.5e-10}]
    - [8000, {web: 2.4e-10, math: 0.8}]
trainer: {train_batch_size: 1024, num_train_steps: 10000}
"""


def test_what_one_stage_does_not_draw_is_said_of_that_stage(tmp_path):
    config = LEVANTER.parse(Document(tmp_path / "c.yaml", STAGES))
    assert config.traps == (
        "'math' is not drawn in the stage from step 0: its share there is below 1/2048, and has no "
        "place in a block of 2048 sequences. 'math' is drawn from step 8000 on (100 %).",
        "'web' is not drawn in the stage from step 8000: its share there is below 1/2048, and has "
        "no place in a block of 2048 sequences. 'web' is drawn from step 0 on (100 %).",
    )
    coarse = STAGES.replace("3.5e-10", "0.00092").replace("2.4e-10", "0.1")
    assert LEVANTER.parse(Document(tmp_path / "c.yaml", coarse)).traps == (
        "the share of 'math' in the stage from step 0 is rounded down by more than a twentieth, "
        "to a whole number of 2048 sequences.",
    )
    bad = STAGES.replace("2.4e-10", "-1")
    assert LEVANTER.parse(Document(tmp_path / "c.yaml", bad)).refused == (
        "train_weights in the stage from step 8000 must be numbers >= 0; those of 'web' are not.",
    )


@BARE
def test_a_schedule_that_loses_a_domain_in_one_stage_is_written_with_a_warning(tmp_path):
    """Nothing is lost: the domain has its weight in the other stage, and the block stays small."""
    schedule = Schedule({0: {"web": 1.0, "math": 3.5e-10}, 8000: {"web": 0.2, "math": 0.8}})
    with pytest.warns(ReweightvizWarning, match="'math' is not drawn in the stage from step 0"):
        file = LEVANTER.write(schedule, tmp_path / "c.yaml", batch_size=1024)
    assert loaded(file)["data"]["mixture_block_size"] == 2048
    assert LEVANTER.read_schedule(file)[8000]["math"] == 0.8
    with pytest.raises(ReweightvizError, match="'math' would never be drawn: .* below 1/32768"):
        LEVANTER.write(Mixture.normalized({"web": 1.0, "math": 3.5e-10}), tmp_path / "d.yaml")


DATA = "tokenizer: gpt2\ncomponents: {web: {}, code: {}}\ntrain_weights: {web: 3, code: 1}\n"


def test_what_a_config_includes_is_read_where_it_lies(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "d.yaml").write_text(DATA)
    (tmp_path / "data" / "w.yaml").write_text("{web: 1, code: 4}\n")
    (tmp_path / "run").mkdir()
    train = tmp_path / "run" / "c.yaml"
    train.write_text("data: !include ../data/d.yaml\ntrainer: {}\n")
    assert recognise(train).name == "levanter"
    assert LEVANTER.read(train) == {"web": 0.75, "code": 0.25}
    # A path is taken from the folder of the file that it stands in.
    (tmp_path / "data" / "d.yaml").write_text(DATA.replace("{web: 3, code: 1}", "!include w.yaml"))
    assert LEVANTER.read(train) == {"web": 0.2, "code": 0.8}
    with pytest.raises(
        ReweightvizError, match=r"'!include ../data/d.yaml', .* merge into the file"
    ):
        LEVANTER.write(Mixture.uniform(["web", "code"]), train, merge=True)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("absent.yaml", "", "'absent.yaml', which was not read: .*No such"),
        ("gs://b/d.yaml", "", "'gs://b/d.yaml', which was not read: only files beside the config"),
        ("/etc/hostname", "", "'/etc/hostname', which was not read: only files beside the config"),
        ("c.yaml", "", "'c.yaml', which was not read: the files include one another"),
        (
            "d.yaml",
            "!include c.yaml",
            "'c.yaml', which was not read: the files include one another",
        ),
        ("d.yaml", "a: b: c", "'d.yaml', which was not read: .*d.yaml is no YAML file: mapping"),
    ],
)
def test_an_include_that_is_not_followed_is_said_and_nothing_else(
    tmp_path, name, content, sentence
):
    (tmp_path / "c.yaml").write_text(f"data: !include {name}\ntrainer: {{}}\n")
    if content:
        (tmp_path / name).write_text(content)
    assert recognise(tmp_path / "c.yaml").name == "levanter"
    with pytest.raises(ReweightvizError, match=f"leaves its mixture open: data is .*{sentence}"):
        LEVANTER.read(tmp_path / "c.yaml")


def test_an_include_of_one_component_leaves_the_weights_readable(tmp_path):
    (tmp_path / "c.yaml").write_text(
        "data: {components: {web: !include w.yaml, code: {}}, train_weights: {web: 1, code: 1}}\n"
    )
    config = LEVANTER.parse(Document.open(tmp_path / "c.yaml"))
    assert config.stages == {0: {"web": 1.0, "code": 1.0}}
    assert "data.components.web is included from 'w.yaml', which was not read" in config.traps[0]


SFT = """dataset_type: chat_jsonl
supervised_data:
  web: {cache_dir: gs://b/web, train_urls: [gs://b/web/*.jsonl.gz]}
  code: {cache_dir: gs://b/code, train_urls: [gs://b/code/*.jsonl.gz]}
mixture_weights: {web: 600, code: 400}
mixture_block_size: 2048
stop_strategy: restart
"""


def test_the_mixture_of_supervised_data_counts_examples(tmp_path):
    """sft_mixture.py of stanford-crfm mixes examples, and packs them afterwards."""
    (tmp_path / "c.yaml").write_text(SFT)
    assert recognise(tmp_path / "c.yaml").name == "levanter"
    config = LEVANTER.parse(Document.open(tmp_path / "c.yaml"))
    assert (config.stages, config.unit) == ({0: {"web": 600.0, "code": 400.0}}, "examples")
    assert config.paths == {"web": ["gs://b/web/*.jsonl.gz"], "code": ["gs://b/code/*.jsonl.gz"]}
    sources = {"web": Source(1e9, 1e6, ()), "code": Source(3e9, 1e6, ())}
    assert dict(LEVANTER.read(tmp_path / "c.yaml", sources=sources)) == pytest.approx(
        {"web": 1 / 3, "code": 2 / 3}
    )
    for options, sentence in (
        ({"merge": True}, "mixture_weights of sft_mixture.py, .* are read but"),
        ({"unit": "examples", "overwrite": True}, "unit of Levanter 'examples'"),
    ):
        with pytest.raises(ReweightvizError, match=sentence):
            LEVANTER.write(
                Mixture.uniform(["web", "code"]), tmp_path / "c.yaml", sources=sources, **options
            )
    (tmp_path / "c.yaml").write_text(SFT.replace("code: 400", "cod: 400"))
    with pytest.raises(
        ReweightvizError, match="mixture_weights names 'cod', which supervised_data"
    ):
        LEVANTER.read(tmp_path / "c.yaml")


def test_the_older_tree_takes_no_weights_for_no_mixture(tmp_path):
    (tmp_path / "c.yaml").write_text("data: {configs: {web: {}, code: {}}}\n")
    with pytest.raises(ReweightvizError, match="has no data.train_weights from step 0 on"):
        LEVANTER.read(tmp_path / "c.yaml")


@pytest.mark.checkout("levanter")
def test_levanters_own_configs_are_read_and_merged(checkouts, tmp_path):
    folder = checkouts / "levanter" / "config"
    for name in ("gpt2_small_fast_mix.yaml", "data/pile_mixture.yaml", "data/marin_dolma.yaml"):
        file = tmp_path / name.replace("/", "-")
        file.write_text((folder / name).read_text())
        mixture = LEVANTER.read(file)
        draft = LEVANTER.draft(
            Mixture.normalized(
                {domain: weight**0.5 for domain, weight in mixture.items() if weight}
            ),
            file,
            merge=True,
        )
        assert len(changes(draft)) == 2 * len([weight for weight in mixture.values() if weight])
    assert list(LEVANTER.read_schedule(folder / "gpt2_small_fast_batch_schedule.yaml")) == [0, 1000]
    assert LEVANTER.read(folder / "gpt2_small_pile_mixture.yaml") == LEVANTER.read(
        folder / "data" / "pile_mixture.yaml"
    )
    sft = LEVANTER.parse(Document.open(folder / "sft_llama3_mixture.yaml"))
    assert sft.unit == "examples" and sft.stages[0]["tulu"] == 939343


def prebuilt_data(folder, files):
    """Return data of the components of these names, of tokens that stand in a file of the folder."""
    form = {"type": "prebuilt"}
    return {
        "tokenizer": "passthrough",
        "vocab_size": 100,
        "enforce_eos": False,
        "cache_dir": str(folder / "cache"),
        "shuffle": False,
        "components": {
            name: {
                "type": "cached",
                "format": form,
                "source": {
                    "type": "url",
                    "train_urls": [str(folder / f"{file}.jsonl")],
                    "format": form,
                },
            }
            for name, file in files.items()
        },
    }


@pytest.mark.framework("transformers4")
@pytest.mark.golden("levanter", "the real marin-levanter 0.2.20: 2,048 sequences of each stage")
def test_levanter_draws_both_stages(tmp_path, load_with, check_order):
    """A block holds whole counts: what is left over of it goes to the largest."""
    names = {"web": 0, "no": 1, "code-1.0/py": 2}
    head = prebuilt_data(tmp_path, names)
    end = Mixture({"web": 0.1, "no": 0.2, "code-1.0/py": 0.7})
    stages = Schedule({0: Mixture({name: MIXTURE[name] for name in names}), 256: end}, steps=512)
    jobs = []
    for number, mixture, options in (
        (0, MIXTURE, {}),
        (1, stages, {}),
        (2, MIXTURE, {"stop_strategy": "first_exhausted"}),
        (3, MIXTURE, {"stop_strategy": "all_exhausted"}),
    ):
        file = tmp_path / f"{number}.yaml"
        file.write_text(
            yaml.safe_dump({"data": head, "trainer": {"train_batch_size": 8}}, sort_keys=False)
        )
        LEVANTER.write(mixture, file, merge=True, **options)
        jobs.append(
            {"config": file, "windows": [[0, 2048], [2048, 4096]][: 2 if number == 1 else 1]}
        )
    for number, weights in enumerate(REFUSED, 4):
        bad = {
            "data": head
            | {
                "train_weights": yaml.safe_load(
                    weights.replace("code", "no").replace("cod:", "absent:")
                )
            }
        }
        (tmp_path / f"{number}.yaml").write_text(
            yaml.safe_dump(bad | {"trainer": {"train_batch_size": 8}})
        )
        jobs.append({"config": tmp_path / f"{number}.yaml", "windows": [[0, 8]]})
    late = Schedule({0: stages[0], 100: end})
    (tmp_path / "late.yaml").write_text(
        yaml.safe_dump(
            {"data": head | {"train_weights": [[s, dict(m)] for s, m in late.items()]}}
            | {"trainer": {"train_batch_size": 8}}
        )
    )
    jobs.append({"config": tmp_path / "late.yaml", "windows": [[0, 8]]})
    found = load_with(
        "levanter_load.py",
        jobs=jobs,
        files={str(tmp_path / f"{token}.jsonl"): [token + 10, 2000] for token in names.values()},
    )

    def expected(mixture) -> dict:
        counts = {str(token + 10): int(mixture[name] * 2048) for name, token in names.items()}
        largest = max(counts, key=counts.get)
        return counts | {largest: counts[largest] + 2048 - sum(counts.values())}

    static, staged, first, every = found[:4]
    assert static["drawn"] == [expected(MIXTURE)] and static["block"] == 2048
    assert staged["drawn"] == [expected(MIXTURE), expected(end)]
    for order, mixture in zip(staged["order"], (MIXTURE, end), strict=True):
        check_order(order, {str(token + 10): mixture[name] for name, token in names.items()})
    assert static["length"] is None and staged["length"] is None, "restart goes on for ever"
    assert first["length"] == pytest.approx(2000 / 0.7, abs=100) and every[
        "length"
    ] == pytest.approx(2000 / 0.1, abs=2048)
    assert all(one.get("error") for one in found[4:]), found[4:]
    assert "must be a multiple of block_size" in found[-1]["error"]


@pytest.mark.framework("transformers4")
@pytest.mark.golden("levanter", "the real marin-levanter 0.2.20: includes, stages and no weights")
def test_levanter_draws_what_is_said_of_includes_stages_and_no_weights(tmp_path, load_with):
    head = prebuilt_data(tmp_path, {name: name for name in ("web", "math")})
    (tmp_path / "inc").mkdir()
    (tmp_path / "inc" / "w.yaml").write_text("{web: 3, math: 1}\n")
    (tmp_path / "inc" / "d.yaml").write_text(
        yaml.safe_dump(head) + "train_weights: !include w.yaml\n"
    )
    trainer = "trainer: {train_batch_size: 8}\n"
    staged = [[0, {"web": 1.0, "math": 3.5e-10}], [256, {"web": 2.4e-10, "math": 0.8}]]
    texts = {
        "included": "data: !include inc/d.yaml\n",
        "staged": yaml.safe_dump({"data": head | {"train_weights": staged}}),
        "none": yaml.safe_dump({"data": head}),
        "twice": yaml.safe_dump({"data": head | {"train_weights": {"web": 1}}})
        + "  train_weights: {web: 1, math: 3}\n",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.yaml").write_text(text + trainer)
    found = load_with(
        "levanter_load.py",
        jobs=[
            {"config": tmp_path / f"{name}.yaml", "windows": [[0, 2048], [2048, 4096]]}
            for name in texts
        ],
        files={str(tmp_path / "web.jsonl"): [11, 3000], str(tmp_path / "math.jsonl"): [12, 3000]},
    )
    assert [one.get("drawn") for one in found] == [
        [{"11": 1536, "12": 512}] * 2,
        [{"11": 2048}, {"12": 2048}],
        [{"11": 1024, "12": 1024}] * 2,
        [{"11": 512, "12": 1536}] * 2,
    ]
    read = LEVANTER.parse(Document.open(tmp_path / "none.yaml"))
    assert "every component has the same weight" in read.traps[0]
    assert LEVANTER.read(tmp_path / "included.yaml") == {"web": 0.75, "math": 0.25}
    assert LEVANTER.read(tmp_path / "twice.yaml") == {"web": 0.25, "math": 0.75}


MARIN = """from marin.processing.tokenize.data_configs import lm_mixture_data_config

WEIGHTS = {"web": 3.85, "code": 0.25}
SMALL = 0.5
config = lm_mixture_data_config(components={"web": web, "code": code, "held": held}, weights=WEIGHTS)
"""


@pytest.mark.parametrize(
    ("text", "stages"),
    [
        (MARIN, {0: {"web": 3.85, "code": 0.25}}),
        ("lm_mixture_data_config(parts(), {'web': 1, 'code': 3})", {0: {"web": 1.0, "code": 3.0}}),
        (
            "lm_varying_mixture_data_config(c, weights_list=[(0, {'web': 1}), (2048, {'code': 1})])",
            {0: {"web": 1.0}, 2048: {"code": 1.0}},
        ),
        ("LmDataConfig(components=c, train_weights={'web': 1})", {0: {"web": 1.0}}),
    ],
)
def test_marins_python_is_read(tmp_path, text, stages):
    (tmp_path / "c.py").write_text(text)
    assert recognise(tmp_path / "c.py").name == "levanter"
    config = LEVANTER.parse(Document.open(tmp_path / "c.py"))
    assert config.stages == stages and not config.refused and not config.traps
    with pytest.raises(ReweightvizError, match="Marin's Python, .* are read but not written"):
        LEVANTER.write(Mixture.uniform(["web", "code"]), tmp_path / "c.py", merge=True)


def test_weights_of_marin_that_are_not_written_out_are_named(tmp_path):
    def read(text):
        (tmp_path / "c.py").write_text(text)
        return LEVANTER.parse(Document.open(tmp_path / "c.py"))

    for text, sentence in (
        (
            "from x import W\nlm_mixture_data_config(components=c, weights=W)",
            "without running it .'W' of line 1 is not written out",
        ),
        ("lm_mixture_data_config(c, {r: m[r] for r in m})", "the loop of line 1 makes"),
        ("LmDataConfig(components=c)", "has no mixture of Marin or Levanter"),
    ):
        with pytest.raises(ReweightvizError, match=sentence):
            read(text)
    assert read(MARIN.replace("code: code", "")).stages
    assert (
        "'code', which components does not hold"
        in read(MARIN.replace('"code": code, ', "")).refused[0]
    )
    twice = read(MARIN + "other = lm_mixture_data_config(components=c, weights={'a': 1})\n")
    assert twice.traps[0].startswith("The file has more than one mixture of Marin")


def test_the_strategy_that_ends_the_data_is_known(tmp_path):
    file = tmp_path / "train.yaml"
    file.write_text(
        "data:\n  tokenizer: gpt2\n  stop_strategy: first_exhausted\n  components:\n"
        "    web: {source: {type: url, train_urls: [w.jsonl]}}\n"
        "    code: {source: {type: url, train_urls: [c.jsonl]}}\n"
        "  train_weights: {web: 0.5, code: 0.5}\n"
    )
    report = rv.check(file, sources={"web": 1e6, "code": 4e6}, tokens=4e6)
    assert report.table["epochs"].tolist() == [1.0, 0.25]
    assert "ends when 'web' is used up, at 2e+06 of 4e+06 tokens" in " ".join(report.traps)
