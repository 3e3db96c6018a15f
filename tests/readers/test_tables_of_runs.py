"""Tables of runs as people have them: phases, long tables, mixtures in names, every format."""

import gzip
import json
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import reweightviz as rv

MARIN = """run_id,wandb_run_id,status,phase_0_web,phase_0_code,phase_1_web,phase_1_code,\
phase_0_web_epochs,phase_0_code_epochs,phase_1_code_epochs,eval/loss,eval/paloma/c4_en/bpb
1,aaa,completed,0.9,0.1,0.5,0.5,0.45,0.4,2.1,3.61,1.10
2,bbb,completed,0.8,0.2,0.7,0.3,0.40,0.8,1.2,3.58,1.08
3,ccc,completed,1.0,0.0,0.2,0.8,0.50,0.0,3.3,3.70,1.15
4,ddd,running,0.6,0.4,0.6,0.4,0.30,1.6,1.6,,
"""
"""Columns as marin-community/marin experiments/domain_phase_mix writes them (analysis.py, add_epoch_columns.py)."""
MIXING_LAWS = """\
/x/ckpts/70M_1-0.25-0.75/27000\t/x/data/pile.valid.Github.bin\t1.45
/x/ckpts/70M_1-0.25-0.75/27000\t/x/data/pile.valid.Pile-CC.bin\t3.10
/x/ckpts/70M_1-0.25-0.75/9000\t/x/data/pile.valid.Github.bin\t1.95
/x/ckpts/70M_1-0.25-0.75/9000\t/x/data/pile.valid.Pile-CC.bin\t3.60
/x/ckpts/70M_2-0.5-0.5/27000\t/x/data/pile.valid.Github.bin\t1.30
/x/ckpts/70M_2-0.5-0.5/27000/\t/x/data/pile.valid.Pile-CC.bin\t3.20
/x/ckpts/70M_2-0.5-0.5/30000\t/x/data/pile.valid.Github.bin\t1.20
/x/ckpts/70M_2-0.5-0.5/27000\t/x/data/pile.valid.Github.bin\t1.30
"""
"""Lines as yegcjs/mixinglaws data/*/*.txt has them: a step a line, one twice, one step not whole."""
ROWS = [
    {"run": "a", "state": "finished", "mix/web": 0.7, "mix/code": 0.3, "eval/web/loss": 3.25},
    {"run": "b", "state": "finished", "mix/web": 0.4, "mix/code": 0.6, "eval/web/loss": 3.5},
]


def write(path, text):
    path.write_text(text, "utf-8")
    return path


def read(*given, **options):
    """Read without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return rv.read_swarm(*given, **options)


# ---- groups of weights


def test_phases_are_named_and_one_is_taken_by_its_prefix(tmp_path):
    path = write(tmp_path / "runs.csv", MARIN)
    with (
        pytest.warns(rv.ReweightvizWarning, match="1 of 4 runs left out"),
        pytest.raises(rv.ReweightvizError, match=r"like 'phase_0_', 'phase_1_'.*weights='p"),
    ):
        rv.read_swarm(path)
    with pytest.warns(rv.ReweightvizWarning) as told:
        swarm = rv.read_swarm(path, weights="phase_1_")
    assert "'phase_1_code_epochs' left out of the weights" in str(told[1].message)
    assert (swarm.domains, swarm.mixtures[0].tolist()) == (("web", "code"), [0.5, 0.5])
    assert swarm.targets == ("eval/loss",)


def test_groups_of_different_sizes_are_no_reason_to_take_the_larger():
    rows = [row | {"late/a": 0.5, "late/b": 0.25, "late/c": 0.25, "late/d": 0.0} for row in ROWS]
    with pytest.raises(rv.ReweightvizError, match="like 'mix/', 'late/'"):
        read(rows)
    assert read(rows, weights="mix/").domains == ("web", "code")


def test_two_columns_of_mappings_are_phases_too():
    rows = [
        {
            "run": "a",
            "p0": {"web": 0.9, "code": 0.1},
            "p1": {"web": 0.5, "code": 0.5},
            "eval_loss": 3,
        }
    ]
    with pytest.raises(rv.ReweightvizError, match="like 'p0', 'p1'"):
        read(rows)
    assert read(rows, weights="p0").mixtures.tolist() == [[0.9, 0.1]]


def test_the_same_mixture_written_twice_and_zeros_beside_a_group_are_one():
    rows = [
        row | {"config.web": row["mix/web"], "config.code": row["mix/code"]} | {"mix/wiki": 0.0}
        for row in ROWS
    ]
    assert read([row | {"mix/wiki": 0.0} for row in ROWS]).domains == ("web", "code", "wiki")
    with pytest.raises(rv.ReweightvizError, match="several groups"):
        read(rows)  # another count of domains is another group
    twice = [{k: v for k, v in row.items() if k != "mix/wiki"} for row in rows]
    assert read(twice).mixtures.tolist() == [[0.7, 0.3], [0.4, 0.6]]


def test_a_learning_rate_beside_the_weights_is_no_domain():
    swarm = read([row | {"mix/lr": 3e-4} for row in ROWS])
    assert swarm.domains == ("web", "code")


def test_a_learning_rate_beside_the_group_of_the_weights_is_no_domain():
    rows = [
        {
            "config.lr": 1e-4 * n,
            "config.mix.web": n / 10,
            "config.mix.code": 1 - n / 10,
            "eval_loss": n,
        }
        for n in (1, 2, 3)
    ]
    assert read(rows).domains == ("web", "code")


WANDB = [
    {
        "summary": {"_step": 100, "eval/web/loss": loss, "grad": float("nan")},
        "config": {"lr": 3e-4 * loss, "data": {"seed": 1, "mix": {"web": web, "code": 1 - web}}},
        "name": name,
    }
    for name, web, loss in (("a", 0.75, 3.25), ("b", 0.5, 3.5))
]
"""As the recipe of W&B's documentation exports runs (Public API, "Export data")."""


def test_the_recipe_of_wandb_is_read_from_memory_csv_and_json(tmp_path):
    frame = pd.DataFrame(WANDB)
    frame.to_csv(tmp_path / "project.csv")
    (tmp_path / "project.json").write_text(json.dumps(WANDB))
    for table in (WANDB, frame, tmp_path / "project.csv", tmp_path / "project.json"):
        swarm = read(table)
        assert (swarm.domains, swarm.targets) == (("web", "code"), ("summary.eval/web/loss",))
        assert swarm.mixtures.tolist() == [[0.75, 0.25], [0.5, 0.5]]
        assert (swarm.losses.ravel().tolist(), [*swarm.runs["run"]]) == ([3.25, 3.5], ["a", "b"])


def test_mappings_that_unfold_to_too_much_are_one_sentence():
    rows = [{"config": {str(n): 2 for n in range(20_001)}, "name": "a"}]
    with pytest.raises(rv.ReweightvizError, match="unfold to 20002 columns"):
        read(rows)
    with pytest.raises(rv.ReweightvizError, match="unfold to 2 columns, 1 of them different"):
        read([{"config": {"a": 2}, "config.a": 3}])


# ---- long tables


def test_checkpoints_of_mixing_laws(tmp_path):
    path = write(tmp_path / "70M.txt", MIXING_LAWS)
    with pytest.warns(rv.ReweightvizWarning) as told:
        swarm = rv.read_swarm(path)
    said = [str(one.message) for one in told]
    assert "last step with every target, 27000: step= takes another" in said[0]
    assert "'70M_1-0.25-0.75', without names of their domains: domains= takes the 2" in said[1]
    assert swarm.domains == ("domain1", "domain2")
    assert swarm.targets == ("Github", "Pile-CC")
    assert swarm.mixtures.tolist() == [[0.25, 0.75], [0.5, 0.5]]
    assert swarm.losses.tolist() == [[1.45, 3.10], [1.30, 3.20]]
    assert swarm.runs.to_dict("list") == {
        "run": ["70M_1-0.25-0.75", "70M_2-0.5-0.5"],
        "step": [27000, 27000],
    }


def test_a_step_or_every_step_of_checkpoints(tmp_path):
    path = write(tmp_path / "70M.txt", MIXING_LAWS)
    named = {"domains": ["train_a", "train_b"]}
    early = read(path, step=9000, run_tokens=4096 * 256, **named)
    assert early.domains == ("train_a", "train_b")
    assert early.losses.tolist() == [[1.95, 3.60]]
    assert early.signals()["run_tokens"].tolist() == [9000 * 4096 * 256]
    with pytest.warns(rv.ReweightvizWarning, match="1 of 4 runs skipped"):
        every = rv.read_swarm(path, step="all", on_error="skip", **named)
    assert every.runs["step"].tolist() == [27000, 9000, 27000]
    with pytest.raises(rv.ReweightvizError, match="no run has step 500; there is 9000, 27000"):
        read(path, step=500, **named)
    with pytest.raises(rv.ReweightvizError, match="2 of 2 names of runs end in no 3 weights"):
        read(path, step=27000, domains=["a", "b", "c"])


LONG = """run,target,loss
0.25-0.75,github,1.45
0.25-0.75,pilecc,3.10
0.5-0.5,github,1.30
0.5-0.5,pilecc,3.20
"""


def test_a_long_table_with_the_mixture_in_the_name_or_in_columns(tmp_path):
    named = read(write(tmp_path / "long.csv", LONG), domains=["code", "web"])
    assert (named.domains, named.targets) == (("code", "web"), ("github", "pilecc"))
    assert named.losses.tolist() == [[1.45, 3.10], [1.30, 3.20]]
    rows = [
        {"model": run, "task": task, "score": run * 10 + place, "w.a": run / 4, "w.b": 1 - run / 4}
        for run in (1, 2)
        for place, task in enumerate(("x", "y"))
    ]
    swarm = read(rows)
    assert swarm.mixtures.tolist() == [[0.25, 0.75], [0.5, 0.5]]
    assert swarm.losses.tolist() == [[10, 11], [20, 21]]
    renamed = [{"who": r["model"], "what": r["task"], "nll": r["score"], **r} for r in rows]
    renamed = [{k: v for k, v in r.items() if k not in {"model", "task", "score"}} for r in renamed]
    again = read(renamed, name="who", target="what", value="nll")
    assert again.losses.tolist() == swarm.losses.tolist()


def test_two_long_tables():
    ratios = [
        {"run": "a", "domain": "web", "weight": 1.0},
        {"run": "b", "domain": "web", "weight": 0.5},
        {"run": "b", "domain": "code", "weight": 0.5},
    ]
    metrics = [
        {"run": run, "metric": metric, "value": value}
        for run, metric, value in (("a", "x", 1), ("a", "y", 2), ("b", "x", 3), ("b", "y", 4))
    ]
    swarm = read(ratios, metrics)
    assert (swarm.domains, swarm.mixtures.tolist()) == (("web", "code"), [[1, 0], [0.5, 0.5]])
    assert swarm.losses.tolist() == [[1, 2], [3, 4]]


def test_a_list_of_mixtures_and_the_runs_whose_names_end_in_them(tmp_path):
    listed = write(tmp_path / "proportions.txt", "0.5-0.5\n0.25-0.75\n")
    long = write(tmp_path / "70M.txt", MIXING_LAWS)
    with pytest.warns(rv.ReweightvizWarning, match="27000"):
        swarm = rv.read_swarm(listed, long, domains=["code", "web"])
    assert swarm.runs["run"].tolist() == ["0.5-0.5", "0.25-0.75"]
    assert swarm.losses.tolist() == [[1.30, 3.20], [1.45, 3.10]]


def test_names_without_a_mixture_and_names_with_two_readings():
    rows = [
        {"run": run, "target": target, "loss": 1.0}
        for run in ("m1-0.5-0.5", "m2-0.25-0.75", "start")
        for target in ("x", "y")
    ]
    with pytest.raises(rv.ReweightvizError, match="1 of 3 names of runs end in no 2 .*'start'; on"):
        read(rows, domains=["a", "b"])
    with pytest.warns(rv.ReweightvizWarning, match="1 of 3 runs skipped"):
        assert len(rv.read_swarm(rows, domains=["a", "b"], on_error="skip")) == 2
    doubtful = [row | {"run": "0-0.5-0.5"} for row in rows[:2]]
    with pytest.raises(rv.ReweightvizError, match="mixtures of 2 or 3 domains: domains= names"):
        read(doubtful)
    assert read(doubtful, domains=["a", "b", "c"]).mixtures.tolist() == [[0, 0.5, 0.5]]


def test_rows_without_a_run_or_target_are_named():
    rows = [{"run": "a-0.5-0.5", "target": target, "loss": 1.0} for target in ("x", "y", None)]
    with pytest.raises(
        rv.ReweightvizError, match=r"row 3 of the table has nothing in 'target' \(1"
    ):
        read(rows)


def test_runs_numbered_in_a_folder_are_no_steps():
    rows = [
        {"run": f"swarm/{run}", "target": target, "loss": run, "w/a": 0.5, "w/b": 0.5}
        for run in (1, 2)
        for target in ("x", "y")
    ]
    assert read(rows).losses.tolist() == [[1, 1], [2, 2]]


def test_a_second_value_of_a_target_is_named():
    rows = pd.DataFrame(
        {"run": ["a-0.5-0.5"] * 3, "target": ["x", "y", "x"], "loss": [1.0, 2.0, 3.0]}
    )
    with pytest.raises(rv.errors.DuplicateName, match=r"once in run 'a-0.5-0.5'; 'x' came more"):
        read(rows)


def test_phases_of_a_long_table_are_told_apart():
    rows = [
        {"run": "a", "phase": phase, "domain": domain, "weight": 0.5}
        for phase in ("phase_0", "phase_1")
        for domain in ("web", "code")
    ]
    losses = [{"run": "a", "loss": 1.0}]
    with pytest.raises(rv.errors.DuplicateName, match=r"run 'a' \(keep the rows of one 'phase'\)"):
        read(rows, losses)
    assert read(rows[:2], losses).mixtures.tolist() == [[0.5, 0.5]]


def test_a_history_of_several_runs_gives_their_last_whole_step():
    rows = [
        row | {"_step": step, "eval/web/loss": loss}
        for row, losses in zip(ROWS, ([4, 3, None], [5, 2, 1]), strict=True)
        for step, loss in enumerate(losses)
    ]
    with pytest.warns(rv.ReweightvizWarning, match="last step with every target, 1 to 2"):
        swarm = rv.read_swarm(rows)
    assert swarm.losses.tolist() == [[3], [1]]


def test_weights_alone_are_no_targets():
    with pytest.raises(rv.ReweightvizError, match="no column of the table names a held-out loss"):
        read(ROWS, metrics="mix/")


# ---- cells


@pytest.mark.parametrize(
    ("cell", "number"), [("3.25", 3.25), (" 3.25 ", 3.25), ("1,234.5", 1234.5), ("1e-3", 0.001)]
)
def test_text_that_is_a_number_is_one(cell, number):
    rows = [ROWS[0] | {"eval/web/loss": cell}, ROWS[1]]
    assert read(rows).losses[0, 0] == number
    ratios = [{"run": "a", "web": 1.0}]
    assert read(ratios, [{"run": "a", "loss": cell}]).losses[0, 0] == number


@pytest.mark.parametrize("cell", ["diverged", "70%", True, [3.0], "1,23.5"])
def test_a_cell_that_is_no_number_is_named_and_skipped_when_asked(cell):
    for column in ("eval/web/loss", "mix/web"):
        rows = [ROWS[0], ROWS[1] | {column: cell}, ROWS[0] | {"run": "c"}]
        options = {"weights": "mix/", "metrics": "eval/"}
        with pytest.raises(rv.ReweightvizError, match=f"column '{column}' of the runs must hold"):
            read(rows, **options)
        with pytest.warns(rv.ReweightvizWarning, match="1 of 3 runs skipped"):
            assert len(rv.read_swarm(rows, on_error="skip", **options)) == 2
    with pytest.raises(rv.ReweightvizError, match="row 2 has"):
        read([ROWS[0], ROWS[1] | {"eval/web/loss": cell}])


@pytest.mark.parametrize("cell", [None, "", "nan", float("inf"), "-inf"])
def test_a_loss_that_is_none_or_endless_is_named(cell):
    rows = [ROWS[0], ROWS[1] | {"eval/web/loss": cell}]
    with pytest.raises(rv.ReweightvizError, match=r"run \('b',\) has no number in 'eval/web/loss'"):
        read(rows)


def test_sizes_are_counts():
    rows = [row | {"size": "70M", "seen": "1,000"} for row in ROWS]
    swarm = read(rows, size="size", run_tokens="seen")
    assert swarm.runs[["size", "run_tokens"]].to_numpy().tolist() == [[7e7, 1000.0]] * 2
    with pytest.raises(rv.ReweightvizError, match="column 'state' of the runs must be a number"):
        read(rows, size="state")


# ---- formats


def formats(folder):
    """Return the same table in every format."""
    frame = pd.DataFrame(ROWS)
    split = {"columns": list(frame), "data": frame.to_numpy().tolist()}
    texts = {
        "a.csv": frame.to_csv(index=False),
        "b.tsv": frame.to_csv(index=False, sep="\t"),
        "c.txt": frame.to_csv(index=False, sep=" "),
        "semicolons.csv": "\ufeff" + frame.to_csv(index=False, sep=";"),
        "d.json": json.dumps(ROWS),
        "e.jsonl": "\n".join(map(json.dumps, ROWS)),
        "f.json": json.dumps(split),
        "g.json": frame.to_json(),
    }
    for name, text in texts.items():
        yield write(folder / name, text)
    (folder / "h.csv.gz").write_bytes(gzip.compress(texts["a.csv"].encode()))
    frame.to_parquet(folder / "i.parquet")
    with pa.CompressedOutputStream(str(folder / "j.csv.zst"), "zstd") as file:
        file.write(texts["a.csv"].encode())
    yield from (folder / "h.csv.gz", folder / "j.csv.zst", str(folder / "i.parquet"))
    yield from (frame, pa.Table.from_pylist(ROWS), ROWS)
    yield {name: frame[name].tolist() for name in frame}
    yield frame.convert_dtypes()
    yield frame.astype({"run": "category"})


def test_every_format_is_read_alike(tmp_path):
    for table in formats(tmp_path):
        swarm = read(table)
        assert swarm.mixtures.tolist() == [[0.7, 0.3], [0.4, 0.6]]
        assert swarm.losses.tolist() == [[3.25], [3.5]]
        assert swarm.runs["run"].tolist() == ["a", "b"]


def test_a_table_of_polars():
    polars = pytest.importorskip("polars")
    for table in (polars.DataFrame(ROWS), polars.DataFrame(ROWS).lazy()):
        assert read(table).mixtures.tolist() == [[0.7, 0.3], [0.4, 0.6]]


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("a.csv", "", "a.csv is empty"),
        ("a.csv", "run,web,web\na,1,0\n", r"each column may stand once in .*a.csv; 'web' came"),
        ("a.csv", "run,web\na,1,2\n", "names 2 columns in its header, and its first row has 3"),
        ("a.json", "[1, 2]", "holds JSON, but no objects"),
        ("a.json", "{" * 100_000, "cannot read"),
        ("a.json", '{"a": 1', "cannot read"),
        ("a.parquet", "PAR1 and no more", "cannot read .*a.parquet as a table of runs"),
        ("a.csv.gz", "no gzip", "cannot read"),
    ],
)
def test_what_is_no_table_is_one_sentence(tmp_path, name, text, sentence):
    with pytest.raises(rv.ReweightvizError, match=sentence):
        read(write(tmp_path / name, text))


def test_a_small_file_of_a_large_table_is_refused(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"run,web\n" + b"a,1.0\n" * 30_000_000, 1))
    with pytest.raises(rv.ReweightvizError, match=r"it has more than \d{8} bytes"):
        read(tmp_path / "a.csv.gz")
    table = pa.table({"web": pa.array(np.zeros(100_000_001, np.int8))})
    pq.write_table(table, tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").stat().st_size < 10**6
    with pytest.raises(rv.ReweightvizError, match="unfolds to more than 10 times its size"):
        read(tmp_path / "a.parquet")


# ---- whatever is in it


SEEDS = [
    MARIN,
    MIXING_LAWS,
    LONG,
    json.dumps(ROWS),
    "\n".join(map(json.dumps, ROWS)),
    pd.DataFrame(ROWS).to_csv(index=False),
    "index,train_the_pile_arxiv,train_the_pile_pile_cc\n1,0.333,0.666\n2,1.0,0.0\n",
    "run,name,index,eval/arc_bpb,eval/mmlu_bpb\nr1,exp-1,0,1.5,2.5\nr2,exp-2,1,1.25,2.25\n",
]
PIECES = st.sampled_from(
    [*',\t\n"{}[]-\x00é\r ;/', "", "1e400", "-1", "nan", "0.5", "9" * 400, "null", "run", "target"]
)
CUTS = st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 40), PIECES), max_size=6)


@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    seed=st.sampled_from(SEEDS),
    cuts=CUTS,
    other=st.sampled_from([None, *SEEDS]),
    suffix=st.sampled_from([".csv", ".txt", ".json"]),
    on_error=st.sampled_from(["raise", "skip"]),
)
@pytest.mark.filterwarnings("ignore")
def test_a_damaged_table_is_read_or_is_one_sentence(tmp_path, seed, cuts, other, suffix, on_error):
    text = seed
    for place, length, piece in cuts:
        at = place % (len(text) + 1)
        text = text[:at] + piece + text[at + length :]
    path = tmp_path / f"a{suffix}"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    tables = [path]
    if other is not None:
        tables.append(write(tmp_path / "b.csv", other))
    try:
        swarm = rv.read_swarm(*tables, on_error=on_error)
    except rv.ReweightvizError:
        return
    assert np.isfinite(swarm.mixtures).all()
    assert np.isfinite(swarm.losses).all()


def test_weights_may_have_a_common_end_instead_of_a_beginning():
    rows = [
        {"Name": "a", "web_ratio": 0.7, "code_ratio": 0.3, "lr": 0.1, "val_loss": 3.0},
        {"Name": "b", "web_ratio": 0.4, "code_ratio": 0.6, "lr": 0.1, "val_loss": 2.9},
    ]
    swarm = rv.read_swarm(rows)
    assert swarm.domains == ("web", "code")
    assert swarm.mixtures.tolist() == [[0.7, 0.3], [0.4, 0.6]]
    # A beginning goes first: two phases that mirror each other have ends that sum to 1, too.
    mirrored = [
        {"run": "a", "p0_web": 0.7, "p0_code": 0.3, "p1_web": 0.3, "p1_code": 0.7, "val_loss": 3.0},
        {"run": "b", "p0_web": 0.4, "p0_code": 0.6, "p1_web": 0.6, "p1_code": 0.4, "val_loss": 2.9},
    ]
    with pytest.raises(rv.ReweightvizError, match="those like 'p0_', 'p1_'"):
        rv.read_swarm(mirrored)
    assert rv.read_swarm(mirrored, weights="*_web").domains == ("p0", "p1")


def test_a_folder_of_runs_holds_logs_of_any_format(tmp_path):
    for name, web in {"a": 0.75, "b": 0.25}.items():
        (tmp_path / name).mkdir()
        lines = [f"{step},{web},{1 - web},{3 - web},2" for step in (0, 10, 20)]
        head = "step,weights/web,weights/code,eval/web/loss,eval/code/loss"
        (tmp_path / name / "metrics.csv").write_text("\n".join([head, *lines]))
    with pytest.raises(
        rv.ReweightvizError, match=r"like '\*\.jsonl' in .*; pattern= reads '\*\.csv'"
    ):
        rv.read_swarm(tmp_path)
    swarm = rv.read_swarm(tmp_path, pattern="*.csv")
    assert swarm.runs["run"].tolist() == ["a/metrics", "b/metrics"]
    assert swarm.mixtures.tolist() == [[0.75, 0.25], [0.25, 0.75]]
    assert swarm.losses.tolist() == [[2.25, 2.0], [2.75, 2.0]]
    (tmp_path / "a" / "metrics.csv").write_text("step,eval/web/loss,eval/code/loss\n1,3,2\n")
    with pytest.raises(rv.ReweightvizError, match="holds no weights, so its mixture is not known"):
        rv.read_swarm(tmp_path, pattern="*.csv")


def test_bounds_of_a_chart_of_wandb_are_no_targets_or_weights():
    row = {"Name": "a", "mix/web": 0.7, "mix/code": 0.3, "eval/web/loss": 3.1}
    bounds = {f"{name}{end}": row[name] for name in list(row)[1:] for end in ("__MIN", "__MAX")}
    swarm = rv.read_swarm([row | bounds])
    assert (swarm.domains, swarm.targets) == (("web", "code"), ("eval/web/loss",))


def test_a_comma_is_what_its_column_says(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text('mix_a;mix_b;eval_loss\n"0,25";"0,75";"2,345"\n"0,5";"0,5";"2,4"\n')
    swarm = rv.read_swarm(path)
    assert swarm.losses[:, 0].tolist() == [2.345, 2.4]
    path.write_text('mix_a;mix_b;eval_loss\n"0,25";"0,75";"2,345"\n"0,5";"0,5";"2,412"\n')
    with pytest.raises(rv.ReweightvizError, match="'2,345'"):
        rv.read_swarm(path, metrics="eval_loss")


def test_a_seed_is_no_domain_and_tells_runs_of_one_name_apart():
    ratios = pd.DataFrame(
        {"run": ["a", "a"], "seed": [0, 1], "web": [0.7, 0.7], "code": [0.3, 0.3]}
    )
    metrics = pd.DataFrame({"run": ["a", "a"], "seed": [1, 0], "eval": [3.1, 3.2]})
    swarm = rv.read_swarm(ratios, metrics)
    assert swarm.domains == ("web", "code")
    assert swarm.losses[:, 0].tolist() == [3.2, 3.1]
    assert swarm.runs["seed"].tolist() == [0, 1]
