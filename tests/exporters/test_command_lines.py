"""Command lines and shell scripts, read as the configs that their options stand for."""

from __future__ import annotations

import pytest

import reweightviz as rv
from reweightviz.cli.commands import main
from reweightviz.core.errors import ReweightvizError
from reweightviz.exporters.text.options import read_options

LLAMA = "llamafactory-cli train --dataset web,code --interleave_probs 0.7,0.3 --template llama3"
COMMANDS = {
    f"{LLAMA} --mix_strategy interleave_over": "llama-factory",
    "torchrun pretrain_gpt.py --data-path 0.7 /d/web 0.3 /d/code --seq-length 4096": "megatron",
    "--data-path 0.7 web 0.3 code": "megatron",
    "python train.py dataset.blend=[[web,code],[0.7,0.3]]": "nemo",
    "python train.py 'dataset.blend=[[web,code],[0.7,0.3]]'": "nemo",
    "python train.py 'dataset.blend=[[web, code], [0.7, 0.3]]' optimizer.lr=1": "nemo",
    "python -m MaxText.train base.yml grain_train_files='web,0.7;code,0.3'": "maxtext",
    "python -m apps.main.train data.root_dir=/d data.sources.web=70 data.sources.code=30": "lingua",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_line_is_the_config_of_its_options(command):
    report = rv.check(command)
    assert (report.framework, report.ok) == (COMMANDS[command], True)
    assert str(report.path) == "the command line"
    sources = {name: {"tokens": 1e9, "documents": 1e6} for name in ("web", "code")}
    mixture = rv.load_mixture(command, sources=sources)
    assert dict(mixture) == pytest.approx({"web": 0.7, "code": 0.3})


def test_amounts_of_open_instruct_are_the_words_themselves():
    report = rv.check("python finetune.py --dataset_mixer_list web 0.5 code 1.0 --seed 1")
    assert (report.framework, report.ok) == ("open-instruct", True)
    assert report.table["number"].tolist() == [0.5, 1.0]


def test_a_list_of_words_is_one_too():
    words = ["train.py", "--data-path", "0.7", "/d/my web", "0.3", "/d/code"]
    assert dict(rv.load_mixture(words)) == pytest.approx({"my web": 0.7, "code": 0.3})
    assert len(rv.load_schedule(words)) == 1


def test_a_path_that_exists_is_a_path(tmp_path):
    path = tmp_path / "a --data-path 0.7 x 0.3 y.json"
    path.write_text('{"weights": {"web": 0.5, "code": 0.5}}', encoding="utf-8")
    assert dict(rv.load_mixture(str(path))) == {"web": 0.5, "code": 0.5}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            "train --lr 0.1",
            r"the command line 'train --lr 0.1' names no file, .*options, 'lr'; read",
        ),
        ("train --dataset $D --interleave_probs $P", "none that can be read without a shell"),
        ([], "the command line '' names no file"),
        ("configs/lr=0.1.yaml", "cannot read configs/lr=0.1.yaml: No such file or directory"),
        ("no such file", "cannot read no such file: No such file or directory"),
        (LLAMA, "LLaMA-Factory"),
    ],
)
def test_what_is_no_mixture_is_one_sentence(given, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        rv.load_mixture(given)


def test_a_script_is_read_by_its_options(tmp_path):
    path = tmp_path / "run.sh"
    path.write_text(
        "#!/bin/bash\nNAMES=web,code\nARGS=(\n  --interleave_probs 0.7,0.3  # shares\n"
        "  --mix_strategy interleave_over\n)\ncd x && accelerate launch train.py --dataset $NAMES \\\n"
        '  "${ARGS[@]}" | tee log\n',
        encoding="utf-8",
    )
    report = rv.check(path)
    assert (report.framework, report.ok) == ("llama-factory", True)
    assert report.table["number"].tolist() == [0.7, 0.3]


def test_options_are_the_mapping_that_a_config_would_hold():
    text = "x --a-b 1 --names web 0.7 code 500 --flag '--c.d={e: 1}' +f.g=[h,2] --word '*' --n=-0.5"
    assert read_options(text) == {
        "a_b": 1,
        "names": ["web", "0.7", "code", "500"],
        "flag": True,
        "c": {"d": {"e": 1}},
        "f": {"g": ["h", 2]},
        "word": "*",
        "n": -0.5,
    }


def test_the_command_line_takes_a_command_line(capsys):
    assert main(["check", "--", "--data-path 0.7 web 0.3 code"]) == 0
    assert "the command line: Megatron" in capsys.readouterr().out
