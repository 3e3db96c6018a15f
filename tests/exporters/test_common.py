"""What holds for every exporter: round trips, units, provenance, files that are there already."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from reweightviz import exporters
from reweightviz.core.errors import ReweightvizError, ReweightvizWarning
from reweightviz.core.mixture import Mixture
from reweightviz.core.schedule import Schedule
from reweightviz.core.sources import Source, Sources
from reweightviz.exporters import provenance

AWKWARD = [
    "no",
    "on",
    "Null",
    "1.5",
    "0x1F",
    "1_000",
    "2024-01-01",
    "a: b",
    "- c",
    "# d",
    "'",
    '"',
    "\n",
    "\x85\u2028",
    "\x7f\x00\x1b",
    "~",
    "!tag",
    "&a",
    "*a",
    "{x}",
    "<b>HTML</b>",
    "../../etc/passwd",
    "/abs",
    "..",
    ".",
    "a,b",
    "🦜 émoji",
    "x" * 300,
    " ",
    "",
    "Web",
    "web",
    "web\\n",
    "%",
    "|",
    ">",
    "\ufeff",
    "\U0010ffff",
    "=",
    "<<",
    "domains",
    "provenance",
    "a:b",
    "1e-5",
]
names = st.one_of(
    st.sampled_from(AWKWARD), st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
)
weights = st.one_of(st.just(0.0), st.floats(1e-3, 1.0))
FRAMEWORKS = sorted(exporters.FRAMEWORKS)
SCHEDULES = [name for name in FRAMEWORKS if exporters.find(name).takes_schedules]
OWN_DRAFT = {name for name in FRAMEWORKS if "draft" in vars(type(exporters.find(name)))}
SOME = sorted({"levanter", "litdata", "trl"} | OWN_DRAFT)
"""Three, and those with a ``draft`` of their own: for what the base class alone settles."""
COUNTED = [
    name
    for name in FRAMEWORKS
    if name in SOME
    or exporters.find(name).repeats_nothing
    or exporters.find(name).largest_number < 5
]
"""For epochs: those that the base class treats in a way of their own too."""


ENDINGS = {"levanter": ".jsonl", "ray": ".jsonl"}
"""Of the formats that take files alone; the others take a folder or prefix too."""


def sources_of(mixture, framework: str) -> Sources:
    """Domains of different sizes and document lengths, each at a path that the format can hold."""
    domains, ending = (
        mixture.domains if isinstance(mixture, Schedule) else mixture,
        ENDINGS.get(framework, ""),
    )
    return Sources(
        {
            d: Source(1e9 * (i + 1), documents=1e6, paths=(f"data/{i}/part{ending}",))
            for i, d in enumerate(domains)
        }
    )


def place(framework: str, folder: Path) -> Path:
    return folder / f"out{exporters.find(framework).suffix}"


def written(framework: str, mixture, folder: Path, **options) -> Path:
    return exporters.find(framework).write(
        mixture, place(framework, folder), sources=sources_of(mixture, framework), **options
    )


def all_text(path: Path) -> str:
    return "".join(
        file.read_text("utf-8")
        for file in sorted(path.parent.rglob("*"))
        if file.is_file() and not file.name.endswith(".bak")
    )


def close(framework: str, mixture) -> dict:
    """How near the weights of a round trip are: to the last bits, or to the grid of a framework that compares sums."""
    exporter = exporters.find(framework)
    return {"rtol": 1e-7, "atol": 2**-38} if exporter.exact else {"rtol": exporter.precision}


@pytest.mark.parametrize("framework", FRAMEWORKS)
@settings(max_examples=50)
@given(table=st.dictionaries(names, weights, min_size=1, max_size=8))
def test_what_is_read_back_is_what_was_written(framework, table):
    assume(any(table.values()))
    mixture = Mixture.normalized(
        table, source={"method": "test", "array": np.ones(2), "no": np.inf}
    )
    with tempfile.TemporaryDirectory() as folder:
        path = written(framework, mixture, Path(folder))
        back = exporters.find(framework).read(path)
    assert back.domains == mixture.domains
    assert {d for d in back if back[d]} == {d for d in mixture if mixture[d]}
    np.testing.assert_allclose(back.array, mixture.array, **close(framework, mixture))
    assert back.source["method"] == "test"


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_all_awkward_names_at_once(framework, tmp_path):
    mixture = Mixture.uniform(AWKWARD)
    assert exporters.find(framework).read(written(framework, mixture, tmp_path)).domains == tuple(
        AWKWARD
    )


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_no_name_leaves_the_folder(framework, tmp_path):
    """A domain called ../../etc/passwd makes no path that climbs."""
    mixture = Mixture.uniform(["../../etc/passwd", "/abs", "..", "web"])
    (tmp_path / "deep").mkdir()
    path = written(framework, mixture, tmp_path / "deep")
    assert {one.name for one in tmp_path.iterdir()} == {"deep"}
    exporter, given = exporters.find(framework), sources_of(mixture, framework)
    config = exporter.parse(exporter.open(path))
    assert {one for paths in config.paths.values() for one in paths} <= {
        one for source in given.values() for one in source.paths
    }


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_files_say_unit_source_what_was_dropped_and_the_epochs(framework, tmp_path):
    mixture = Mixture(
        {"web": 0.75, "code": 0.25, "spam": 0.0}, source={"method": "olmix", "kl": 0.1}
    )
    exporter = exporters.find(framework)
    text = all_text(written(framework, mixture, tmp_path, tokens=1e9))
    for part in (exporter.units[0].sentence, "reweightviz", "olmix", "spam", "epochs"):
        assert part in text


@pytest.mark.parametrize("framework", SOME)
def test_the_provenance_never_holds_the_weights(framework, tmp_path):
    mixture = Mixture({"web": 0.8125, "code": 0.1875})
    path = written(framework, mixture, tmp_path)
    sidecar = (
        path / "provenance.json"
        if path.is_dir()
        else path.with_name(path.name + ".provenance.json")
    )
    assert "0.8125" not in sidecar.read_text("utf-8")


@pytest.mark.parametrize("framework", SOME)
def test_a_file_that_is_there_is_kept_unless_overwrite(framework, tmp_path):
    old, new = Mixture({"web": 0.5, "code": 0.5}), Mixture({"web": 0.25, "code": 0.75})
    path = written(framework, old, tmp_path)
    before = all_text(path)
    with pytest.raises(ReweightvizError, match="exists already; .*overwrite=True"):
        written(framework, new, tmp_path)
    assert all_text(path) == before
    written(framework, new, tmp_path, overwrite=True)
    assert exporters.find(framework).read(path).array == pytest.approx([0.25, 0.75], rel=1e-3)


@pytest.mark.parametrize("framework", [name for name in FRAMEWORKS if exporters.find(name).merges])
def test_a_merge_changes_the_weights_keeps_the_rest_and_a_backup(framework, tmp_path):
    exporter = exporters.find(framework)
    path = written(framework, Mixture({"web": 0.5, "code": 0.5, "spam": 0.0}), tmp_path)
    main = exporter.open(path).path
    mark = "\n# a comment of mine\nmine:   {keep:  [1,2]}   # odd spacing\n"
    main.write_text(main.read_text("utf-8") + mark, "utf-8")
    before = main.read_text("utf-8")
    new = Mixture({"web": 0.25, "code": 0.75, "spam": 0.0})
    draft = exporter.draft(new, path, sources=sources_of(new, framework), merge=True)
    assert main.read_text("utf-8") == before, "a draft writes nothing"
    assert draft.diff()
    draft.save()
    assert main.read_text("utf-8").endswith(mark)
    assert exporter.read(path).array == pytest.approx([0.25, 0.75, 0.0], rel=1e-3)
    assert main.with_name(main.name + ".bak").read_text("utf-8") == before
    exporter.write(new, path, sources=sources_of(new, framework), merge=True, backup=False)
    assert not main.with_name(main.name + ".bak2").exists()


@pytest.mark.parametrize("framework", [name for name in FRAMEWORKS if exporters.find(name).merges])
def test_a_merge_takes_out_zeros_and_refuses_strangers(framework, tmp_path):
    exporter = exporters.find(framework)
    path = written(framework, Mixture({"web": 0.5, "code": 0.3, "math": 0.2}), tmp_path)
    sources = sources_of(["web", "code", "math"], framework)
    exporter.write(
        Mixture({"web": 0.5, "code": 0.0, "math": 0.5}), path, sources=sources, merge=True
    )
    assert exporter.read(path).array == pytest.approx([0.5, 0.0, 0.5], rel=1e-3)
    before = all_text(path)
    with pytest.raises(ReweightvizError, match="which the mixture does not name"):
        exporter.write(Mixture({"web": 1.0}), path, sources=sources, merge=True)
    assert all_text(path) == before


@pytest.mark.parametrize("framework", SOME)
def test_a_place_that_does_not_exist_is_refused(framework, tmp_path):
    with pytest.raises(ReweightvizError, match="does not exist; create it first"):
        written(framework, Mixture({"web": 1.0}), tmp_path / "absent")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ReweightvizError, match="cannot write|Not a directory"):
        written(framework, Mixture({"web": 1.0}), tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("framework", SOME)
def test_a_failed_overwrite_loses_nothing(framework, tmp_path):
    path = written(framework, Mixture({"web": 0.5, "code": 0.5}), tmp_path)
    before = all_text(path)
    with pytest.raises(ReweightvizError, match="no domain in sources= 'code'; there is 'web'"):
        exporters.find(framework).write(
            Mixture({"web": 0.5, "code": 0.5}),
            path,
            overwrite=True,
            sources={"web": 1.0},
            tokens=1e9,
        )
    assert all_text(path) == before


@pytest.mark.parametrize("framework", COUNTED)
def test_too_many_epochs_are_said_or_refused(framework, tmp_path):
    exporter, mixture = exporters.find(framework), Mixture({"web": 0.5, "code": 0.5})
    if exporter.largest_number < 5:
        with pytest.raises(ReweightvizError, match="takes numbers up to 1, .* is the most"):
            written(framework, mixture, tmp_path, tokens=1e10)
        return
    if exporter.repeats_nothing:
        with pytest.warns(
            ReweightvizWarning,
            match="repeats nothing: this mixture holds 2e\\+09 of the 1e\\+10 tokens, until 'web' is used up",
        ):
            written(framework, mixture, tmp_path, tokens=1e10)
        return
    with pytest.warns(ReweightvizWarning, match="more than 4 epochs at 1e\\+10 tokens: 'web' 5"):
        path = written(framework, mixture, tmp_path, tokens=1e10)
    before = all_text(path)
    with pytest.raises(
        ReweightvizError,
        match="more than 2 epochs at 1e\\+10 tokens: 'web' 5.* \\(all its data 2 times is 6e\\+09 tokens\\)",
    ):
        written(framework, mixture, tmp_path, tokens=1e10, max_epochs=2, overwrite=True)
    assert all_text(path) == before
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        written(framework, mixture, tmp_path, tokens=1e10, max_epochs=10, overwrite=True)
    assert not any("more than" in str(one.message) for one in said)


@pytest.mark.parametrize("framework", SOME)
def test_a_budget_needs_the_tokens_of_every_domain(framework, tmp_path):
    mixture, path = Mixture({"web": 0.5, "code": 0.5}), place(framework, tmp_path)
    for sources in (
        None,
        {"web": Source(1e9, 1e6, ("d/web",)), "code": Source(0, 1e6, ("d/code",))},
    ):
        with pytest.raises(
            ReweightvizError, match="sources=|'code' has a weight above 0 but no tokens"
        ):
            exporters.find(framework).write(mixture, path, tokens=1e9, sources=sources)
    assert list(tmp_path.iterdir()) == []


PREPARED = [name for name in FRAMEWORKS if exporters.find(name).prepared_data]


def test_what_trains_on_prepared_data_says_so():
    assert {
        "automodel",
        "gpt-neox",
        "grain",
        "litdata",
        "llm-foundry",
        "maxtext",
        "megatron",
        "nanotron",
        "nemo",
        "olmix",
        "olmo-core",
        "streaming",
    } == set(PREPARED)


@pytest.mark.parametrize("framework", PREPARED[:3])
def test_files_of_text_are_refused_where_they_must_be_prepared(framework, tmp_path):
    sources = {
        "web": Source(1e9, 1e6, ("data/web.jsonl.gz",)),
        "code": Source(1e9, 1e6, ("data/code",)),
    }
    with pytest.raises(
        ReweightvizError, match=r"not files of text; sources= has 'data/web.jsonl.gz' for 'web'"
    ):
        exporters.find(framework).write(
            Mixture({"web": 0.5, "code": 0.5}), place(framework, tmp_path), sources=sources
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_reading_what_is_not_there_or_is_something_else(framework, tmp_path):
    exporter = exporters.find(framework)
    junk = tmp_path / f"junk{exporter.suffix}"
    with pytest.raises(ReweightvizError, match="cannot read .*absent.*: No such file"):
        exporter.read(tmp_path / "absent")
    for text in ("", "hello", "[1, 2]", '{"weights": 3}', "\x00", "a: [", "def f(:", "{}"):
        junk.write_text(text)
        with pytest.raises(ReweightvizError, match="junk"):
            exporter.read(junk)
        assert exporter.recognises(exporter.open(junk)) is False
    junk.write_bytes(b"\xff\xfe0.5 a")
    with pytest.raises(ReweightvizError, match="junk"):
        exporter.read(junk)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_half_a_surrogate_pair_is_refused_where_it_cannot_be_written(framework, tmp_path):
    with pytest.raises(ReweightvizError, match="half of a surrogate pair"):
        written(framework, Mixture({"\ud83d": 1.0}), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("framework", SOME)
def test_an_unknown_option_or_unit_is_refused_by_name(framework, tmp_path):
    for options, sentence in (
        ({"overwite": True}, "did you mean 'overwrite'"),
        ({"unit": "acres"}, "no unit of .* 'acres'"),
    ):
        with pytest.raises(ReweightvizError, match=sentence):
            written(framework, Mixture({"web": 1.0}), tmp_path, **options)


@pytest.mark.parametrize("framework", sorted({*SCHEDULES, *SOME}))
def test_schedules_are_written_where_there_are_any_and_refused_elsewhere(framework, tmp_path):
    exporter = exporters.find(framework)
    start, end = (
        Mixture({"web": 0.75, "code": 0.25, "math": 0.0}),
        Mixture({"web": 0.25, "code": 0.25, "math": 0.5}),
    )
    schedule = Schedule({0: start, 1024: end}, steps=4096)
    if framework not in SCHEDULES:
        with pytest.raises(
            ReweightvizError, match="trains on one mixture, not on a schedule of 2 stages"
        ):
            written(framework, schedule, tmp_path)
        assert list(tmp_path.iterdir()) == []
        return
    path = written(framework, schedule, tmp_path, tokens=1e9)
    back = exporter.read_schedule(path)
    assert list(back) == [0, 1024]
    for stage in (0, 1024):
        assert dict(back[stage]) == pytest.approx(dict(schedule[stage]))
    with pytest.raises(ReweightvizError, match="holds a schedule of 2 stages"):
        exporter.read(path)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_each_file_is_recognised_by_its_own_exporter_and_by_no_other(framework, tmp_path):
    mixture = Mixture({"web": 0.75, "co de": 0.25})
    exporter = exporters.find(framework)
    document = exporter.open(written(framework, mixture, tmp_path))
    assert [name for name in FRAMEWORKS if exporters.find(name).recognises(document)] == [framework]


def test_frameworks_are_found_by_alias_and_the_nearest_is_suggested():
    assert exporters.find("HF") is exporters.find("datasets") is exporters.find("huggingface")
    assert (
        exporters.find("Megatron-LM")
        is exporters.find("megatron_core")
        is exporters.find("megatron")
    )
    with pytest.raises(ReweightvizError, match="did you mean 'megatron'"):
        exporters.find("megatorn")
    with pytest.raises(ReweightvizError, match="no framework"):
        exporters.find("")
    words = [
        word
        for exporter in exporters.FRAMEWORKS.values()
        for word in (exporter.name, *exporter.aliases)
    ]
    assert len(words) == len(set(words))
    for exporter in exporters.FRAMEWORKS.values():
        assert exporter.title
        assert (type(exporter).__doc__ or "").strip()


@given(st.lists(names, unique=True, max_size=12))
def test_slugs_are_safe_and_unlike_each_other(domains):
    taken: list[str] = []
    for name in domains:
        taken.append(provenance.slug(name, {one.lower() for one in taken}))
    assert len({one.lower() for one in taken}) == len(domains)
    for one in taken:
        assert one.isascii()
        assert (
            not set(one) & set('/\\ \n"') and not one.startswith((".", "-")) and 0 < len(one) <= 70
        )


NO_ORDER = {
    "dclm": "documents are sampled file by file, before a shuffle of their own",
    "open_instruct": "rows are counted, and the trainer shuffles them",
}
"""Loader scripts that draw nothing in the order of training, and why."""


def test_every_framework_that_draws_is_asked_for_the_order(root):
    """The totals of an epoch hold too where one domain follows the other."""
    scripts = sorted((root / "tests" / "frameworks").glob("*_load.py"))
    tests = "".join(
        path.read_text("utf-8") for path in (root / "tests" / "exporters").glob("test_*.py")
    )
    assert len(scripts) > 20 and set(NO_ORDER) <= {path.stem[:-5] for path in scripts}
    for path in scripts:
        if path.stem[:-5] in NO_ORDER:
            continue
        assert "tenths(" in path.read_text("utf-8"), path.name
        assert path.name in tests
