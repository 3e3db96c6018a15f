"""Megatron: every form of the blend, phases, what it would misread, and the real megatron-core drawing from the files."""

from __future__ import annotations

import json

import pytest

from reweightviz import exporters
from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.core.schedule import Schedule
from reweightviz.core.sources import Source, Sources
from reweightviz.exporters.document import Document

MEGATRON = exporters.find("megatron")
MIXTURE = Mixture(
    {"web": 0.7, 'co"de: no': 0.2, "🦜 math": 0.1, "spam": 0.0}, source={"method": "test"}
)
DRAWS = 2000


@pytest.mark.golden(
    "megatron",
    "the real megatron-core 0.16.1: 2,000 draws of each form and phase, exact to one sample",
)
@pytest.mark.framework("core")
def test_megatron_core_draws_the_asked_share_of_sequences(tmp_path, load_with, check_order):
    prefixes = [
        str(tmp_path / name)
        for name in ("web_text_document", "code_text_document", "é_text_document")
    ]
    sources = Sources(dict.fromkeys(MIXTURE, 1e6)).with_paths(
        dict(zip(MIXTURE, prefixes, strict=False))
    )
    late = Mixture({"web": 0.1, 'co"de: no': 0.2, "🦜 math": 0.7, "spam": 0.0})
    files = {
        form: MEGATRON.write(MIXTURE, tmp_path / f"blend.{form}", sources=sources, form=form)
        for form in ("text", "per_split", "arguments")
    }
    phases = MEGATRON.write(
        Schedule({0: MIXTURE, 1000: late}), tmp_path / "phases", sources=sources
    )
    found = load_with(
        "megatron_load.py", prefixes=prefixes, draws=DRAWS, **files, phase=phases / "phase-1.txt"
    )
    order = found["order"]
    # Without weights every dataset comes once, all here of one size.
    unweighted = found["counts"].pop("unweighted")
    assert len(set(unweighted)) == 1 and sum(unweighted) < DRAWS
    check_order(order.pop("unweighted"), {"1": 1, "2": 1, "3": 1})
    assert found["counts"].pop("twice") == pytest.approx([0.7 * DRAWS, 0.3 * DRAWS], abs=1)
    check_order(order.pop("twice"), {"1": 0.7, "2": 0.3})
    names = ("web", 'co"de: no', "🦜 math")
    for form, parts in order.items():
        asked = late if form == "phase" else MIXTURE
        check_order(parts, {str(token): asked[name] for token, name in enumerate(names, 1)})
    for form, counts in found["counts"].items():
        assert sum(counts) == DRAWS
        for count, name in zip(counts, ("web", 'co"de: no', "🦜 math"), strict=True):
            assert abs(count - (late if form == "phase" else MIXTURE)[name] * DRAWS) <= 1, found
    assert len(found["counts"]) == 4
    for file in files.values():
        assert MEGATRON.read(file) == MIXTURE
    assert dict(MEGATRON.read_schedule(phases)) == {0: MIXTURE, 1000: late}


def test_a_command_line_is_read(tmp_path):
    (tmp_path / "run.sh").write_text(
        "torchrun pretrain_gpt.py --seq-length 4096 \\\n  --data-path 3 '/my data/web_text_document' \\\n 1 /d/code \\\n --split 99,1,0\n"
    )
    assert dict(MEGATRON.read(tmp_path / "run.sh")) == {"web": 0.75, "code": 0.25}
    assert MEGATRON.recognises(MEGATRON.open(tmp_path / "run.sh"))


def test_the_variables_of_a_script_are_followed(tmp_path):
    script = tmp_path / "pretrain.sh"
    script.write_text(
        '#!/bin/bash\nDATA=/my/data\nDATA_PATH="0.6 $DATA/web_text_document 0.4 $DATA/code_text_document"\n'
        "DATA_ARGS=(\n    --data-path $DATA_PATH\n    --split 99,1,0\n)\ntorchrun pretrain_gpt.py ${DATA_ARGS[@]}\n"
    )
    assert MEGATRON.recognises(MEGATRON.open(script))
    assert dict(MEGATRON.read(script)) == {"web": 0.6, "code": 0.4}
    script.write_text(
        "torchrun pretrain_gpt.py --data-path 0.6 $DATA/web_text_document 0.4 $DATA/code_text_document --split 99,1,0\n"
    )
    assert list(MEGATRON.parse(MEGATRON.open(script)).stages[0]) == [
        "$DATA/web_text_document",
        "$DATA/code_text_document",
    ]
    for text in (
        "torchrun pretrain_gpt.py --data-path $DATA_PATH",
        "torchrun pretrain_gpt.py --data-path 0.6 /d/web $W /d/code",
    ):
        script.write_text(text)
        with pytest.raises(
            ReweightvizError,
            match=r"takes the words of --data-path from '\$(DATA_PATH|W)', which it does not set by plain assignments: write",
        ):
            MEGATRON.read(script)
        assert MEGATRON.recognises(MEGATRON.open(script))


@pytest.mark.parametrize(
    ("name", "text", "true"),
    [
        ("blend.txt", "0.7 /d/web 0.3 /d/code", True),
        ("blend.txt", "0.7 web_text_document\n0.3 code_text_document", True),
        ("blend", "0.7 /d/web 0.3", True),
        ("blend", "0.7 web 0.3 code", False),
        ("blend", "0.5 there 0.5 there", True),
        ("notes.txt", "2024 report on things to do", False),
        ("n.txt", "1 2\n3 4\n", False),
        ("n.txt", "1\n2\n3\n", False),
        ("log", "0.5 foo 0.7 bar", False),
        ("dates.txt", "3 on 2024/05 1 off", False),
        ("run.sh", "python train.py --data-path /imagenet --lr 0.1", False),
        ("run.sh", "python main.py --data-path $DATA --lr 0.1", False),
        ("run.sh", "torchrun pretrain_gpt.py --data-path $DATA", True),
        ("run.sh", "x --data-path 0.5 web 0.5 code", True),
        ("a.py", "p.add_argument('--data-path')  # 0.5 /d/a 0.5 /d/b", False),
        ("a.yaml", "0.5 /d/web 0.5 /d/code", False),
        ("p.json", '{"train": ["0.5", "/d/a", "0.5", "/d/b"], "valid": null, "test": null}', True),
        ("p.json", '{"train": "0.5 /d/a 0.5 /d/b"}', True),
        ("p.json", '{"train": [0.5, "a", 0.5, "b"], "valid": ["1", "c"]}', True),
        ("coco.json", '{"train": ["a.jpg", "b.jpg"], "valid": ["c.jpg"]}', False),
        ("p.json", '{"train": [1, 2, 3], "test": [4]}', False),
        ("p.json", '{"train": {"images": []}}', False),
        ("p.json", '{"train": null}', False),
        ("p.json", '{"train": ["0.5", "/d/a"], "images": []}', False),
        ("phases.txt", "--phase-transition-iterations 10\n--data-args-path a.txt\n", True),
    ],
)
def test_its_blends_are_recognised_and_other_files_are_not(tmp_path, name, text, true):
    (tmp_path / "there.idx").write_text("")
    assert MEGATRON.recognises(Document(tmp_path / name, text)) is true


def test_megatron_files_hold_weights_and_prefixes_only(tmp_path):
    sources = {
        "web": Source(1e9, paths=("/d/web.bin",)),
        "code": Source(1e9, paths=("/d/code",)),
        "spam": 1.0,
    }
    mixture = Mixture({"web": 0.1 + 0.2, "code": 0.7, "spam": 0.0})
    text = MEGATRON.write(mixture, tmp_path / "blend.txt", sources=sources)
    assert text.read_text() == "0.30000000000000004 /d/web\n0.7 /d/code\n"
    split = MEGATRON.write(mixture, tmp_path / "split.json", sources=sources, form="per_split")
    train = ["0.30000000000000004", "/d/web", "0.7", "/d/code"]
    assert json.loads(split.read_text()) == {"train": train, "valid": None, "test": None}
    sidecar = json.loads((tmp_path / "blend.txt.provenance.json").read_text())
    assert sidecar["names"] == {"/d/web": "web", "/d/code": "code"}
    assert sidecar["dropped"] == ["spam"]
    assert "weights" not in sidecar
    assert "0.7" not in json.dumps(sidecar)


def test_megatron_reads_its_own_file_not_the_sidecar(tmp_path):
    blend = MEGATRON.write(Mixture({"a b": 0.5, "c": 0.5}), tmp_path / "blend", prefix_dir="/d")
    first, second = blend.read_text().split()[1::2]
    assert first.startswith("/d/a-b-")
    assert second == "/d/c_text_document"
    blend.write_text(f"3 {first}\n1e-05 /new/x_text_document 0.99999 {second}\n")
    found = MEGATRON.read(blend)
    assert dict(found) == pytest.approx({"a b": 0.75, "x": 1e-05 / 4, "c": 0.99999 / 4})
    assert found.source["method"] == "edited by hand"
    (tmp_path / "blend.provenance.json").unlink()
    assert MEGATRON.read(blend).domains[1:] == ("x", "c")
    blend.write_text('{"train": "1 /a/x 3 /b/x", "valid": null, "test": null}')
    assert dict(MEGATRON.read(blend)) == {"/a/x": 0.25, "/b/x": 0.75}


def test_several_prefixes_of_a_domain_share_its_weight_by_size(tmp_path):
    for name, size in (("p0", 100), ("p1", 300)):
        (tmp_path / f"{name}.bin").write_bytes(b"x" * size)
    sources = {
        "web": Source(
            400,
            paths=(str(tmp_path / "p0.bin"), str(tmp_path / "p1.bin"), str(tmp_path / "p1.idx")),
        ),
        "code": Source(1, paths=("/d/code",)),
    }
    blend = MEGATRON.write(Mixture({"web": 0.8, "code": 0.2}), tmp_path / "blend", sources=sources)
    assert [float(word) for word in blend.read_text().split()[::2]] == pytest.approx(
        [0.2, 0.6, 0.2]
    )
    assert dict(MEGATRON.read(blend)) == pytest.approx({"web": 0.8, "code": 0.2})


@pytest.mark.parametrize(
    ("paths", "options", "sentence"),
    [
        ((), {}, "sources= has no paths for 'web'"),
        (
            ("/my data/web",),
            {},
            "has white space, where Megatron cuts; form='per_split' can hold it",
        ),
        (("/d/web\n",), {"form": "per_split"}, "begins or ends in white space"),
        (
            ("2024",),
            {},
            "reads as a number, which Megatron may take for a weight; give it as './2024'",
        ),
        (("nan",), {"form": "per_split"}, "reads as a number"),
        (("/d/code",), {}, "'web', 'code' have one prefix, '/d/code'"),
        (
            ("/d/p0", "/d/p1"),
            {},
            "has 2 prefixes, to be shared out by the sizes of their .bin files, which cannot be read",
        ),
        (("/d/web",), {"form": "json"}, "no form of a Megatron blend 'json'"),
    ],
)
def test_what_megatron_refuses(tmp_path, paths, options, sentence):
    sources = {"web": Source(1, paths=paths), "code": Source(1, paths=("/d/code",))}
    with pytest.raises(ReweightvizError, match=sentence):
        MEGATRON.write(
            Mixture({"web": 0.5, "code": 0.5}), tmp_path / "blend", sources=sources, **options
        )
    assert list(tmp_path.iterdir()) == []


def test_megatron_takes_white_space_inside_a_prefix_per_split(tmp_path):
    sources = {"web": Source(1, paths=("/my data/web",))}
    assert MEGATRON.read(
        MEGATRON.write(Mixture({"web": 1.0}), tmp_path / "b", sources=sources, form="per_split")
    ) == {"web": 1.0}


def test_megatron_blends_no_more_than_it_can(tmp_path):
    with pytest.raises(ReweightvizError, match="at most 32,766 datasets; got 32,767"):
        MEGATRON.write(Mixture.uniform(map(str, range(32767))), tmp_path / "blend", prefix_dir="/d")
    most = Mixture.uniform(map(str, range(32766)))
    assert MEGATRON.read(MEGATRON.write(most, tmp_path / "blend", prefix_dir="/d")) == most


def test_a_prefix_that_stands_twice_is_drawn_at_each_place(tmp_path):
    (tmp_path / "blend").write_text("0.5 /d/web 0.2 /d/web 0.3 /d/code")
    config = MEGATRON.parse(MEGATRON.open(tmp_path / "blend"))
    assert config.stages[0] == pytest.approx({"/d/web": 0.7, "/d/code": 0.3})
    assert "'/d/web' stands several times: Megatron draws from it at each place" in config.traps[0]


def test_without_weights_shares_go_by_the_sizes(tmp_path):
    (tmp_path / "run.sh").write_text("torchrun pretrain_gpt.py --data-path /d/web /d/code\n")
    assert MEGATRON.recognises(MEGATRON.open(tmp_path / "run.sh"))
    assert "no weights" in MEGATRON.parse(MEGATRON.open(tmp_path / "run.sh")).traps[0]
    sources = {"web": Source(3e9, 1), "code": Source(1e9, 1)}
    assert dict(MEGATRON.read(tmp_path / "run.sh", sources=sources)) == {"web": 0.75, "code": 0.25}
    (tmp_path / "run.sh").write_text("torchrun pretrain_gpt.py --data-path /d/web\n")
    assert dict(MEGATRON.read(tmp_path / "run.sh")) == {"web": 1.0}


SPLITS = '"TRAIN: 0.3 0:0.6 data/web, 0.5 0:1 data/code, 0.2 0:1 data/math"'


@pytest.mark.parametrize(
    ("script", "file"),
    [
        (f"python pretrain_gpt.py --train-weighted-split-paths {SPLITS} --lr 1\n", ""),
        ("python pretrain_gpt.py --train-weighted-split-paths-path splits.txt\n", f"{SPLITS}\n"),
        (f"{SPLITS}\n", ""),
        (
            f'TRAIN={SPLITS}\npython x.py \\\n --train-weighted-split-paths "$TRAIN" \\\n'
            ' --valid-weighted-split-paths "VALID: 1 0.6:1 data/web"\n',
            "",
        ),
    ],
)
def test_the_splits_of_megatron_deepspeed_are_read(tmp_path, script, file):
    (tmp_path / "train.slurm").write_text(script)
    (tmp_path / "splits.txt").write_text(file)
    document = MEGATRON.open(tmp_path / "train.slurm")
    assert MEGATRON.recognises(document)
    config = MEGATRON.parse(document)
    assert config.stages[0] == {"data/web": 0.3, "data/code": 0.5, "data/math": 0.2}
    assert not config.refused
    assert "of 'data/web' only a range is drawn" in config.traps[0]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ('"A: 1 0:1 /d/a" "B: 1 0:1 /d/b"', "takes one group in quotes; there are 2"),
        ('"A: 1 0.5:0.1 /d/a"', "with START below END; it is 'A: 1 0.5:0.1 /d/a'"),
        ('"A: 1 /d/a"', "must be 'NAME: WEIGHT START:END PATH"),
        ('"A: 0 0:1 /d/a"', "must be >= 0, one above 0"),
        ("$TRAIN", r"from '\$TRAIN', which it does not set by plain assignments"),
    ],
)
def test_splits_that_megatron_deepspeed_would_refuse(tmp_path, words, sentence):
    (tmp_path / "run.sh").write_text(f"python x.py --train-weighted-split-paths {words}\n")
    with pytest.raises(ReweightvizError, match=sentence):
        MEGATRON.read(tmp_path / "run.sh")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("0.7 /d/web 0.3", "Megatron would take every word for a dataset"),
        ("hello there", "Megatron would take every word for a dataset"),
        ("nan /d/web 0.5 /d/code", "needs a finite weight above 0; that of '/d/web' is not"),
        ("0 /d/web 0.5 /d/code", "that of '/d/web' is not"),
        # Each place is looked at, though places of one prefix add up.
        ("0 /d/web 0.5 /d/web 0.5 /d/code", "that of '/d/web' is not"),
        ('{"valid": null}', "neither weights and prefixes nor JSON with 'train'"),
        ('{"train": null}', "Megatron would take every word"),
        ('{"train": 3}', "Megatron would take every word"),
        (
            "see --phase-transition-iterations",
            "must name the transitions and one blend for each phase",
        ),
    ],
)
def test_blends_that_megatron_would_misread(tmp_path, content, sentence):
    (tmp_path / "blend").write_text(content)
    with pytest.raises(ReweightvizError, match=sentence):
        MEGATRON.read(tmp_path / "blend")
