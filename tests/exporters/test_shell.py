"""Shell scripts: words behind an option through plain assignments, and nothing that only a shell could tell."""

from __future__ import annotations

import pytest

from reweightviz.exporters.text.shell import find_unknown, read_option

BLEND = ["0.6", "/d/web", "0.4", "/d/code"]


@pytest.mark.parametrize(
    "text",
    [
        'D="0.6 /d/web 0.4 /d/code"\ntrain.py --data-path $D --lr 1\n',
        "export D='0.6 /d/web 0.4 /d/code'\ntrain.py --data-path ${D} --lr 1\n",
        'D="\n  0.6 /d/web \\\n  0.4 /d/code\n"\ntrain.py \\\n  --data-path $D \\\n  --lr 1\n',
        "D=(0.6 /d/web\n   0.4 /d/code)\ntrain.py --data-path ${D[@]}\n",
        'D=(\n  # web\n  0.6 /d/web  # more\n  0.4 "/d/code"\n)\ntrain.py --data-path "${D[@]}" --lr 1\n',
        'D="0.6 /d/web 0.4 /d/code"\nARGS="\n    --data-path $D \\\n    --lr 1\n"\ntrain.py $ARGS\n',
        "ARGS=(\n    --lr 1\n    --data-path 0.6 /d/web 0.4 /d/code\n)\ntrain.py ${ARGS[@]}\n",
        'ARGS=""\nARGS+=" --data-path 0.6 /d/web 0.4 /d/code"\nARGS+=" --lr 1"\n',
        'D=""\nD="${D} 0.6 /d/web"\nD="${D} 0.4 /d/code"\ntrain.py --data-path ${D}\n',
        'H=/d\nD="0.6 $H/web"\nD+=" 0.4 ${H}/code"\ntrain.py --data-path $D\n',
        'D=(0.6 /d/web)\nD+=(0.4 /d/code)\ntrain.py --data-path "${D[@]}"\n',
        'D="0.6 /d/web 0.4 /d/code"\necho "D=$D"\ntrain.py --data-path $D\n',
        "# --data-path 1 /old\ntrain.py --data-path 0.6 /d/web 0.4 /d/code 2>&1 | tee log\n",
        "train.py --data-path 0.6 /d/web 0.4 '/d/code'; echo done\n",
        "--data-path\n0.6 /d/web\n0.4 /d/code\n",
        "train.py --data-path 0.6 /d/web 0.4 \\\n  /d/code\n",
        "train.py --data-path 0.6 /d/web 0.4 /d/code # as before\n",
    ],
)
def test_a_blend_is_followed_through_plain_assignments(text):
    assert read_option(text, "--data-path") == BLEND


@pytest.mark.parametrize(
    "text",
    [
        "train.py --data-path $D\n",
        "D=$1\ntrain.py --data-path $D\n",
        "D=$(make blend)\ntrain.py --data-path $D\n",
        "train.py --data-path $(make blend)\n",
        "train.py --data-path `make blend`\n",
        'D="1 /a"\nif x; then\n  D="1 /b"\nfi\ntrain.py --data-path $D\n',
        'D="1 /a"\n[ -z "$X" ] && D="1 /b"\ntrain.py --data-path $D\n',
        'D="1 /a"\nD=$(more "$D")\ntrain.py --data-path $D\n',
        'D="${D:-1 /a}"\ntrain.py --data-path $D\n',
        "train.py --data-path 1 /a $MORE\n",
        'D="xxxxxxxxxx"\n' + 'D="$D$D$D$D"\n' * 60 + "train.py --data-path $D\n",
    ],
)
def test_what_only_a_shell_can_tell_is_said(text):
    assert find_unknown(read_option(text, "--data-path")) is not None


def test_a_variable_inside_a_path_stays_as_it_is_written():
    found = read_option('D="0.6 $H/web 0.4 ${H}/code"\ntrain.py --data-path $D\n', "--data-path")
    assert found == ["0.6", "$H/web", "0.4", "${H}/code"]
    assert find_unknown(found) is None


def test_quotes_keep_their_words_together():
    assert read_option(
        'train.py --data-path 1 \'/my data/web\' 2 "/a \\"b\\"" 3 /c\\ d --lr 1', "--data-path"
    ) == ["1", "/my data/web", "2", '/a "b"', "3", "/c d"]
    assert read_option('D="1 /a 2 /b"\ntrain.py --data-path "$D"\n', "--data-path") == [
        "1 /a 2 /b"
    ], "one word to a shell, and to Megatron"
    assert read_option("train.py --data-paths 1 /a", "--data-path") is None
    assert read_option('train.py --data-path 1 "/a', "--data-path") == ["1"]


@pytest.mark.parametrize(
    "text",
    [
        "A=" + "1" * 10**6 + "\n--data-path $A",
        "".join(f"A{i}=x\n" for i in range(10**5)) + "--data-path $A1",
        '"' * 10**6 + " --data-path 1",
        "A=(" * 3 * 10**5 + " --data-path 1",
        'A="' * 3 * 10**5 + " --data-path 1",
        "--data-path " + "1" * 10**6,
    ],
)
def test_long_scripts_are_read(text):
    found = read_option(text, "--data-path")
    assert len(found) == 1
    assert (find_unknown(found) is None) == found[0].startswith("1")
