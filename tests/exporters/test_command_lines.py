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


TWO = {
    "megatron": ("pretrain --data-path {} /d/web {} /d/code"),
    "ms-swift": ("swift pt --dataset o/web o/code --interleave_prob {} {}"),
    "llama-factory": (
        "llamafactory-cli train --dataset web,code --mix_strategy interleave_under "
        "--interleave_probs {},{}"
    ),
    "open-instruct": ("python finetune.py --dataset_mixer_list o/web {} o/code {}"),
    "maxtext": ("python train.py dataset_type=grain 'grain_train_files=/d/web,{};/d/code,{}'"),
    "nemo": ("python train.py dataset.blend=[[/d/web,/d/code],[{},{}]]"),
}


@pytest.mark.parametrize("framework", TWO)
def test_a_script_of_several_commands_says_that_one_is_shown(tmp_path, framework):
    command = TWO[framework]
    one = command.format(0.75, 0.25)
    other = command.format(0.5, 0.5)
    script = tmp_path / "run.sh"
    script.write_text(f"{one}\n{other} --seed 1\n")
    report = rv.check(script)
    assert report.framework == framework
    assert "the script has 2 commands with mixtures that differ" in report.traps[0]
    numbers = {tuple(rv.check(given).table["number"]) for given in (one, other)}
    assert len(numbers) == 2 and tuple(report.table["number"]) in numbers
    script.write_text(f'echo "usage: {one}"\nSEED=1 {other}\nwait\n')
    report = rv.check(script)
    assert tuple(report.table["number"]) == tuple(rv.check(other).table["number"])
    assert not any("the script has" in trap for trap in report.traps)


def test_options_of_two_commands_are_not_put_together(tmp_path):
    (tmp_path / "run.sh").write_text(
        "swift pt --dataset o/a o/b\nswift sft --dataset o/c o/d --interleave_prob 0.1 0.9\n"
    )
    report = rv.check(tmp_path / "run.sh")
    assert dict(zip(*report.table[["domain", "number"]].to_numpy().T, strict=True)) == {
        "c": 0.1,
        "d": 0.9,
    }
    (tmp_path / "run.sh").write_text(
        "tokenize --dataset a,b\ntrain --dataset c,d --mix_strategy interleave_under "
        "--interleave_probs 0.1,0.9\n"
    )
    assert list(rv.check(tmp_path / "run.sh").table["domain"]) == ["c", "d"]


def test_of_an_option_that_stands_twice_the_last_is_taken():
    table = rv.check("train --data-path 1 /d/a 3 /d/b --data-path 7 /d/web 3 /d/code").table
    assert list(table["number"]) == [7, 3]
    table = rv.check("swift sft --dataset o/a --dataset o/b o/c --interleave_prob 0.7 0.3").table
    assert list(table["domain"]) == ["b", "c"]


def test_lines_of_an_array_are_no_commands_of_their_own(tmp_path):
    (tmp_path / "run.sh").write_text(
        'A=(\n  --data-path 0.7 /d/web\n  0.3 /d/code\n)\ntrain "${A[@]}" --lr 1\n'
    )
    report = rv.check(tmp_path / "run.sh")
    assert list(report.table["number"]) == [0.7, 0.3]
    assert not any("the script has" in trap for trap in report.traps)
