"""MosaicML Streaming: units, merges, what it refuses, and epochs drawn by the real library."""

from __future__ import annotations

import pytest
import yaml

from reweightviz.core.errors import ReweightvizError, ReweightvizWarning
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Source, Sources
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks.streaming import Streaming

STREAMING = Streaming()
MIXTURE = Mixture({"web": 0.7, "code": 0.2, "no": 0.1, "spam": 0.0}, source={"method": "test"})
SOURCES = Sources(
    {
        "web": Source(8e6, 8e4, ("s3://b/web",)),
        "code": Source(4e6, 1e4, ("/data/code",)),
        "no": Source(1e6, 1e4),
        "spam": Source(1e6, 1e4, ("/data/spam",)),
    }
)


def loaded(path):
    return yaml.safe_load(path.read_text("utf-8"))


def test_streams_have_places_and_shares(tmp_path):
    file = STREAMING.write(
        MIXTURE,
        tmp_path / "mix.yaml",
        sources=SOURCES,
        split="train",
        epoch_size=2000,
        batching_method="stratified",
    )
    assert loaded(file) == {
        "streams": {
            "web": {
                "remote": "s3://b/web",
                "local": "cache/web",
                "split": "train",
                "proportion": 0.7,
            },
            "code": {"local": "/data/code", "split": "train", "proportion": 0.2},
            "no": {"local": "cache/no", "split": "train", "proportion": 0.1},
        },
        "epoch_size": 2000,
        "batching_method": "stratified",
        "shuffle": True,
    }
    text = file.read_text("utf-8")
    assert "Left out, their weight is 0: 'spam'" in text and '"no":' in text


def test_examples_and_copies_are_other_numbers_of_the_same_mixture(tmp_path):
    documents = loaded(
        STREAMING.write(MIXTURE, tmp_path / "e.yaml", sources=SOURCES, unit="examples")
    )["streams"]
    ratios = {
        name: one["proportion"] / documents["web"]["proportion"] for name, one in documents.items()
    }
    assert ratios == pytest.approx({"web": 1, "code": 0.2 / 400 / (0.7 / 100), "no": 1 / 7})
    copies = STREAMING.write(
        MIXTURE, tmp_path / "c.yaml", sources=SOURCES, unit="copies", tokens=1e6
    )
    assert {
        name: one["repeat"] for name, one in loaded(copies)["streams"].items()
    } == pytest.approx({"web": 0.7 / 8, "code": 0.2 / 4, "no": 0.1})
    for name in ("e", "c"):
        assert STREAMING.read(tmp_path / f"{name}.yaml").array == pytest.approx(MIXTURE.array)
    with pytest.raises(ReweightvizError, match="no epoch_size beside repeat"):
        STREAMING.write(
            MIXTURE, tmp_path / "x.yaml", sources=SOURCES, unit="copies", tokens=1e6, epoch_size=10
        )


def test_names_stay_below_the_cache_and_options_are_checked(tmp_path):
    streams = loaded(
        STREAMING.write(Mixture.uniform(["..", "a/b", "../etc", "x" * 300]), tmp_path / "m.yaml")
    )["streams"]
    for one in streams.values():
        assert (
            one["local"].startswith("cache/")
            and one["local"].count("/") == 1
            and ".." not in one["local"]
        )
        assert len(one["local"]) < 110
    with pytest.raises(
        ReweightvizError, match="no batching_method 'per_streem'; did you mean 'per_stream'"
    ):
        STREAMING.write(MIXTURE, tmp_path / "n.yaml", batching_method="per_streem")
    with pytest.raises(
        ReweightvizError,
        match="Streaming reads one MDS folder a stream; sources= has 2 paths for 'web'",
    ):
        STREAMING.write(
            Mixture({"web": 1.0}), tmp_path / "n.yaml", sources={"web": Source(1.0, 1, ("a", "b"))}
        )


THEIRS = """\
# the streams of our team
defaults: &streams-are
  download_retry: 3
streams:
  web: {<<: *streams-are, remote: 's3://b/web', local: /cache/web, proportion: 0.5}   # crawled
  code:
    remote: s3://b/code
    local: /cache/code
    keep_zip: true
    proportion: 0.4
  spam: {local: /cache/spam, proportion: 0.1}
shuffle: true
epoch_size: 10k
"""


def test_a_merge_changes_the_proportions_alone(tmp_path):
    file = tmp_path / "mix.yaml"
    file.write_text(THEIRS)
    draft = STREAMING.draft(
        Mixture({"web": 0.25, "code": 0.5, "math": 0.25, "spam": 0.0}), file, merge=True
    )
    changed = [
        line
        for line in draft.diff().splitlines()
        if line[0] in "+-" and line[:3] not in {"+++", "---"}
    ]
    assert changed == [
        "-  web: {<<: *streams-are, remote: 's3://b/web', local: /cache/web, proportion: 0.5}   # crawled",
        "+  web: {<<: *streams-are, remote: 's3://b/web', local: /cache/web, proportion: 0.25}  # crawled",
        "-    proportion: 0.4",
        "-  spam: {local: /cache/spam, proportion: 0.1}",
        "+    proportion: 0.5",
        "+  math:",
        '+    local: "cache/math"',
        "+    proportion: 0.25",
    ]
    draft.save()
    assert loaded(file)["streams"]["web"]["download_retry"] == 3
    assert dict(STREAMING.read(file)) == {"web": 0.25, "code": 0.5, "math": 0.25, "spam": 0.0}


def test_keys_that_yaml_takes_for_numbers_are_names_and_keep_their_remote(tmp_path):
    file = tmp_path / "mix.yaml"
    text = "streams:\n" + "".join(
        f"  {year}:\n    remote: s3://b/{year}\n    local: /c/{year}\n    proportion: 0.5\n"
        for year in (2023, 2024)
    )
    file.write_text(text)
    draft = STREAMING.draft(Mixture({"2023": 0.75, "2024": 0.25}), file, merge=True)
    assert [line for line in draft.diff().splitlines()[3:] if line[0] in "+-"] == [
        "-    proportion: 0.5",
        "+    proportion: 0.75",
        "-    proportion: 0.5",
        "+    proportion: 0.25",
        "+shuffle: true",
    ]


@pytest.mark.parametrize(
    ("path", "places"),
    [
        ("oci://b/web", {"remote": "oci://b/web", "local": "cache/web"}),
        ("hf://datasets/o/web", {"remote": "hf://datasets/o/web", "local": "cache/web"}),
        ("dbfs:/Volumes/a/web", {"remote": "dbfs:/Volumes/a/web", "local": "cache/web"}),
        ("/d/web", {"local": "/d/web"}),
        ("C:/web", {"local": "C:/web"}),
    ],
)
def test_a_remote_path_is_remote_and_a_local_one_local(tmp_path, path, places):
    file = STREAMING.write(
        Mixture({"web": 1.0}), tmp_path / "mix.yaml", sources={"web": Source(1e6, 1e4, (path,))}
    )
    assert loaded(file)["streams"]["web"] == places | {"proportion": 1.0}


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/d/web.jsonl.gz", "reads folders of MDS shards, not files of text"),
        (
            "s3://b/web.npy",
            "Streaming reads one MDS folder a stream; sources= has the file 's3://b/web.npy' for 'web'",
        ),
        ("s3://b/web.zip", "sources= has the file 's3://b/web.zip' for 'web'"),
        ("s3://b/web.warc", "sources= has the file 's3://b/web.warc' for 'web'"),
        ("s3://b/web.warc.gz", "sources= has the file 's3://b/web.warc.gz' for 'web'"),
    ],
)
def test_files_are_no_streams(tmp_path, path, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        STREAMING.write(
            Mixture({"web": 1.0}), tmp_path / "mix.yaml", sources={"web": Source(1e6, 1e4, (path,))}
        )


def test_choices_are_read_and_become_proportions_of_as_many_samples(tmp_path):
    file = tmp_path / "mix.yaml"
    file.write_text("streams:\n  web: {local: a, choose: 700}\n  code: {local: b, choose: 300}\n")
    assert dict(STREAMING.read(file)) == {"web": 0.7, "code": 0.3}
    STREAMING.write(Mixture({"web": 0.5, "code": 0.5}), file, merge=True)
    assert loaded(file) == {
        "streams": {
            "web": {"local": "a", "proportion": 0.5},
            "code": {"local": "b", "proportion": 0.5},
        },
        "epoch_size": 1000,
        "shuffle": True,
    }


TWO = "streams:\n  A: {local: a, proportion: 0.5}\n  B: {local: b, proportion: 0.5}\n"
UNMIXED = "an epoch passes through one stream after the other"


@pytest.mark.parametrize(
    ("beside", "mixed"),
    [
        ("", False),
        ("shuffle: false", False),
        ("batching_method: random", False),
        ("shuffle: true", True),
        # Every other method draws its batches of all streams, as the real library was seen to do.
        ("batching_method: stratified", True),
        ("batching_method: per_stream", True),
        ("{shuffle: false, batching_method: device_per_stream}", True),
    ],
)
def test_streams_that_nothing_mixes_are_a_trap(tmp_path, beside, mixed):
    file = tmp_path / "mix.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(TWO) | (yaml.safe_load(beside) or {})))
    said = [trap for trap in STREAMING.parse(Document.open(file)).traps if UNMIXED in trap]
    assert len(said) == (not mixed)
    file.write_text("streams: {A: {local: a, proportion: 1}}\n")
    assert not STREAMING.parse(Document.open(file)).traps


def test_a_merge_shuffles_unless_a_person_wrote_false(tmp_path):
    file = tmp_path / "mix.yaml"
    file.write_text(TWO)
    STREAMING.write(Mixture({"A": 0.75, "B": 0.25}), file, merge=True)
    assert loaded(file)["shuffle"] is True
    file.write_text(f"{TWO}shuffle: false\n")
    with pytest.warns(ReweightvizWarning, match=UNMIXED):
        STREAMING.write(Mixture({"A": 0.75, "B": 0.25}), file, merge=True)
    assert loaded(file)["shuffle"] is False
    file.write_text(f"{TWO}batching_method: stratified\n")
    STREAMING.write(Mixture({"A": 0.75, "B": 0.25}), file, merge=True)
    assert "shuffle" not in loaded(file)


def test_repeats_or_none_go_by_the_sizes(tmp_path):
    file = tmp_path / "mix.yaml"
    file.write_text("streams:\n  web: {local: a, repeat: 0.5}\n  code: {local: b}\n")
    with pytest.raises(ReweightvizError, match="need the tokens of 'web', 'code': pass sources="):
        STREAMING.read(file)
    assert dict(STREAMING.read(file, sources=SOURCES)) == pytest.approx({"web": 0.5, "code": 0.5})
    file.write_text("streams:\n  web: {local: a}\n  code: {local: b}\n")
    assert dict(STREAMING.read(file, sources=SOURCES)) == pytest.approx(
        {"web": 2 / 3, "code": 1 / 3}
    )


REFUSED = {
    "{web: {local: a, proportion: 0.7}, code: {local: b, repeat: 2}}": "proportion cannot be mixed",
    "{web: {local: a, proportion: 0.7}, code: {local: b}}": "proportion cannot be mixed",
    "{web: {local: a, proportion: 0.7, choose: 3}, code: {local: b}}": "one of proportion, repeat and choose; 'web' has more",
    "{web: {local: a, proportion: -1}, code: {local: b, proportion: 2}}": "must be numbers >= 0",
    "{web: {local: a, proportion: 0.5}, code: {local: a, proportion: 0.5}}": "streams share the local folder 'a'",
}
SAID_ONLY = {
    "{web: {local: a, choose: 5}, code: {local: b, repeat: 2}}": "some streams say choose and others do not",
    "{web: 0.7, code: 0.3}": "each stream must map",
    "{web: {local: a, proportion: .nan}, code: {local: b, proportion: 1}}": "must be numbers >= 0",
}


@pytest.mark.parametrize(("streams", "sentence"), [*REFUSED.items(), *SAID_ONLY.items()])
def test_what_streaming_refuses_is_said(tmp_path, streams, sentence):
    file = tmp_path / "mix.yaml"
    file.write_text(f"streams: {streams}\n")
    with pytest.raises(ReweightvizError, match=sentence):
        STREAMING.read(file)
    assert STREAMING.recognises(Document.open(file)) == ("local" in streams)


@pytest.mark.parametrize(
    ("beside", "sentence"),
    [
        ("epoch_size: 5", "epoch_size stands beside choose"),
        ("remote: s3://x", "local or remote"),
        ("batching_method: mixed", "batching_method must be one of 'random'"),
    ],
)
def test_keys_beside_the_streams_are_checked(tmp_path, beside, sentence):
    file = tmp_path / "mix.yaml"
    file.write_text(f"streams: {{web: {{local: a, choose: 5}}}}\n{beside}\n")
    with pytest.raises(ReweightvizError, match=sentence):
        STREAMING.read(file)


@pytest.mark.framework("transformers4")
@pytest.mark.golden(
    "streaming", "the real mosaicml-streaming 0.13.0: epochs of 2,000 samples in three units"
)
def test_streaming_draws_the_mixture(tmp_path, load_with, check_order):
    """The counts of an epoch are exact, to the one sample that Streaming hands out at random."""
    lengths = {"web": 10, "code": 40, "no": 20}
    sources = Sources(
        {
            name: Source(600 * length, 600, (str(tmp_path / name),))
            for name, length in (lengths | {"spam": 10}).items()
        }
    )
    packed, packed_sources = {}, {}
    for name in lengths:
        packed_sources[name] = Source(600 * 16, 600, (str(tmp_path / f"{name}-packed"),))
    folders = {
        sources[name].paths[0]: [place, 600, length]
        for place, (name, length) in enumerate(lengths.items())
    }
    folders |= {
        source.paths[0]: [place, 600, 16] for place, source in enumerate(packed_sources.values())
    }
    for method in ("random", "per_stream"):
        packed[method] = STREAMING.write(
            MIXTURE,
            tmp_path / f"{method}.yaml",
            sources=packed_sources,
            epoch_size=2000,
            batching_method=method,
        )
    examples = STREAMING.write(
        MIXTURE, tmp_path / "e.yaml", sources=sources, unit="examples", epoch_size=2000
    )
    copies = STREAMING.write(
        MIXTURE, tmp_path / "c.yaml", sources=sources, unit="copies", tokens=30_000
    )
    still = tmp_path / "unshuffled.yaml"
    still.write_text(packed["random"].read_text().replace("shuffle: true", "shuffle: false"))
    refused = []
    for place, streams in enumerate(REFUSED):
        refused.append(tmp_path / f"refused-{place}.yaml")
        placed = streams.replace("local: a", f"local: {sources['web'].paths[0]}").replace(
            "local: b", f"local: {sources['code'].paths[0]}"
        )
        refused[-1].write_text(f"streams: {placed}\n")
    for method in ("stratified", "per_stream", "device_per_stream"):
        refused.append(tmp_path / f"empty-{method}.yaml")
        content = loaded(packed["random"]) | {"batching_method": method}
        content["streams"]["no"]["proportion"] = 0
        refused[-1].write_text(yaml.safe_dump(content))
        [sentence] = STREAMING.parse(Document.open(refused[-1])).refused
        assert f"batching_method {method} needs samples of every stream" in sentence
    found = load_with(
        "streaming_load.py",
        folders=folders,
        configs=[*packed.values(), examples, copies, still, *refused],
    )
    weights = [MIXTURE[name] for name in lengths]
    random, per_stream, by_document, by_copies, unshuffled, *refusals = found
    assert [random["samples"][str(place)] for place in range(3)] == pytest.approx(
        [2000 * weight for weight in weights], abs=1
    )
    assert [per_stream["samples"][str(place)] for place in range(3)] == pytest.approx(
        [2000 * weight for weight in weights], abs=8
    )
    asked = [one["proportion"] for one in loaded(examples)["streams"].values()]
    assert [by_document["samples"][str(place)] for place in range(3)] == pytest.approx(
        [2000 * share for share in asked], abs=1
    )
    for drawn in (random, by_document, by_copies):
        total = sum(drawn["tokens"].values())
        assert [drawn["tokens"][str(place)] / total for place in range(3)] == pytest.approx(
            weights, abs=2e-3
        )
    assert sum(by_copies["tokens"].values()) == pytest.approx(30_000, rel=2e-3)
    shares = {str(place): weight for place, weight in enumerate(weights)}
    check_order(random["order"], shares)
    # Whole batches of eight samples come of one stream.
    eights = [{name: count // 8 for name, count in part.items()} for part in per_stream["order"]]
    check_order(eights, shares)
    check_order(by_document["order"], {str(place): share for place, share in enumerate(asked)})
    check_order(by_copies["order"], by_copies["samples"])
    with pytest.raises(AssertionError):
        check_order(unshuffled["order"], shares)
    assert all("error" in one for one in refusals), refusals
