"""Laws side by side on runs they were not fitted to."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from reweightviz.core.errors import MissingPackage, ReweightvizError
from reweightviz.core.repeats import group_equal_mixtures
from reweightviz.core.swarm import Swarm
from reweightviz.evaluation.compare import compare
from reweightviz.evaluation.comparison import BASELINE
from reweightviz.evaluation.law_inputs import law_inputs_of_runs
from reweightviz.evaluation.trial import MEAN_OF_TARGETS
from reweightviz.laws import Olmix
from reweightviz.readers.swarms import two_tables as swarms

DOMAINS, TARGETS = ("web", "code <b>", "math"), ("chat", "python")


def swarm(runs=60, noise=0.01, repeats=6, seed=0, **columns):
    rng = np.random.default_rng(seed)
    mixtures = rng.dirichlet(np.ones(3), runs - repeats)
    mixtures = np.vstack([mixtures, np.tile(mixtures[:1], (repeats, 1))])
    losses = (
        1.5
        + np.exp(mixtures @ np.array([[1.0, -1], [-1, 0.5], [0.2, 0.3]]))
        + rng.normal(0, noise, (runs, 2))
    )
    return Swarm(DOMAINS, mixtures, TARGETS, losses, pd.DataFrame({"run": range(runs), **columns}))


@dataclass(frozen=True)
class Lazy:
    """A law of its own kind: the nearest run's losses, known everywhere by heart."""

    spread: float = 0.1
    least: int = 1
    package: bool = False

    def fit(self, *, domains, targets, mixtures, losses):
        assert (domains, targets) == (DOMAINS, TARGETS)
        if len(mixtures) < self.least:
            raise ReweightvizError(f"Lazy needs at least {self.least} runs; got {len(mixtures)}.")
        if self.package:
            raise MissingPackage(package="idle", extra="idle", who="Lazy")
        return Nearest(mixtures, losses, self.spread)


class Nearest:
    def __init__(self, mixtures, losses, spread):
        self.mixtures, self.losses, self.spread = mixtures, losses, spread
        self.diagnostics = {"degenerate": [False, True]}

    def predict(self, weights):
        near = ((np.asarray(weights)[:, None] - self.mixtures[None]) ** 2).sum(2).argmin(1)
        return self.losses[near]

    def interval(self, weights, level=0.9):
        assert level == 0.9
        middle = self.predict(weights)
        return middle - self.spread, middle + self.spread


@pytest.fixture(scope="module")
def compared():
    return compare(swarm(), [Lazy(), Olmix(draws=40), Lazy(least=99), Lazy(package=True)], folds=4)


def test_the_table_has_a_row_a_law_and_target_best_first(compared):
    table = compared.table
    assert list(table.columns) == [
        "mae",
        "mre",
        "r2",
        "spearman",
        "relative",
        "over_noise",
        "coverage",
        "width",
        "r2_within",
        "seconds",
        "degenerate",
        "constant",
    ]
    assert compared.ranking == ["Olmix", "Lazy()", BASELINE]
    assert table.loc["Olmix"].index.tolist() == [MEAN_OF_TARGETS, *TARGETS]
    means = table.xs(MEAN_OF_TARGETS, level="target")["relative"]
    assert means.is_monotonic_increasing
    assert means[BASELINE] == pytest.approx(1)
    assert table.loc[("Lazy()", "python"), "degenerate"]
    assert not table.loc[("Lazy()", "chat"), "degenerate"]
    np.testing.assert_allclose(
        table.loc[("Olmix", MEAN_OF_TARGETS), "mae"],
        table.loc["Olmix"].loc[list(TARGETS), "mae"].mean(),
    )


def test_the_numbers_are_those_of_left_out_runs(compared):
    trial, runs = compared.trials["Olmix"], compared.swarm
    row = compared.table.loc[("Olmix", "chat")]
    missed = trial.predicted[:, 0] - runs.losses[:, 0]
    assert row["mae"] == pytest.approx(np.abs(missed).mean())
    assert row["mre"] == pytest.approx((np.abs(missed) / runs.losses[:, 0]).mean())
    assert row["r2"] == pytest.approx(
        1 - (missed**2).sum() / ((runs.losses[:, 0] - runs.losses[:, 0].mean()) ** 2).sum()
    )
    assert row["spearman"] == pytest.approx(
        pd.Series(trial.predicted[:, 0]).corr(pd.Series(runs.losses[:, 0]), method="spearman")
    )
    assert (
        row["coverage"]
        == ((trial.low[:, 0] <= runs.losses[:, 0]) & (runs.losses[:, 0] <= trial.high[:, 0])).mean()
    )
    assert 0.7 < row["coverage"] <= 1
    assert row["r2"] < row["r2_within"] <= 1
    # The nearest known run would be the run itself, or a repeat of it, were any of them left in.
    assert np.abs(compared.trials["Lazy()"].predicted - runs.losses).min() > 0
    group = group_equal_mixtures(runs.mixtures)
    repeated = group == group[-1]
    assert np.ptp(compared.trials["Lazy()"].predicted[repeated], axis=0).max() == 0
    assert (
        np.abs(compared.trials["Lazy()"].predicted[repeated] - runs.losses[repeated]).mean() > 0.02
    )


def test_the_best_law_is_named_with_a_reason(compared):
    assert compared.best == Olmix(draws=40)
    assert compared.verdict.startswith(
        "Olmix predicts runs it has not seen best: its mean error is"
    )
    assert "times what the noise between repeats explains" in compared.verdict
    assert "Lazy() comes next" in compared.verdict
    assert "more than chance" in compared.verdict
    low, high = compared.difference("Olmix", "Lazy()")
    assert 0 < low < high
    assert compared.difference("Lazy()", "Olmix") == pytest.approx((-high, -low))
    twins = compare(swarm(), {"one": Olmix(draws=0), "two": Olmix(draws=0, starts=7)}, folds=3)
    assert "that may be chance" in twins.verdict
    assert np.isnan(twins.table.loc[("one", "chat"), "coverage"])


def test_a_law_that_knows_nothing_is_not_recommended():
    rng = np.random.default_rng(0)
    pure = Swarm(
        DOMAINS,
        rng.dirichlet(np.ones(3), 40),
        TARGETS,
        rng.normal(2, 0.1, (40, 2)),
        pd.DataFrame(index=range(40)),
    )
    found = compare(pure, [Lazy()])
    assert found.best is None
    assert found.ranking[0] == BASELINE
    assert "do not trust any" in found.verdict
    with pytest.raises(ReweightvizError, match="no law here beats the mean"):
        found.learning_curve()


def test_what_cannot_be_fitted_is_listed_with_the_reason(compared):
    assert compared.skipped == {
        "Lazy(least=99)": "Lazy needs at least 99 runs; got 60.",
        "Lazy(package=True)": 'Lazy needs idle: pip install "reweightviz[idle]".',
    }
    page = compared._repr_html_()
    assert "Lazy needs at least 99 runs" in page
    assert "code &lt;b&gt;" not in page  # targets are listed, not domains
    assert page.count("<table") == 2


def test_same_seed_same_table(compared):
    again = compare(swarm(), [Lazy(), Olmix(draws=40), Lazy(least=99), Lazy(package=True)], folds=4)
    pd.testing.assert_frame_equal(
        again.table.drop(columns="seconds"), compared.table.drop(columns="seconds")
    )
    other = compare(swarm(), [Lazy()], folds=4, seed=1)
    assert (other.trials["Lazy"].predicted != compared.trials["Lazy()"].predicted).any()


def test_predicted_against_observed_is_drawn(compared):
    figure = compared.figure()
    assert len(figure.data) == 2 * 3
    assert figure.data[1].name == "chat"
    np.testing.assert_allclose(figure.data[1].y, compared.trials["Olmix"].predicted[:, 0])
    assert "Olmix" in figure.layout.annotations[0].text
    assert len(compared.figure("python").data) == 2 * 2
    with pytest.raises(ReweightvizError, match="did you mean 'python'"):
        compared.figure("pyton")


def test_more_runs_help_until_they_do_not(compared):
    noisy = swarm(runs=150, noise=0.05, repeats=2)
    curve = compare(noisy, [Olmix(draws=0)]).learning_curve(sizes=[8, 16, 30, 60, 110], repeats=5)
    assert curve.table.index.tolist() == [8, 16, 30, 60, 110]
    assert curve.table["relative"].iloc[0] > curve.table["relative"].iloc[-1]
    a, b, c = curve.curve
    assert a >= 0 and b > 0 and 0.1 <= c <= 2
    assert curve.error(1e9) == pytest.approx(a, abs=0.02)
    assert f"with {curve.runs} runs the error is some" in curve.verdict
    assert len(curve.figure().data) == 2
    assert "<table" in curve._repr_html_()
    exact = compare(swarm(runs=120, noise=0), [Olmix(draws=0)]).learning_curve(sizes=[10, 20, 40])
    assert exact.table["relative"].max() < 0.01
    few = compared.learning_curve("Lazy()", sizes=[10, 20])
    assert few.curve is None
    assert "too few sizes" in few.verdict
    assert compared.learning_curve(Olmix(draws=0), sizes=[3, 20, 30, 40]).left.keys() == {3}
    with pytest.raises(ReweightvizError, match="sizes must be between 2 and"):
        compared.learning_curve(sizes=[500])
    with pytest.raises(ReweightvizError, match="no law in this comparison 'Lasy'"):
        compared.learning_curve("Lasy")


def test_the_cost_of_a_swarm(compared):
    cost = compared.cost(size=1e6, tokens=1e9, flops_per_second=1e12)
    assert cost == {
        "runs": 60,
        "flops": 60 * 6e15,
        "gpu_hours": 100.0,
        "gpu_hours_a_run": pytest.approx(100 / 60),
    }
    told = compare(swarm(size=[1e6] * 30 + [2e6] * 30, run_tokens=[1e9] * 60), [Lazy()]).cost(
        flops_per_second=1e12
    )
    assert told["flops"] == pytest.approx(60 * 9e15)
    with pytest.raises(
        ReweightvizError, match="needs column 'size'; there is .*size= would do too"
    ):
        compared.cost()
    with pytest.raises(ReweightvizError, match="size must be a number above 0"):
        compared.cost(size=0, tokens=1)


def test_what_a_law_predicts_from_comes_from_the_runs():
    class Sized:
        given = ("size", "run_tokens")

    runs = swarm(size=[1e6] * 60, run_tokens=[2e9] * 60)
    told = law_inputs_of_runs(Sized(), runs)
    assert told["size"].tolist() == [1e6] * 60
    assert told["run_tokens"][0] == 2e9
    with pytest.raises(ReweightvizError, match="predicts from 'size', which the swarm lacks"):
        law_inputs_of_runs(Sized(), swarm())


@pytest.mark.parametrize(
    ("specs", "asked", "sentence"),
    [
        ([], {}, "at least one spec"),
        ([Olmix], {}, "got the class Olmix: add ()"),
        ([Lazy()], {"folds": 1}, "folds must be a whole number of at least 2"),
        ([Lazy()], {"folds": 90}, r"different mixtures \(54\); got 90"),
        ({BASELINE: Lazy()}, {}, "give your law another"),
        ([Lazy()], {"folds": "5"}, "folds must be a whole number of at least 2; got '5'"),
        ([swarm], {}, "takes laws' settings, such as rv.laws.Olmix"),
    ],
)
def test_wrong_questions_are_one_sentence(specs, asked, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        compare(swarm(), specs, **asked)


@pytest.mark.parametrize("runs", [2, 3, 4])
def test_few_runs_are_left_out_one_by_one(runs):
    assert compare(swarm().take(np.arange(runs)), [Lazy()]).folds == runs
    with pytest.raises(ReweightvizError, match=rf"different mixtures \({runs}\); got 5"):
        compare(swarm().take(np.arange(runs)), [Lazy()], folds=5)


def test_one_run_cannot_be_compared():
    with pytest.raises(
        ReweightvizError, match="compare needs runs of 2 different mixtures or more; got 1"
    ):
        compare(swarm().take([0]), [Lazy()])


@pytest.mark.shared
def test_on_the_public_swarm_the_curve_beats_the_mean_and_keeps_its_coverage(public_tables):
    train = swarms.read(
        public_tables / "regmix/train_mixture_1m.csv",
        public_tables / "regmix/train_pile_loss_1m.csv",
    )
    found = compare(train, [Olmix(draws=100)], folds=3)
    row = found.table.loc[("Olmix", MEAN_OF_TARGETS)]
    assert row["relative"] < 0.35
    assert row["spearman"] > 0.94
    assert 0.85 <= row["coverage"] <= 0.95
    assert np.isnan(row["over_noise"])


def test_signals_with_a_value_a_run_are_cut_as_the_runs_are():
    from reweightviz.evaluation.held_out import take_signals

    given = {
        "proxy_losses": np.arange(12).reshape(6, 2),
        "law": "a law",
        "embedding": {"web": np.zeros((6, 3))},
        "available": np.ones(6),
    }
    cut = take_signals(given, np.array([1, 4]), 6)
    assert cut["proxy_losses"].tolist() == [[2, 3], [8, 9]]
    assert cut["law"] == "a law"
    assert cut["embedding"]["web"].shape == (6, 3)

    @dataclass(frozen=True)
    class Asks:
        def fit(self, *, mixtures, losses, proxy_losses):
            assert len(proxy_losses) == len(mixtures)
            return Nearest(mixtures, losses, 0.1)

    found = compare(swarm(), [Asks()], proxy_losses=np.zeros((60, 2)))
    assert found.skipped == {}
    assert "needs 'proxy_losses'" in compare(swarm(), [Asks()]).skipped["Asks"]
    assert found.learning_curve("Asks", sizes=[20, 30]).runs == 54
