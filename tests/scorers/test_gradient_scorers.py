import numpy as np
import pytest

from reweightviz import scorers
from reweightviz.core.errors import ReweightvizError, ReweightvizWarning
from reweightviz.numerics.inner import unit_rows
from reweightviz.numerics.look_ahead import look_ahead, softmax

rng = np.random.default_rng(0)
G = rng.normal(size=(30, 9))
Q = rng.normal(size=(7, 9))
GOLDEN = np.array([[1.0, 0], [0, 1], [-1, 0]])


def test_tracin_is_the_product_and_checkpoints_side_by_side_add_up():
    one = scorers.TracIn().score(gradient=G, query_gradient=Q)
    np.testing.assert_allclose(one, G @ Q.mean(0))
    other_G = rng.normal(size=(30, 9))
    other_Q = rng.normal(size=(7, 9))
    other = scorers.TracIn().score(gradient=other_G, query_gradient=other_Q)
    both = scorers.TracIn().score(
        gradient=np.hstack([0.1**0.5 * G, 0.3**0.5 * other_G]),
        query_gradient=np.hstack([0.1**0.5 * Q, 0.3**0.5 * other_Q]),
    )
    np.testing.assert_allclose(both, 0.1 * one + 0.3 * other)


@pytest.mark.golden("LESS", "princeton-nlp/LESS matching.py, written out: unit rows, mean, max")
def test_less_takes_the_best_task_whatever_the_sizes():
    groups = np.array([0, 1, 1, 0, 2, 1, 0])
    cosines = unit_rows(G) @ unit_rows(Q).T
    expected = np.max([cosines[:, groups == task].mean(1) for task in range(3)], axis=0)
    found = scorers.LESS().score(gradient=G, query_gradient=Q, query_group=groups)
    np.testing.assert_allclose(found, expected)
    scaled = scorers.LESS().score(
        gradient=G * rng.random((30, 1)), query_gradient=Q * 5, query_group=groups
    )
    np.testing.assert_allclose(scaled, expected)
    # The authors reshape to (n, tasks, -1), which needs tasks of one size.
    even = scorers.LESS().score(gradient=G, query_gradient=Q[:6], query_group=[0, 0, 0, 1, 1, 1])
    np.testing.assert_allclose(even, cosines[:, :6].reshape(30, 2, -1).mean(-1).max(-1))


def test_a_target_row_of_nan_leaves_the_scores_alone():
    holes = np.vstack([Q, np.full((2, 9), np.nan)])
    for scorer in (scorers.TracIn(), scorers.LESS(), scorers.DataInf(), scorers.Infra()):
        with pytest.warns(ReweightvizWarning, match="leaves out 2 of the target's 9 documents"):
            found = scorer.score(gradient=G, query_gradient=holes)
        np.testing.assert_array_equal(found, scorer.score(gradient=G, query_gradient=Q))
        with pytest.raises(ReweightvizError, match="a target with a gradient"):
            scorer.score(gradient=G, query_gradient=holes[7:])


def test_a_document_of_nan_is_the_only_one_without_a_score():
    holes = G.copy()
    holes[4] = np.nan
    signals = {
        "gradient": holes,
        "query_gradient": Q,
        "weight_difference": Q[0],
        "embedding": G,
        "ratings": G,
        "domain": np.array(["a", "b"] * 15),
        "rng": rng,
    }
    for scorer in (
        scorers.TracIn(),
        scorers.LESS(),
        scorers.SelfInfluence(),
        scorers.Mimic(),
        scorers.WeightsToData(picks=5),
        scorers.DataInf(),
        scorers.DataInf(inverse="exact"),
        scorers.Infra(),
        scorers.FLYT(steps=3),
        scorers.MFLYT(steps=3),
    ):
        from reweightviz.core.protocols import supply

        found = scorer.score(**supply("a test", scorer.score, signals))
        assert np.flatnonzero(np.isnan(found)).tolist() == [4], scorer
    found = scorers.Infra(by="domain").score(**supply("a test", scorers.Infra().score, signals))
    assert np.isfinite(found).all()


def test_self_influence_is_the_diagonal():
    found = scorers.SelfInfluence().score(gradient=G)
    np.testing.assert_allclose(found, np.diag(G @ G.T))


@pytest.mark.golden("Mimic", "closed form: G = ((1,0),(0,1),(-1,0)), v = (3,4)")
def test_mimic_is_the_length_along_the_way():
    found = scorers.Mimic().score(gradient=GOLDEN, weight_difference=[3, 4])
    np.testing.assert_allclose(found, [-0.6, -0.8, 0.6])
    # The way of a step on document 5 alone; the length of the way does not matter.
    units = unit_rows(G)
    for size in (0.01, 100):
        scores = scorers.Mimic().score(gradient=units, weight_difference=-size * units[5])
        assert np.argmax(scores) == 5 and abs(scores[5] - 1) < 1e-12
    with pytest.raises(ReweightvizError, match="not all 0"):
        scorers.Mimic().score(gradient=G, weight_difference=np.zeros(9))


def test_weights_to_data_finds_the_documents_that_moved_the_weights():
    many = rng.normal(size=(200, 500))
    used = rng.permutation(200)[:20]
    scores = scorers.WeightsToData().score(gradient=many, weight_difference=-many[used].sum(0))
    assert set(np.argsort(-scores)[:20]) == set(used)
    assert sorted(scores) == list(range(-199, 1))
    # Without picks the order is that of the cosine.
    plain = scorers.WeightsToData(picks=0).score(gradient=G, weight_difference=Q[0])
    np.testing.assert_array_equal(np.argsort(-plain), np.argsort(unit_rows(G) @ Q[0]))


def test_picks_complete_each_other():
    """The best products alone are two copies; the second pick is what the first lacks."""
    gradient = [[-3, 0], [-3, 0], [0, -4], [1, 1]]
    scores = scorers.WeightsToData(picks=2).score(gradient=gradient, weight_difference=[4, 4])
    assert scores[1] <= -2 and min(scores[0], scores[2]) == -1


@pytest.mark.golden("FLYT", "closed form of one step, checked by central differences")
def test_flyt_looks_ahead():
    def target_gradient(theta):
        return theta - [1, 0.5]

    found = look_ahead(GOLDEN, np.zeros(3), target_gradient, step=0.1)
    np.testing.assert_allclose(found.by_weight, [0.1, 0.053333, -0.1], atol=1e-6)
    np.testing.assert_allclose(found.by_logit, [0.027407, 0.011852, -0.039259], atol=1e-6)

    def loss(logits):
        theta = -0.1 * softmax(logits) @ GOLDEN
        return 0.5 * ((theta - [1, 0.5]) ** 2).sum()

    steps = 1e-5 * np.eye(3)
    central = [(loss(step) - loss(-step)) / 2e-5 for step in steps]
    np.testing.assert_allclose(found.by_logit, central, atol=1e-9)


def test_flyt_learns_what_helps_and_draws_by_the_seed():
    embedding = rng.normal(size=(300, 4))
    gradient = embedding @ rng.normal(size=(4, 20))
    help_ = gradient @ gradient[:3].mean(0)
    signals = {"embedding": embedding, "gradient": gradient, "query_gradient": gradient[:3]}
    scorer = scorers.FLYT(steps=1500, batch=100)
    scores = scorer.score(**signals, rng=np.random.default_rng(1))
    assert np.corrcoef(scores, help_)[0, 1] > 0.95
    np.testing.assert_array_equal(scores, scorer.score(**signals, rng=np.random.default_rng(1)))
    ratings = np.column_stack([rng.normal(size=300), help_, np.full(300, 7.0)])
    ratings[5, 1] = np.nan
    mixed = scorers.MFLYT(steps=1500).score(
        ratings=ratings, gradient=gradient, query_gradient=gradient[:3], rng=rng
    )
    assert np.isfinite(mixed).all() and np.corrcoef(mixed, help_)[0, 1] > 0.6
    # What the head is trained for: the weighted batch helps far more than an even one.
    assert softmax(mixed) @ help_ > help_.mean() + help_.std()
    with pytest.raises(ReweightvizError, match="a row of inputs"):
        scorer.score(**(signals | {"embedding": embedding[:5]}), rng=rng)
    with pytest.raises(ReweightvizError, match="rate above 0"):
        scorers.FLYT(rate=0)


def test_infra_by_domain_is_the_mean_of_its_documents():
    domain = np.array(["a", "b", "c"] * 10)
    single = scorers.Infra().score(gradient=G, query_gradient=Q, domain=domain)
    found = scorers.Infra(by="domain").score(gradient=G, query_gradient=Q, domain=domain)
    for name in "abc":
        np.testing.assert_allclose(found[domain == name], single[domain == name].mean())
    with pytest.raises(ReweightvizError, match="needs the domain"):
        scorers.Infra(by="domain").score(gradient=G, query_gradient=Q)


@pytest.mark.golden("DataInf", "closed forms: mean of inverses, exact inverse, n = 1")
def test_datainf_is_the_mean_of_inverses_with_the_code_s_sign():
    strength = 0.1 * (G**2).mean()
    curvature = [np.linalg.inv(np.outer(g, g) + strength * np.eye(9)) for g in G]
    expected = -G @ np.mean(curvature, axis=0) @ Q.mean(0)
    found = scorers.DataInf().score(gradient=G, query_gradient=Q)
    np.testing.assert_allclose(found, expected)
    matrix = G.T @ G / 30 + strength * np.eye(9)
    exact = scorers.DataInf(inverse="exact").score(gradient=G, query_gradient=Q)
    np.testing.assert_allclose(exact, -G @ np.linalg.solve(matrix, Q.mean(0)))
    one = [
        scorers.DataInf(inverse=inverse).score(gradient=G[:1], query_gradient=Q)
        for inverse in ("datainf", "exact")
    ]
    np.testing.assert_allclose(*one)
    # More weight on the target's own document lowers its loss: below 0, lower is better.
    assert scorers.DataInf.higher_is_better is False
    assert scorers.DataInf().score(gradient=G, query_gradient=G[:1])[0] < 0


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: scorers.TracIn().score(gradient=G[0], query_gradient=Q), r"shape \(9,\)"),
        (lambda: scorers.TracIn().score(gradient=G, query_gradient=Q[:, :3]), "as many numbers"),
        (
            lambda: scorers.LESS().score(gradient=G, query_gradient=Q, query_group=[1]),
            "a group for each",
        ),
        (lambda: scorers.WeightsToData(picks=-1), "number of picks"),
        (lambda: scorers.DataInf(damping=0), "damping above 0"),
        (lambda: scorers.DataInf(inverse="lissa"), "its inverse to be"),
        (lambda: scorers.Infra(by="token"), "by to be"),
    ],
)
def test_what_does_not_fit_is_refused(make, said):
    with pytest.raises(ReweightvizError, match=said):
        make()


@pytest.fixture
def attribution():
    """A linear classifier as dattri takes it, with the gradients of its losses by hand."""
    import torch
    from dattri.task import AttributionTask
    from torch.utils.data import DataLoader, TensorDataset

    torch.manual_seed(0)
    model = torch.nn.Linear(6, 3, bias=False)
    sets = [(torch.randn(size, 6), torch.randint(3, (size,))) for size in (20, 5)]

    def loss(parameters, data):
        x, y = data
        out = torch.func.functional_call(model, parameters, (x.reshape(1, 6),))
        return torch.nn.functional.cross_entropy(out, y.reshape(1))

    gradients = []
    for x, y in sets:
        gap = torch.softmax(model(x), 1) - torch.nn.functional.one_hot(y, 3)
        gradients.append((gap[:, :, None] * x[:, None]).flatten(1).detach().numpy())
    task = AttributionTask(loss_func=loss, model=model, checkpoints=[model.state_dict()])
    loaders = [DataLoader(TensorDataset(*one), batch_size=len(one[0])) for one in sets]
    return task, loaders, gradients


@pytest.mark.optional("dattri", "torch")
@pytest.mark.golden("TracIn", "dattri 0.3.0 in the same run")
def test_tracin_and_less_are_those_of_dattri(attribution):
    from dattri.algorithm.tracin import TracInAttributor

    task, loaders, (train, test) = attribution
    for scorer, is_unit in ((scorers.TracIn(), False), (scorers.LESS(), True)):
        oracle = TracInAttributor(task, weight_list=[1.0], normalized_grad=is_unit)
        oracle.projector_kwargs = None  # else it projects, always
        expected = oracle.attribute(*loaders).detach().numpy().mean(1)
        found = scorer.score(gradient=train, query_gradient=test)
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.optional("dattri", "torch")
@pytest.mark.golden("DataInf", "dattri 0.3.0 in the same run")
def test_datainf_is_that_of_dattri(attribution):
    from dattri.algorithm.influence_function import IFAttributorDataInf
    from torch.utils.data import DataLoader

    task, loaders, (train, test) = attribution
    oracle = IFAttributorDataInf(task, regularization=0.05)
    # Its curvature takes a batch of the loader for one example.
    oracle.cache(DataLoader(loaders[0].dataset, batch_size=1))
    expected = oracle.attribute(*loaders).detach().numpy().mean(1)
    scorer = scorers.DataInf(damping=0.05 / float((train**2).mean()))
    found = scorer.score(gradient=train, query_gradient=test)
    np.testing.assert_allclose(-found, expected, rtol=1e-3, atol=1e-4)
