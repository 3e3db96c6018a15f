import json
import os
import subprocess
import sys
import zipfile

import pytest

import reweightviz as rv
from reweightviz.diagnostics.log_lines import count_steps


@pytest.mark.filterwarnings(
    "ignore::reweightviz.core.errors.ReweightvizWarning"
)  # on gains and hulls: tests/proposals/test_proposals.py
def test_a_law_is_fitted_optimised_and_asked():
    swarm = rv.demo_swarm()
    law = rv.fit(swarm, rv.laws.Olmix(draws=20))
    sources = rv.Sources(swarm.tokens)
    mixture = rv.optimize(law, tokens=38e6, sources=sources, max_epochs=2)
    assert max(mixture.epochs(swarm.tokens, 38e6).values()) <= 2 + 1e-6
    natural = rv.Mixture.natural(swarm.tokens)
    assert law.predict(mixture.array[None]).mean() < law.predict(natural.array[None]).mean()
    one = rv.optimize(law, objective="json", kl=0.0)
    assert (
        law.predict(one.array[None])[0, law.targets.index("json")]
        <= law.predict(mixture.array[None])[0, law.targets.index("json")]
    )
    near = rv.optimize(law, near=natural, kl=1e6)
    assert near.distance(natural) < 1e-3
    bounded = rv.optimize(law, bounds={"json": (0.3, 0.4)})
    assert 0.3 - 1e-6 <= bounded["json"] <= 0.4 + 1e-6


def test_constraints_that_cannot_be_met_are_named():
    law = rv.fit(rv.demo_swarm(), rv.laws.Olmix(draws=5))
    with pytest.raises(rv.ReweightvizError, match="max_epochs needs tokens="):
        rv.optimize(law, max_epochs=4)
    with pytest.raises(
        rv.ReweightvizError,
        match="the epoch caps of 'python source', .* so no weights can sum to 1",
    ):
        rv.optimize(law, tokens=1e12, sources=rv.demo_swarm().tokens, max_epochs=1)
    with pytest.raises(
        rv.ReweightvizError, match="no target of the law 'jsn'; did you mean 'json'"
    ):
        rv.optimize(law, objective="jsn")


def test_mix_reads_what_the_mixer_names():
    tokens = {"web": 1000.0, "code": 100.0}
    assert rv.mix({"tokens": tokens}, rv.mixers.Natural())["code"] == pytest.approx(1 / 11)
    assert rv.mix({"tokens": tokens}, rv.mixers.Uniform())["code"] == 0.5
    assert rv.mix({"tokens": {"web": "1.2T", "code": "300B"}}, rv.mixers.Natural())[
        "code"
    ] == pytest.approx(0.2)
    with pytest.raises(
        rv.ReweightvizError, match="DoReMi needs 'excess_loss'; there is 'tokens', 'prior'"
    ):
        rv.mix({"tokens": tokens}, rv.mixers.DoReMi())
    with pytest.raises(rv.ReweightvizError, match="at least one signal"):
        rv.mix({}, rv.mixers.Natural())


def test_an_online_mixer_runs_over_a_log():
    log = rv.demo_log("doremi")
    mixture = rv.mix(log, rv.mixers.DoReMi(eta=0.1))
    assert mixture.domains == log.domains
    assert mixture.source["method"] == "DoReMi"
    assert list(mixture.values()) == pytest.approx(
        rv.replay(log, rv.mixers.DoReMi(eta=0.1)).meta["result"]
    )
    every_step = log["excess_loss"].repeat(
        count_steps(log), axis=0
    )  # a line stands for the steps since the line before
    by_hand = {"excess_loss": dict(zip(log.domains, every_step.T.tolist(), strict=True))}
    assert dict(rv.mix(by_hand, rv.mixers.DoReMi(eta=0.1))) == pytest.approx(dict(mixture))
    tokens = dict.fromkeys(log.domains, 1.0) | {"json": 2.0}
    assert rv.mix(log, rv.mixers.Natural(), tokens=tokens)["json"] == pytest.approx(2 / 16)
    schedule = rv.mix(log, rv.mixers.TwoPhase(switch=100, steps=300, large=1), tokens=tokens)
    assert (
        list(schedule) == [0, 100]
        and schedule[0]["json"] == 1
        and schedule[100]["json"] == pytest.approx(1 / 15)
    )


def test_every_method_is_in_the_table():
    table = rv.methods()
    assert {"Olmix", "DoReMi", "UniMax", "Loss", "TopK", "huggingface", "megatron"} <= set(
        table.index
    )
    assert (table.summary.str.len() > 10).all()
    assert set(rv.methods("mixer").kind) == {"mixer"}
    with pytest.raises(rv.ReweightvizError, match="did you mean 'mixer'"):
        rv.methods("mixr")


def test_the_table_says_what_an_exporter_needs():
    table = rv.methods("exporter")
    assert (
        table.loc["huggingface", "needs"]
        == "mixture, tokens and documents of each domain (unit examples)"
    )
    assert table.loc["huggingface", "defaults"].startswith("seed=42, ")
    assert table.loc["levanter", "needs"] == "mixture or schedule"
    assert (
        table.loc["levanter", "paper"]
        == "a weight is a share of training sequences of one fixed length, which is a share of tokens"
    )


@pytest.mark.filterwarnings("ignore:this config of Levanter has no files yet")
def test_a_mixture_a_schedule_or_a_plain_mapping_is_exported(tmp_path):
    schedule = rv.Schedule({0: {"a": 0.75, "b": 0.25}, 1024: {"a": 0.5, "b": 0.5}}, steps=2048)
    for given in (
        schedule,
        dict(schedule),
        {0: {"a": 0.75, "b": 0.25}, 1024: rv.Mixture({"a": 0.5, "b": 0.5})},
    ):
        path = rv.export(given, "levanter", tmp_path / "c.yaml", overwrite=True)
        assert dict(rv.load_schedule(path)) == dict(schedule)
    with pytest.raises(rv.ReweightvizError, match="holds a schedule of 2 stages"):
        rv.load_mixture(path)
    assert rv.load_mixture(rv.export({"a": 0.5, "b": 0.5}, "levanter", path, merge=True)) == {
        "a": 0.5,
        "b": 0.5,
    }
    assert (tmp_path / "c.yaml.bak").exists()
    with pytest.raises(rv.ReweightvizError, match="more than 2 epochs"):
        rv.export(
            {"a": 1.0},
            "levanter",
            path,
            overwrite=True,
            sources={"a": "1B"},
            tokens=3e9,
            max_epochs=2,
        )
    assert rv.load_mixture(rv.Mixture({"a": 1.0}).save(tmp_path / "m.json")) == {"a": 1.0}
    assert rv.load_schedule(schedule.save(tmp_path / "s.json")).steps == 2048


def test_the_readmes_python_names_are_real(root):
    import re

    text = (root / "README.md").read_text("utf-8")
    for name in set(re.findall(r"\brv\.(\w+)", text)):
        assert hasattr(rv, name), name
    assert "/work" not in text


@pytest.mark.filterwarnings("ignore::reweightviz.core.errors.ReweightvizWarning")
def test_the_readmes_ten_lines_run(root, tmp_path, monkeypatch):
    import re

    blocks = re.findall(r"```python\n(.*?)```", (root / "README.md").read_text("utf-8"), re.DOTALL)
    written = {
        "ten": "mixture/mixture.yaml",
        "table": "packed/mixture.yaml",
        "ship": "interleave/mixture.yaml",
        "watch": "mix.json",
    }
    for name, block in zip(
        ("ten", "table", "score", "ship", "mixers", "watch", "laws"), blocks, strict=True
    ):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        exec(compile(block, "README.md", "exec"), {"rv": rv})  # noqa: S102
        assert (tmp_path / name / written.get(name, "")).exists()
    assert "/data/" in (tmp_path / "table" / "blend.txt").read_text()


def test_bad_input_to_the_verbs_is_one_sentence(tmp_path):
    law = rv.fit(rv.demo_swarm(), rv.laws.Olmix(draws=5))
    for keywords, sentence in (
        ({"bounds": {"json": 0.3}}, r"bounds of 'json' must be \(lowest, highest\)"),
        (
            {"max_epochs": 4, "tokens": 0, "sources": rv.demo_swarm().tokens},
            "tokens must be a number above 0",
        ),
        ({"max_epochs": 4, "tokens": 1e6, "sources": {"json": 1.0}}, "no token count for"),
    ):
        with pytest.raises(rv.ReweightvizError, match=sentence):
            rv.optimize(law, **keywords)
    for call in (
        lambda: rv.fit(rv.demo_swarm(), rv.laws.Olmix),
        lambda: rv.mix({"tokens": {"web": 1.0}}, rv.mixers.Natural),
    ):
        with pytest.raises(rv.ReweightvizError, match=r"got the class \w+: add \(\)"):
            call()
    corpus = rv.Corpus({"text": ["a"], "domain": ["x"], "score:mine": [0.1], "loss": [2.0]})
    for call, sentence in (
        (
            lambda: rv.fit(rv.demo_swarm(), "olmix"),
            r"rv.fit takes a method with its parameters, such as rv.laws.Olmix\(\); got 'olmix'",
        ),
        (
            lambda: rv.fit("runs", rv.laws.Olmix()),
            "rv.fit takes a swarm, as rv.read_swarm returns one; got 'runs'",
        ),
        (
            lambda: rv.score(corpus, "loss"),
            "rv.score takes a method with its parameters, .* got 'loss'",
        ),
        (lambda: rv.score(corpus, rv.scorers.Loss), r"got the class Loss: add \(\)"),
        (
            lambda: rv.select(corpus, "top", k=1),
            "rv.select takes a method with its parameters, .* got 'top'",
        ),
        (lambda: rv.optimize("olmix"), "a proposal needs a law, which rv.fit gives; got 'olmix'"),
        (
            lambda: rv.pareto("olmix", ["a", "b"]),
            "a proposal needs a law, which rv.fit gives; got 'olmix'",
        ),
    ):
        with pytest.raises(rv.ReweightvizError, match=sentence):
            call()
    mixture = rv.Mixture.uniform(tuple(reversed(law.domains)))
    assert (
        law.predict(mixture).tolist()
        == law.predict([dict(mixture)]).tolist()
        == law.predict(mixture.aligned(law.domains)).tolist()
    )
    strange = "the mixture and the law name different domains: only in the mixture 'web'; only in the law '"
    for weights, sentence in (
        ("x", "got 'x'"),
        ([0.5, 0.5], r"got shape \(2,\)"),
        ({"web": 1.0}, strange),
    ):
        with pytest.raises(rv.ReweightvizError, match=sentence):
            law.predict(weights)
    with pytest.raises(
        rv.ReweightvizError, match="ODM learns from 'loss', which is nowhere a finite number"
    ):
        rv.mix({"loss": {"web": [float("nan")] * 3, "code": [float("nan")] * 3}}, rv.mixers.ODM())
    with pytest.raises(rv.ReweightvizError, match="takes signal to domain to number"):
        rv.mix({"web": 1e12}, rv.mixers.Natural())
    two = {"excess_loss": {"web": [1, 2], "code": [1, 2]}}
    for signals, mixer, others, sentence in (
        (
            {"tokens": {"web": "many"}},
            rv.mixers.Natural(),
            {},
            r"tokens must be a number >= 0, such as 1.2e12 or '1.2T' \(K, M, B or G, T\); got 'many'",
        ),
        (
            {"loss": {"web": "many"}},
            rv.mixers.DoReMi(),
            {},
            "signal 'loss' must be numbers, in rows of one length",
        ),
        (
            {"excess_loss": {"web": [1, 2], "code": [1]}},
            rv.mixers.DoReMi(),
            {},
            "signal 'excess_loss' must be numbers, in rows of one length",
        ),
        (3, rv.mixers.Natural(), {}, "takes signal to domain to number, .* or a run log; got 3"),
        ({"tokens": {}}, rv.mixers.Natural(), {}, "got numbers, or no domains, for 'tokens'"),
        (
            two,
            "DoReMi",
            {},
            "rv.mix takes a method with its parameters, such as rv.mixers.Natural.*; got 'DoReMi'",
        ),
        (two, rv.mixers.DoReMi(), {"pior": [1, 0]}, "no signal 'pior'; did you mean 'prior'"),
        (
            {"loss": {"web": [1, 2], "code": [1, 2]}, "drawn_tokens": {"web": 1, "code": 1}},
            rv.mixers.ADO(),
            {},
            "ADO reads its signals step by step, as many steps of each; these have 'loss' 2, 'drawn_tokens' 1",
        ),
        (
            {"prior": {"web": 1.0}},
            rv.mixers.MetaRater(),
            {"law": "x"},
            "MetaRater takes a fitted law, such as rv.fit returns; got 'x'",
        ),
    ):
        with pytest.raises(rv.ReweightvizError, match=sentence):
            rv.mix(signals, mixer, **others)
    with pytest.raises(
        rv.ReweightvizError, match="no option of JSON 'overwite'; did you mean 'overwrite'"
    ):
        rv.export({"a": 1.0}, "json", tmp_path / "m.json", overwite=True)
    with pytest.raises(
        rv.ReweightvizError,
        match="takes a mixture, a mapping of domain to weight, a Schedule or a Selection; got list",
    ):
        rv.export([1], "json", tmp_path / "m.json")
    assert rv.load_mixture(rv.export({"a": 1.0}, "json", tmp_path / "m.json")) == {"a": 1.0}
    corpus = rv.Corpus({"text": ["a", "b"], "domain": ["x", "y"]})
    for rows, sentence in (
        ([False, False], "selection is empty"),
        ([5], "rows must be between 0 and 1; got 5"),
    ):
        with pytest.raises(rv.ReweightvizError, match=sentence):
            rv.split_domain(corpus, rows, "new")


def test_a_selection_leaves_as_documents_and_comes_back(tmp_path):
    corpus = rv.Corpus(
        {
            "id": ["a", "b", "c"],
            "text": ["one", "two", "three"],
            "domain": ["x", "y", "x"],
            "score:mine": [0.1, 0.9, 0.5],
        }
    )
    picked = rv.select(corpus, rv.selectors.TopK(), k=2)
    path = rv.export(picked, "jsonl", tmp_path / "picked.jsonl", corpus=corpus)
    assert [json.loads(line)["text"] for line in path.read_text().splitlines()] == ["two", "three"]
    assert rv.load_selection(path, corpus).rows.tolist() == [1, 2]
    with pytest.raises(rv.ReweightvizError, match="no format of selected documents 'megatron'"):
        rv.export(picked, "megatron", tmp_path / "blend")


def test_an_installed_wheel_carries_the_demo_data_and_the_front_end(root, tmp_path):
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--no-deps",
            "--no-build-isolation",
            "-q",
            "-w",
            str(tmp_path),
            str(root),
        ],
        check=True,
    )
    wheel = next(tmp_path.glob("*.whl"))
    names = set(zipfile.ZipFile(wheel).namelist())
    widgets = {
        str(path.relative_to(root))
        for path in (root / "reweightviz" / "widgets").rglob("*")
        if path.suffix in {".js", ".css"}
    }
    assert widgets <= names
    assert {
        "reweightviz/py.typed",
        "reweightviz/decision/page.css",
        "reweightviz/data/swarm/runs.jsonl",
        "reweightviz/data/logs/doremi.jsonl",
        "reweightviz/data/proxy/natural.npz",
    } <= names
    # Installed alone, without the repository around it: the command line reads nothing beside it.
    target = tmp_path / "installed"
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "-q", "--target", str(target)]
    subprocess.run([*install, str(wheel)], check=True)

    def ask(*arguments):
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(target)},
            capture_output=True,
            text=True,
        )

    place = ask("-c", "import reweightviz; print(reweightviz.__file__)").stdout
    assert place.startswith(str(target))
    for name, first in (([], "Mixing laws, for rv.fit"), (["topk"], "TopK (selector): ")):
        done = ask("-m", "reweightviz.cli", "methods", *name)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(first)
