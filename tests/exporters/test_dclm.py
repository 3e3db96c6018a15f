"""DCLM and open_lm: sampling frequencies and manifests, against open_lm's own code."""

from __future__ import annotations

import json
import math

import pytest
import yaml

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Source, Sources
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks.dclm import Dclm

DCLM = Dclm()
MIXTURE = Mixture({"web": 0.7, "code": 0.2, "math": 0.1, "spam": 0.0}, source={"method": "test"})
SOURCES = Sources(
    {
        "web": Source(8e9, 8e6, ("s3://bucket/crawl/web/",)),
        "code": Source(1e9, 1e6, ("s3://bucket/crawl/web-code/",)),
        "math": Source(1e8, 1e5),
        "spam": Source(1e9, 1e6),
    }
)


def loaded(path):
    return yaml.safe_load(path.read_text("utf-8"))


def test_frequencies_are_passes_at_the_budget_and_markers_are_keys(tmp_path):
    file = DCLM.write(MIXTURE, tmp_path / "mix.yaml", sources=SOURCES, tokens=2e9)
    found = loaded(file)
    assert found["sampling_frequencies"] == pytest.approx(
        {"web": 0.175, "code": 0.4, "math": 2.0, "UNKNOWN": 0}
    )
    assert found["sources"] == [
        {"source": "code", "markers": ["crawl/web-code/"]},
        {"source": "web", "markers": ["crawl/web/"]},
        {"source": "math", "markers": ["math"]},
        {"source": "UNKNOWN", "markers": []},
    ]
    assert DCLM.read(file).array == pytest.approx(MIXTURE.array)
    with pytest.raises(ReweightvizError, match="sources= must give tokens of 'web'"):
        DCLM.write(MIXTURE, tmp_path / "x.yaml")
    with pytest.raises(
        ReweightvizError, match="no form of DCLM 'frequency'; did you mean 'frequencies'"
    ):
        DCLM.write(MIXTURE, tmp_path / "x.yaml", sources=SOURCES, form="frequency")
    with pytest.raises(ReweightvizError, match="no unit of DCLM's frequencies 'tokens'"):
        DCLM.write(MIXTURE, tmp_path / "x.yaml", sources=SOURCES, unit="tokens")


def test_names_that_an_enumeration_keeps_for_itself_become_slugs(tmp_path):
    names = ["mro", "get_source", "UNKNOWN", "_a_", "ok"]
    file = DCLM.write(
        Mixture.uniform(names), tmp_path / "mix.yaml", sources=dict.fromkeys(names, 1e9)
    )
    written = [row["source"] for row in loaded(file)["sources"]]
    assert {"UNKNOWN", "ok"} <= set(written) and not {"mro", "get_source", "_a_"} & set(written)
    assert set(DCLM.read(file)) == set(names)


THEIRS = """\
sources:
  - source: "LMDATA"
    markers: ["lmdata"]
  - source: "GITHUB"
    markers: ["github"]
  - source: "BOOKS"
    markers: ["book"]
  - source: "UNKNOWN"
    markers: []  # No specific markers for UNKNOWN

sampling_frequencies:
  GITHUB: 0.9228813559
  BOOKS: 2.094230769
  LMDATA: 1.0
  UNKNOWN: 0
"""


def test_a_merge_changes_the_frequencies_alone_and_keeps_what_the_code_asks_for(tmp_path):
    file = tmp_path / "rpj.yaml"
    file.write_text(THEIRS)
    sources = Sources(
        {
            "GITHUB": Source(1e9),
            "BOOKS": Source(5e8),
            "LMDATA": Source(1e9),
            "MATH": Source(1e9, paths=("math/",)),
        }
    )
    assert DCLM.read(file, sources=sources)["BOOKS"] == pytest.approx(
        2.094230769 * 0.5 / (0.9228813559 + 2.094230769 * 0.5 + 1)
    )
    draft = DCLM.draft(
        Mixture({"GITHUB": 0.5, "BOOKS": 0.25, "MATH": 0.25, "LMDATA": 0.0}),
        file,
        sources=sources,
        tokens=1e9,
        merge=True,
    )
    changed = [
        line
        for line in draft.diff().splitlines()
        if line[0] in "+-" and line[:3] not in {"+++", "---"}
    ]
    assert changed == [
        '+  - source: "MATH"',
        "+    markers:",
        '+      - "math/"',
        "-  GITHUB: 0.9228813559",
        "-  BOOKS: 2.094230769",
        "-  LMDATA: 1.0",
        "+  GITHUB: 0.5",
        "+  BOOKS: 0.5",
        "+  LMDATA: 0",
        "+  MATH: 0.25",
    ]
    draft.save()
    assert DCLM.read(file).array == pytest.approx([0.5, 0.25, 0.25, 0.0])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            ('  - source: "UNKNOWN"\n    markers: []', '  - source: "OTHER"\n    markers: []'),
            "needs 'UNKNOWN'",
        ),
        (
            ("  GITHUB: 0.9", "  GITLAB: 0.9"),
            "'GITLAB' has a sampling frequency but is not in the list",
        ),
        (
            ("  LMDATA: 1.0\n", ""),
            "'LMDATA' is in the list of sources but has no sampling frequency",
        ),
        (("BOOKS: 2.0", "BOOKS: -2.0"), "'BOOKS' needs a sampling frequency >= 0"),
        (('["lmdata"]', '["git"]'), "files of 'GITHUB' count as 'LMDATA', which comes first"),
        (
            ('source: "BOOKS"', 'source: "GITHUB"'),
            "'BOOKS' has a sampling frequency but is not in the list",
        ),
        (("sources:", "sourcess:"), "the list of sources needs 'UNKNOWN'"),
    ],
)
def test_what_tokenize_shuffle_would_refuse_or_misread_is_said(tmp_path, change, sentence):
    (tmp_path / "rpj.yaml").write_text(THEIRS.replace(*change))
    document = Document.open(tmp_path / "rpj.yaml")
    assert DCLM.recognises(document)
    assert any(sentence in found for found in DCLM.parse(document).refused), DCLM.parse(
        document
    ).refused


def test_a_source_of_dclm_that_stands_twice_has_all_its_markers(tmp_path):
    """Its Enum is made of a dictionary, and the first entry with a marker in the path counts."""
    (tmp_path / "c.yaml").write_text(
        "sources: [{source: A, markers: [a]}, {source: A, markers: [b]}, {source: UNKNOWN, markers: []}]\n"
        "sampling_frequencies: {A: 1.5, UNKNOWN: 0}\n"
    )
    config = DCLM.parse(Document.open(tmp_path / "c.yaml"))
    assert config.stages == {0: {"A": 1.5}} and not config.refused


def manifests(folder, sizes: dict) -> Sources:
    rows = {}
    for name, shards in sizes.items():
        (folder / name).mkdir()
        path = folder / name / "manifest.jsonl"
        path.write_text(
            "".join(
                json.dumps({"shard": f"{place:08d}", "num_sequences": size}) + "\n"
                for place, size in enumerate(shards)
            )
        )
        rows[name] = Source(1e9, 1e6, (str(path),))
    return Sources(rows)


def test_manifests_of_equal_shards_lose_the_weights_and_are_refused(tmp_path):
    """The weights are in the arguments, and open_lm trains on a third of each."""
    mixture = Mixture({"web": 0.7, "code": 0.2, "math": 0.1})
    sources = manifests(tmp_path, dict.fromkeys(mixture, [100] * 40))
    with pytest.raises(
        ReweightvizError,
        match="one shard of every manifest in turn, whatever the weights: these manifests give "
        "33.3 %, 33.3 %, 33.3 %, not 70 %, 20 %, 10 %. Use form='frequencies'",
    ):
        DCLM.write(mixture, tmp_path / "args.txt", sources=sources, form="manifest")
    names = " ".join(source.paths[0] for source in sources.values())
    (tmp_path / "args.sh").write_text(
        f"torchrun -m open_lm.main \\\n  --dataset-manifest {names} \\\n  --train-data-mix-weights 0.7 0.2 0.1 "
        "\\\n  --train-num-samples 2000 --workers 1\n"
    )
    document = Document.open(tmp_path / "args.sh")
    assert DCLM.recognises(document)
    assert dict(DCLM.read(tmp_path / "args.sh")) == pytest.approx(dict.fromkeys(mixture, 1 / 3))
    assert (
        "trains on 33.3 %, 33.3 %, 33.3 %, not on 70 %, 20 %, 10 %" in DCLM.parse(document).traps[0]
    )


def test_manifests_of_shards_in_proportion_are_written(tmp_path):
    mixture = Mixture({"web": 0.7, "code": 0.2, "math": 0.1})
    sources = manifests(tmp_path, {"web": [701] * 40, "code": [199] * 40, "math": [100] * 30})
    file = DCLM.write(
        mixture, tmp_path / "args.txt", sources=sources, form="manifest", train_num_samples=2000
    )
    assert "Shares that the shards give: 70.1 %, 19.9 %, 10 %." in file.read_text()
    assert dict(DCLM.read(file)) == pytest.approx({"web": 0.701, "code": 0.199, "math": 0.1})
    with pytest.raises(
        ReweightvizError, match="the shortest manifest has 30 shards, too few for 90000 samples"
    ):
        DCLM.write(
            mixture,
            tmp_path / "more.txt",
            sources=sources,
            form="manifest",
            train_num_samples=90_000,
        )
    (tmp_path / "math" / "manifest.jsonl").unlink()
    with pytest.raises(
        ReweightvizError,
        match="whatever the weights: cannot read .*math/manifest.jsonl: No such file",
    ):
        DCLM.read(file)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "--dataset-manifest a b --train-data-mix-weights 0.7",
            "one number >= 0 for each of 2 sources",
        ),
        (
            "--dataset-manifest a b --train-data-mix-weights 0.7::0.3",
            "one number >= 0 for each of 2 sources",
        ),
        (
            "--train-data a b --train-data-mix-weights 0.7 0.3",
            "without --train-num-samples open_lm goes by the sizes",
        ),
        ("--train-data-mix-weights 0.7 0.3", "neither sampling_frequencies nor --dataset-manifest"),
        ("--dataset-manifest 'a --train-data-mix-weights 0.7", "cannot be read as arguments"),
    ],
)
def test_arguments_that_mix_nothing_are_said(tmp_path, text, sentence):
    (tmp_path / "args.sh").write_text(text)
    with pytest.raises(ReweightvizError, match=sentence):
        DCLM.read(tmp_path / "args.sh")


def test_shards_drawn_with_replacement_follow_the_weights(tmp_path):
    urls = [f"pipe:aws s3 cp s3://b/{name}/shard_{{000..099}}.tar -" for name in ("rpj", "no_rpj")]
    (tmp_path / "train.sh").write_text(
        f'srun python -m open_lm.main \\\n    --train-num-samples 25000000 \\\n    --train-data "{urls[0]}" '
        f'"{urls[1]}" \\\n    --train-data-mix-weights 0.725 0.275 \\\n    --dataset-resampled\n'
    )
    assert dict(DCLM.read(tmp_path / "train.sh")) == {"rpj": 0.725, "no_rpj": 0.275}
    (tmp_path / "c.yaml").write_text(
        f"train-data: {json.dumps(urls)}\ntrain-data-mix-weights: [0.725, 0.275]\ntrain-num-samples: 25_000\n"
    )
    assert dict(DCLM.read(tmp_path / "c.yaml")) == {"rpj": 0.725, "no_rpj": 0.275}


@pytest.mark.checkout("open_lm")
def test_open_lms_own_files_are_read(checkouts, tmp_path):
    folder = checkouts / "open_lm"
    table = folder / "open_lm" / "datapreprocess" / "metadata" / "rpj_lm_data.yaml"
    names = [name for name, value in loaded(table)["sampling_frequencies"].items() if value]
    assert set(DCLM.read(table, sources=dict.fromkeys(names, 1e9))) == set(names)
    assert list(DCLM.read(folder / "scripts" / "train_example.sh").values()) == [0.725, 0.275]


@pytest.mark.framework("transformers4")
@pytest.mark.checkout("open_lm")
@pytest.mark.golden(
    "dclm",
    "its source mlfoundations/open_lm@9bb92ef, stand-ins for jsonlines, loguru, webdataset, xformers and the "
    "tokenizer: 2,000 sequences a source and the shards of three manifests",
)
def test_open_lm_samples_the_mixture_and_takes_the_shards_that_are_read(
    tmp_path, load_with, checkouts, monkeypatch
):
    monkeypatch.setenv("PYTHONHASHSEED", "0")  # open_lm seeds by the hash of a file's path
    length, documents = 16, 2000
    sources = {
        name: Source(length * documents, documents, (str(tmp_path / "data" / name),))
        for name in MIXTURE
        if MIXTURE[name]
    }
    mixture = Mixture({name: MIXTURE[name] for name in sources})
    config = DCLM.write(
        mixture, tmp_path / "mix.yaml", sources=sources, tokens=2 * length * documents
    )
    files = {
        f"{source.paths[0]}/part.jsonl": [token, documents]
        for token, source in enumerate(sources.values())
    }
    equal, uneven, sized = (tmp_path / name for name in ("equal", "uneven", "sized"))
    arguments = []
    for folder, sizes in (
        (equal, {name: [100] * 40 for name in mixture}),
        (sized, {"web": [70] * 40, "code": [20] * 40, "math": [10] * 40}),
        (uneven, {"web": [300, 50, 100] * 12, "code": [100] * 40, "math": [10, 400] * 20}),
    ):
        folder.mkdir()
        paths = [source.paths[0] for source in manifests(folder, sizes).values()]
        for workers in (1, 4):
            arguments.append(tmp_path / f"{folder.name}-{workers}.txt")
            arguments[-1].write_text(
                f"--dataset-manifest {' '.join(paths)} --train-data-mix-weights 0.7 0.2 0.1 "
                f"--train-num-samples 2000 --workers {workers}\n"
            )
    found = load_with(
        "dclm_load.py",
        checkout=checkouts / "open_lm",
        config=config,
        files=files,
        length=length,
        arguments=arguments,
    )
    frequencies = loaded(config)["sampling_frequencies"]
    for token, name in enumerate(sources):
        asked, part = frequencies[name] * documents, frequencies[name] % 1
        assert (
            abs(found["tokenised"][str(token)] - asked)
            <= 4 * math.sqrt(documents * part * (1 - part)) + 2
        )
    total = sum(found["tokenised"].values())
    for token, name in enumerate(sources):
        assert found["tokenised"][str(token)] / total == pytest.approx(mixture[name], abs=0.02)
    assert found["shards"][0]["samples"] == [1500, 1500, 1500], "the weights are ignored"
    for file, drawn in zip(arguments, found["shards"], strict=True):
        assert drawn["weights"] == [0.7, 0.2, 0.1]
        assert list(DCLM.read(file).values()) == pytest.approx(
            [samples / sum(drawn["samples"]) for samples in drawn["samples"]]
        )
