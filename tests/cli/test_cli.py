"""The command line: exit codes, what goes where, and sentences in its own words."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import yaml

import reweightviz as rv
from reweightviz import exporters
from reweightviz.cli import main
from reweightviz.cli.method_help import read_arguments
from reweightviz.core.protocols import needs

SOURCES = """\
tokenizer: gpt2
domains:
  web: {tokens: 8B, documents: 1M, paths: /d/web_text_document}
  code: {tokens: 1B, documents: 1M, paths: /d/code_text_document}
  spam: 1T
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a mixture and sources, to work in."""
    monkeypatch.chdir(tmp_path)
    rv.Mixture({"web": 0.75, "code": 0.25, "spam": 0.0}, source={"method": "olmix"}).save("m.json")
    (tmp_path / "s.yaml").write_text(SOURCES)
    return tmp_path


def run(line: str, capsys) -> tuple[int, str, str]:
    code = main(line.split())
    said = capsys.readouterr()
    return code, said.out, said.err


def test_export_says_what_it_wrote_and_dropped_and_warns_on_stderr(here, capsys):
    code, out, err = run(
        "export m.json --to megatron --sources s.yaml --tokens 20B --out b.txt", capsys
    )
    assert code == 0
    assert out.splitlines() == [
        "wrote b.txt",
        "wrote b.txt.provenance.json",
        "Megatron: a weight is a share of training sequences of one fixed length, which is a share of tokens",
        "left out, weight 0: 'spam'",
        "epochs at 2e+10 tokens: 'web' 1.88, 'code' 5",
    ]
    assert err == "reweightviz: warning: more than 4 epochs at 2e+10 tokens: 'code' 5.\n"
    assert rv.load_mixture("b.txt") == {"web": 0.75, "code": 0.25, "spam": 0.0}
    record = json.loads((here / "b.txt.provenance.json").read_text())
    assert record["tokens"] == 2e10
    assert record["source"]["method"] == "olmix"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            "export m.json --to megatron --sources s.yaml --out b.txt",
            "cannot write b.txt: it exists already; pass --overwrite to replace it.",
        ),
        (
            "export m.json --to levanter --sources s.yaml --out l.yaml",
            "cannot write l.yaml: it exists already; --merge changes its mixture only, pass --overwrite to replace it.",
        ),
        (
            "export m.json --to megatron --sources s.yaml --tokens 20B --out c.txt --max-epochs 4",
            "more than 4 epochs at 2e+10 tokens: 'code' 5",
        ),
        (
            "export m.json --to megatron --out c.txt",
            "--sources has no paths for 'web', 'code' (Sources.with_paths sets them, --option prefix_dir= makes them)",
        ),
        (
            "export m.json --to hf --out h",
            "so --sources must give tokens and documents of 'web', 'code'; --unit 'tokens' is for examples",
        ),
        ("export m.json --to megatorn --out c.txt", "did you mean 'megatron'"),
        (
            "export m.json --to levanter --out c.yaml --option mixture_block_sze=3",
            "no option of Levanter 'mixture_block_sze'; did you mean 'mixture_block_size'",
        ),
        (
            "export m.json --to levanter --out c.yaml --option seed",
            "--option takes KEY=VALUE, such as --option seed=3; got 'seed'.",
        ),
        ("export m.json --to levanter --out c.yaml --tokens many", "got 'many'"),
        (
            "export m.json --to levanter --out c.yaml --tokens 1B",
            "need --sources, the tokens of each domain; got none.",
        ),
        (
            "convert b.txt --to levanter --out c.yaml --tokens 1B",
            "need --sources, the tokens of each domain; got none.",
        ),
        (
            "export m9.json --to levanter --out c.yaml",
            "m9.json: the weights are shares and must sum to 1; they sum to 0.9.",
        ),
        (
            "export m.json --to levanter --out l.yaml --merge --overwrite",
            "--merge changes the config that is there and --overwrite replaces it: give one of them.",
        ),
        (
            "export m.json --to megatron --out c.txt --option tokens=1B",
            "--option is for what Megatron alone takes; 'tokens' is given by --tokens.",
        ),
        (
            "export m.json --to megatron --out c.txt --option merge=true",
            "'merge' is given by --merge.",
        ),
        (
            "export m.json --to megatron --out c.txt --option no-backup=1",
            "'no_backup' is given by --no-backup.",
        ),
        (
            "export m.json --to megatron --out c.txt --option unit=tokens",
            "'unit' is given by --unit.",
        ),
        ("export m.json --to megatron --out c.txt --option path=x", "'path' is given by --out."),
        (
            "export m.json --to megatron --out c.txt --option mixture=x",
            "'mixture' is given by the first argument.",
        ),
        (
            "export m.json --to megatron --out c.txt --option from=json",
            "'from' is given by --from.",
        ),
        (
            "export m.json --to csv --out c.csv --option seed=3",
            "CSV takes no --option; got 'seed'.",
        ),
        (
            "export m.json --to megatron --sources s.yaml --out c.txt --record l.yaml/why",
            "cannot write l.yaml/why.md: the folder l.yaml does not exist",
        ),
        (
            "export m.json --to megatron --sources s.yaml --out c.txt --record no/why",
            "cannot write no/why.md: the folder no does not exist; create it first.",
        ),
        (
            "export m.json --to megatron --sources s.yaml --out c.txt --record there",
            "cannot write there.html: it exists already; pass --overwrite to replace it, or name another file.",
        ),
        (
            "export m.json --to levanter --out l.yaml --merge --record there.md",
            "cannot write there.html: it exists already; name another file for the record.",
        ),
        (
            "check broken.yaml",
            "broken.yaml is no YAML file: while parsing a flow sequence, expected ',' or ']'",
        ),
        (
            "check broken.yaml --framework levanter",
            "broken.yaml is no YAML file: while parsing a flow sequence, expected ',' or ']'",
        ),
        ("check /dev/zero", "cannot read /dev/zero: it is no regular file."),
        ("methods unimx", "no method 'unimx'; did you mean 'UniMax'?"),
        (
            "export s.yaml --to levanter --out c.yaml",
            "is no config that is known here, it holds the keys 'tokenizer', 'domains'; name the framework with --from, ",
        ),
        ("check s.yaml", "name the framework with --framework, one of"),
        ("check absent.yaml", "cannot read absent.yaml: No such file"),
        ("check b.txt --sources absent.yaml", "cannot read absent.yaml: No such file"),
    ],
)
def test_bad_input_is_one_sentence_in_the_words_of_the_command_line(here, capsys, line, sentence):
    (here / "b.txt").write_text("0.5 /d/web_text_document 0.5 /d/code_text_document")
    (here / "l.yaml").write_text("data: {train_weights: {web: 1}}")
    (here / "m9.json").write_text('{"weights": {"web": 0.6, "code": 0.3}}')
    (here / "broken.yaml").write_text("web: [0.5\ncode: 0.5\n")
    (here / "there.html").write_text("mine")
    before = {path: path.read_bytes() for path in here.iterdir()}
    code, out, err = run(line, capsys)
    assert (code, out) == (2, "")
    assert err.startswith("reweightviz: ")
    assert sentence in err
    assert err.count("\n") == 1
    assert {path: path.read_bytes() for path in here.iterdir()} == before


def test_a_merge_shows_its_diff_and_keeps_the_rest(here, capsys):
    config = "# mine\ntrainer: {lr: 1e-4}\ndata:\n  components: {web: {}, code: {}}\n  train_weights:\n    web: 0.5  # half\n    code: 0.5\n"
    (here / "run.yaml").write_text(config)
    line = "export m.json --to levanter --out run.yaml --merge --sources s.yaml"
    code, out, _ = run(f"{line} --diff", capsys)
    assert code == 0
    assert [line for line in out.splitlines() if line[0] in "+-"][2:] == [
        "-    web: 0.5  # half",
        "-    code: 0.5",
        "+    web: 0.75 # half",
        "+    code: 0.25",
    ]
    assert (here / "run.yaml").read_text() == config
    assert not list(here.glob("*.bak"))
    assert run(line, capsys)[0] == 0
    assert (here / "run.yaml").read_text().startswith("# mine\ntrainer: {lr: 1e-4}\n")
    assert (here / "run.yaml.bak").read_text() == config
    assert run(f"{line} --no-backup", capsys)[0] == 0
    assert not (here / "run.yaml.bak2").exists()


def test_options_are_json_where_they_can_be(here, capsys):
    line = "export m.json --to hf --sources s.yaml --out h --option seed=7 --option stopping-strategy=all_exhausted --unit tokens"
    assert run(line, capsys)[0] == 0
    text = (here / "h" / "mixture.yaml").read_text()
    assert "seed: 7\n" in text
    assert 'stopping_strategy: "all_exhausted"' in text
    assert 'unit: "tokens"' in text


def test_check_exits_with_1_where_something_would_be_refused(here, capsys):
    (here / "good.txt").write_text("0.75 /d/web 0.25 /d/code")
    (here / "bad.txt").write_text("0.75 /d/web 0.25")
    code, out, err = run("check good.txt", capsys)
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "good.txt: Megatron, known by its content"
    assert "they need --sources, the tokens of each domain, and --tokens, the budget." in out
    code, out, _ = run("check bad.txt", capsys)
    assert code == 1
    assert "Megatron would refuse or misread this:" in out
    code, out, _ = run("check bad.txt --json", capsys)
    assert code == 1
    assert json.loads(out)["ok"] is False
    code, out, _ = run(
        "check good.txt --framework mcore --json --sources s.yaml --tokens 4B", capsys
    )
    assert code == 0
    assert [row["epochs"] for row in json.loads(out)["table"]] == [0.375, 1.0]


def test_convert_takes_the_paths_of_the_old_config_along(here, capsys):
    (here / "b.txt").write_text("0.75 /new/web_text_document 0.25 /new/code_text_document")
    assert run("convert b.txt --to levanter --out l.yaml", capsys)[0] == 0
    text = (here / "l.yaml").read_text()
    assert "/new/web_text_document" in text
    assert rv.load_mixture("l.yaml") == {"web": 0.75, "code": 0.25}
    (here / "part.csv").write_text("domain,tokens,documents\nweb,8B,8M\ncode,1B,4M\n")
    assert (
        run("convert b.txt --to levanter --out l2.yaml --sources part.csv --tokens 4B", capsys)[0]
        == 0
    )
    assert "/new/code_text_document" in (here / "l2.yaml").read_text()
    assert json.loads((here / "l2.yaml.provenance.json").read_text())["epochs"] == {
        "web": 0.375,
        "code": 1.0,
    }
    assert run("convert l.yaml --to megatron --out b2.txt --sources s.yaml", capsys)[0] == 0
    assert "/d/web_text_document" in (here / "b2.txt").read_text()


def test_convert_says_whose_the_paths_are(here, capsys):
    (here / "b.txt").write_text("0.75 ${DATA}/web_text_document 0.25 /new/code_text_document")
    err = run("convert b.txt --to nanotron --out n.yaml", capsys)[2]
    assert err.splitlines() == [
        "reweightviz: note: the paths are those of b.txt as they stand; check that Nanotron can read them.",
        "reweightviz: note: '${DATA}/web_text_document' holds a variable, which Nanotron may not fill in: write the path out.",
    ]
    assert run("convert b.txt --to nanotron --out n.yaml --overwrite --diff", capsys)[2] == err
    assert run("convert b.txt --to json --out n.json", capsys)[2] == "", "JSON names no paths"
    (here / "c.txt").write_text("0.75 /old/web_text_document 0.25 /old/code_text_document")
    assert run("convert c.txt --to nanotron --out n2.yaml --sources s.yaml", capsys)[2] == "", (
        "the paths are those of the sources"
    )


@pytest.mark.parametrize(
    ("options", "whose"),
    [("", "t.yaml"), ("--sources tokens.csv", "t.yaml"), ("--sources paths.json", "--sources")],
)
def test_convert_says_whose_the_paths_are_that_it_cannot_take(here, capsys, options, whose):
    (here / "tokens.csv").write_text("domain,tokens\nweb,8B\ncode,1B\n")
    texts = {
        "web": {"tokens": 8e9, "paths": ["mine/web.jsonl"]},
        "code": {"tokens": 1e9, "paths": ["mine/code.jsonl"]},
    }
    (here / "paths.json").write_text(json.dumps(texts))
    components = {
        name: {"source": {"type": "url", "train_urls": [f"data/{name}.jsonl"]}}
        for name in ("web", "code")
    }
    (here / "t.yaml").write_text(
        json.dumps(
            {"data": {"components": components, "train_weights": {"web": 0.75, "code": 0.25}}}
        )
    )
    code, _, err = run(
        f"convert t.yaml --from levanter --to nanotron --out n.yaml {options}", capsys
    )
    folder = "mine" if whose == "--sources" else "data"
    assert code == 2 and f"not files of text; {whose} has '{folder}/web.jsonl' for 'web'." in err


def test_a_schedule_is_converted_stage_by_stage(here, capsys):
    rv.Schedule(
        {0: {"web": 0.75, "code": 0.25}, 1024: {"web": 0.25, "code": 0.75}}, steps=4096
    ).save("sched.json")
    assert (
        run(
            "export sched.json --to levanter --out l.yaml --sources s.yaml --tokens 1B --record why.md",
            capsys,
        )[0]
        == 0
    )
    assert run("convert l.yaml --to megatron --out phases --sources s.yaml", capsys)[0] == 0
    assert list(rv.load_schedule("phases")) == [0, 1024]
    assert "| web | 37.50 % |" in (here / "why.md").read_text()


def test_a_record_is_written_beside_the_export(here, capsys):
    code, out, _ = run(
        "export m.json --to megatron --sources s.yaml --tokens 4B --out b.txt --record why", capsys
    )
    assert code == 0
    assert out.splitlines()[-2:] == ["wrote why.md", "wrote why.html"]
    assert "olmix" in (here / "why.md").read_text()
    assert "b.txt" in (here / "why.html").read_text()


def test_methods_are_listed(capsys):
    code, out, _ = run("methods", capsys)
    assert code == 0
    assert "megatron" in out
    assert max(map(len, out.splitlines())) <= 100


def test_one_method_is_told_with_its_options(capsys):
    code, out, _ = run("methods hf", capsys)
    assert code == 0
    assert out.startswith("huggingface (exporter): Hugging Face datasets: a folder")
    for part in (
        "  also called: hf, datasets",
        "  --unit tokens: a weight is",
        "  --unit examples: a weight is a share of examples (documents) (default)",
        "--option KEY=VALUE",
        "  seed=42               of the draws",
        "  stopping_strategy=None\n",
        "  - 'all_exhausted' repeats",
    ):
        assert part in out
    assert max(map(len, out.splitlines())) <= 100
    both = run("methods OLMIX", capsys)[1]
    assert "olmix (exporter)" in both and "Olmix (law)" in both
    assert (
        "  budget (required)     B, tokens to train on in all" in run("methods unimax", capsys)[1]
    )


@pytest.mark.parametrize("name", [*exporters.FRAMEWORKS])
def test_every_option_of_every_framework_is_explained(name):
    render = exporters.find(name).render
    assert set(needs(render)) <= {option for option, said in read_arguments(render).items() if said}


def test_names_that_the_terminal_cannot_show_are_escaped(here):
    (here / "m.json").write_text('{"weights": {"Wéb": 1.0}}', "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "reweightviz.cli", "check", "m.json"],
        capture_output=True,
        check=False,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == 0
    assert b"W\\xe9b" in done.stdout


def test_the_command_itself_runs(here):
    done = subprocess.run(
        [sys.executable, "-m", "reweightviz.cli", "check", "m.json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "75.00 %" in done.stdout


def test_documents_to_documents_need_no_sizes(here, capsys):
    """facebookresearch/lingua apps/mamba/configs/debug.yaml: both numbers count documents."""
    (here / "lingua.yaml").write_text(
        "data:\n  root_dir: shuffled\n  sources:\n    wiki: 80.0\n    arxiv: 20.0\n"
    )
    code, _, said = run("convert lingua.yaml --to huggingface --out hf", capsys)
    assert code == 0
    assert "both configs count the same, so no sizes were needed" in said
    entries = yaml.safe_load((here / "hf" / "mixture.yaml").read_text())["datasets"]
    assert [entry["probability"] for entry in entries] == pytest.approx([0.8, 0.2], abs=1e-9)
    table = rv.check(here / "hf").table
    assert table["share_of_examples"].tolist() == pytest.approx([0.8, 0.2], abs=1e-9)
    # And on, by what was written, into another that counts documents.
    assert run("export hf --to llama-factory --out lf", capsys)[0] == 0
    probabilities = yaml.safe_load((here / "lf" / "mixture.yaml").read_text())["interleave_probs"]
    assert list(map(float, probabilities.split(","))) == pytest.approx([0.8, 0.2], abs=1e-9)
    # Tokens, and epochs at a budget, still need them.
    assert run("convert lingua.yaml --to nanotron --out n.yaml", capsys)[0] == 2
    assert run("convert lingua.yaml --to huggingface --out b --tokens 1B", capsys)[0] == 2
    # Where they are known, they are kept for reading back.
    (here / "sizes.csv").write_text("domain,tokens,documents\nwiki,8M,8K\narxiv,4M,1K\n")
    assert run("convert lingua.yaml --to huggingface --out k --sources sizes.csv", capsys)[0] == 0
    assert dict(rv.load_mixture(here / "k")) == pytest.approx({"wiki": 0.5, "arxiv": 0.5})


def test_parts_to_parts_need_no_sizes(here, capsys):
    (here / "old.yaml").write_text(
        "dataset_mixer_list: [org/web, '0.5', org/code, '1.0']\ndataset_mixer_list_splits: [train]\n"
    )
    assert run("convert old.yaml --to alignment-handbook --out new.yaml", capsys)[0] == 0
    entries = yaml.safe_load((here / "new.yaml").read_text())["dataset_mixture"]["datasets"]
    assert {entry["id"]: entry["weight"] for entry in entries} == {"org/web": 0.5, "org/code": 1.0}


def test_convert_refuses_what_check_and_load_refuse(here, capsys):
    """OmegaConf, with which LLaMA-Factory reads its YAML, stops at a key that stands twice."""
    (here / "twice.yaml").write_text(
        "dataset: web,code\nmix_strategy: interleave_under\ninterleave_probs: 0.5,0.5\n"
        "interleave_probs: 0.7,0.3\n"
    )
    code, _, said = run("convert twice.yaml --to huggingface --out hf", capsys)
    assert code == 2
    assert "refuses a key that stands twice" in said
    assert not (here / "hf").exists()


def test_count_advises_its_own_flags_and_warns_in_a_line(here, capsys):
    (here / "docs" / "web").mkdir(parents=True)
    (here / "docs" / "web" / "a.jsonl").write_text('{"text": "abc"}\n')
    code, out, err = run("count docs", capsys)
    assert (code, out) == (2, "")
    assert "--domain names another, --by-file takes the file's name" in err
    (here / "docs" / "web" / "a.jsonl").write_text('{"text": "abc"}\n{"text": 1}\n')
    code, _, err = run("count docs --by-file", capsys)
    assert (code, "--skip leaves such rows out" in err) == (2, True)
    code, out, err = run("count docs --by-file --skip", capsys)
    assert (code, out.split()[-3:]) == (0, ["3", "1", "web"])
    assert err.startswith("reweightviz: warning: 1 rows were skipped")
    assert "sys.exit" not in err


def test_a_command_line_without_quotes_is_told_of_them(here, capsys):
    with pytest.raises(SystemExit):
        main(["check", "python", "train.py", "--data-path", "0.7", "web", "0.3", "code"])
    assert "is one argument, in quotes" in capsys.readouterr().err


def test_a_command_that_names_its_config_is_told_to_check_that(here, capsys):
    (here / "train.yaml").write_text("dataset: web,code\ntemplate: llama3\n")
    code, _, err = run_words(["check", "axolotl train train.yaml"], capsys)
    assert (code, "told its config, check 'train.yaml'" in err) == (2, True)
    code, _, err = run_words(["check", "llamafactory-cli train train.yaml --seed 1"], capsys)
    assert (code, "check the config that it names, 'train.yaml'" in err) == (2, True)


def run_words(words: list[str], capsys) -> tuple[int, str, str]:
    code = main(words)
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert (end.value.code, capsys.readouterr().out) == (0, f"reweightviz {rv.__version__}\n")
