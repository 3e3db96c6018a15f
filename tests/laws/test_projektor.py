"""Projektor: transport by dual cuts against solved transports, the published projection, gradients and coverage."""

import json

import numpy as np
import pytest
from scipy.optimize import linprog

from reweightviz.core.errors import ReweightvizError
from reweightviz.laws._projektor_law import ProjektorLaw, project, tabulate
from reweightviz.laws.projektor import Projektor
from reweightviz.numerics.transport import Distances, cuts, potentials, squared_distances

needs_pot = pytest.mark.optional("ot")
NAMES = ("web", "code", "math")
FAR = np.array([1.0, 2.0, 4.0])


def clouds(seed=0, count=30, dimensions=3):
    rng = np.random.default_rng(seed)
    return [rng.normal(centre, 1, (count, dimensions)) for centre in (0, 1.5, -2)], rng.normal(
        0.3, 1, (40, dimensions)
    )


def swarm(count=60, noise=0.0, scales=(1e9,), seed=0):
    """Losses that are what the law says, at each scale."""
    rng = np.random.default_rng(seed)
    mixtures, tokens = rng.dirichlet(np.ones(3), count), rng.choice(scales, count)
    coef = np.random.default_rng(8).normal(0, 0.3, (9, 2))
    losses = (
        3
        + tabulate(mixtures, Distances(FAR[None], np.zeros(1))) @ coef
        - 0.2 * np.log(tokens / 1e9)[:, None]
    )
    return {
        "domains": NAMES,
        "targets": ("x", "y"),
        "mixtures": mixtures,
        "losses": losses + rng.normal(0, noise, losses.shape),
        "domain_distances": FAR,
        "run_tokens": tokens,
    }


# ---- transport


@needs_pot
def test_the_distance_is_that_of_a_linear_program():
    rng = np.random.default_rng(0)
    cost, source, target = rng.random((7, 5)), rng.dirichlet(np.ones(7)), rng.dirichlet(np.ones(5))
    source[2], source[3] = source[2] + source[3], 0.0
    rows = np.kron(np.eye(7), np.ones(5)), np.kron(np.ones(7), np.eye(5))
    plain = linprog(cost.ravel(), A_eq=np.vstack(rows), b_eq=np.concatenate([source, target]))
    solution = potentials(cost, source, target)
    assert solution.value == pytest.approx(plain.fun, abs=1e-9)
    assert (solution.source[:, None] + solution.target <= cost + 1e-9).all()


@needs_pot
def test_sinkhorn_nears_the_exact_distance():
    rng = np.random.default_rng(1)
    cost, source, target = rng.random((20, 15)), np.full(20, 0.05), np.full(15, 1 / 15)
    exact = potentials(cost, source, target).value
    errors = [
        potentials(cost, source, target, entropy=entropy).value - exact
        for entropy in (0.5, 0.05, 0.005)
    ]
    assert errors[0] > errors[1] > errors[2] >= -1e-6
    assert errors[2] < 0.02


@needs_pot
@pytest.mark.parametrize("entropy", [0.0, 0.1])
def test_cuts_are_exact_where_solved_and_below_elsewhere(entropy):
    sources, target = clouds()
    rng = np.random.default_rng(2)
    some, others = (
        np.concatenate([np.eye(3), rng.dirichlet(np.ones(3), 60)]),
        rng.dirichlet(np.ones(3), 12),
    )
    law = cuts(sources, target, some, entropy=entropy)
    cost = squared_distances(np.concatenate(sources), target)

    def solve_exactly(weights):
        return (
            potentials(
                cost / cost.mean(),
                np.repeat(weights / 30, 30),
                np.full(40, 1 / 40),
                entropy=entropy,
            ).value
            * cost.mean()
        )

    np.testing.assert_allclose(
        law.at(some[:8]), [solve_exactly(weights) for weights in some[:8]], rtol=1e-5
    )
    exact = np.array([solve_exactly(weights) for weights in others])
    assert (law.at(others) <= exact * (1 + 1e-5)).all()
    np.testing.assert_allclose(law.at(others), exact, rtol=0.02)


@needs_pot
def test_points_on_a_line_have_a_closed_form():
    # One document a domain: the target's halves come from the nearest, and a mixture p of 0 and 1 against {0, 1} moves |p - 1/2|.
    law = cuts(
        [np.array([[0.0]]), np.array([[1.0]])],
        np.array([[0.0], [1.0]]),
        np.array([[1, 0], [0.7, 0.3], [0.2, 0.8], [0, 1]]),
    )
    np.testing.assert_allclose(
        law.at(np.array([[1, 0], [0.9, 0.1], [0.5, 0.5], [0.2, 0.8]])),
        [0.5, 0.4, 0, 0.3],
        atol=1e-9,
    )
    np.testing.assert_allclose(np.diff(law.slope(np.array([[0.9, 0.1]]))), [[-1]])


# ---- the law


@pytest.mark.golden(
    "Projektor", "the authors' notebook: V(1000) = .40 and V(1500) = .45 give V(10000)"
)
def test_projection_to_more_data():
    values = np.array([0.40, 0.45])
    line = project(np.array([1000.0, 1500.0]), np.array([10000.0, 1000.0, 1500.0, 300_000.0]))
    np.testing.assert_allclose(line[:3] @ values, [0.683944, 0.40, 0.45], atol=5e-7)
    mixtures = np.random.default_rng(0).dirichlet(np.ones(2), 40)
    tokens = np.repeat([1000.0, 1500.0], 20)
    accuracy = np.where(tokens == 1000, 0.40, 0.45)[:, None]
    law = Projektor(draws=5).fit(
        domains=("a", "b"),
        targets=("accuracy",),
        mixtures=mixtures,
        losses=accuracy,
        run_tokens=tokens,
        domain_distances=[1, 2],
        lower_is_better=[False],
    )
    assert law.given == ("run_tokens",)
    assert law.predict([[0.5, 0.5]], run_tokens=10000)[0, 0] == pytest.approx(0.683944, abs=5e-7)
    asked = law.beyond([[0.5, 0.5]] * 2, run_tokens=[10000, 300_000])
    assert asked.tolist() == [[False], [True]]
    assert law.predict([[0.5, 0.5]], run_tokens=300_000)[0, 0] > 1


def test_known_coefficients_are_recovered_and_projected():
    given = swarm(120, scales=(1e9, 2e9, 4e9))
    law = Projektor().fit(**given)
    weights = np.random.default_rng(3).dirichlet(np.ones(3), 6)
    at_one, at_ten = (law.predict(weights, run_tokens=tokens) for tokens in (1e9, 1e10))
    np.testing.assert_allclose(
        law.predict(given["mixtures"], run_tokens=given["run_tokens"]), given["losses"], atol=1e-7
    )
    np.testing.assert_allclose(at_one - at_ten, 0.2 * np.log(10), atol=1e-7)
    with pytest.raises(ReweightvizError, match="takes 'run_tokens' beside the weights; got none"):
        law.predict(weights)
    one = Projektor().fit(**swarm())
    assert one.given == ()
    with pytest.raises(ReweightvizError, match="takes the weights alone; got 'run_tokens'"):
        one.predict(weights, run_tokens=1e9)


def test_the_order_of_domains_does_not_matter():
    given, order = swarm(noise=0.01), [2, 0, 1]
    turned = given | {
        "domains": tuple(NAMES[i] for i in order),
        "mixtures": given["mixtures"][:, order],
        "domain_distances": FAR[order],
    }
    weights = np.random.default_rng(3).dirichlet(np.ones(3), 6)
    np.testing.assert_allclose(
        Projektor().fit(**turned).predict(weights[:, order]),
        Projektor().fit(**given).predict(weights),
        atol=1e-8,
    )


@needs_pot
def test_the_gradient_is_that_of_the_prediction():
    sources, target = clouds()
    given = swarm(80, noise=0.1, scales=(1e9, 2e9))
    del given["domain_distances"]
    law = Projektor(cuts=40).fit(
        **given, embedding=dict(zip(NAMES, sources, strict=True)), target_embedding=target
    )
    weights, step = np.random.default_rng(4).dirichlet(np.ones(3) * 5, 20), 1e-6
    slope = law.gradient(weights, run_tokens=5e9)
    for j in range(3):
        for i in range(3):
            move = step * (np.eye(3)[i] - np.eye(3)[j])
            change = (
                law.predict(weights + move, run_tokens=5e9)
                - law.predict(weights - move, run_tokens=5e9)
            ) / (2 * step)
            np.testing.assert_allclose(slope[:, :, i] - slope[:, :, j], change, atol=1e-4)


@needs_pot
def test_targets_of_their_own_documents():
    sources, target = clouds()
    given = swarm(40, noise=0.05)
    del given["domain_distances"]
    law = Projektor(cuts=20).fit(
        **given, embedding=sources, target_embedding={"x": target, "y": sources[2]}
    )
    near_x, near_y = (one.at(np.eye(3)) for one in law.distances)
    assert near_x.argmin() == 0
    assert near_y.argmin() == 2
    assert near_y[2] == pytest.approx(0, abs=1e-9)


def test_descent_beats_random_weights():
    law = Projektor().fit(**swarm(noise=0.01))
    random = np.random.default_rng(5).dirichlet(np.ones(3), 500)
    for importance in ([1, 0], [0, 1], [1, 1]):
        best = min(
            float(law.predict(law.propose(importance, start=start))[0] @ importance)
            for start in (*(0.9 * np.eye(3) + 0.1 / 3), None)
        )
        assert best <= (law.predict(random) @ importance).min() + 1e-3


def test_intervals_hold_new_runs_as_often_as_they_say():
    inside = []
    for seed in range(6):
        given = swarm(360, noise=0.1, seed=seed)
        law = Projektor().fit(
            **given | {name: given[name][:60] for name in ("mixtures", "losses", "run_tokens")}
        )
        low, high = law.interval(given["mixtures"][60:])
        inside.append(((low <= given["losses"][60:]) & (given["losses"][60:] <= high)).mean())
    assert 0.85 <= np.mean(inside) <= 0.95


def test_survives_json():
    law = Projektor(draws=4).fit(**swarm(60, 0.1, (1e9, 2e9)))
    again = ProjektorLaw.from_dict(json.loads(json.dumps(law.to_dict(), allow_nan=False)))
    weights = np.full((1, 3), 1 / 3)
    np.testing.assert_array_equal(
        again.samples(weights, run_tokens=3e9), law.samples(weights, run_tokens=3e9)
    )
    assert again.distances[0] is again.distances[1]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"domain_distances": None}, "embedding .* and target_embedding, or domain_distances"),
        ({"domain_distances": [1, 2]}, r"domain_distances must be \(3,\) or \(2, 3\) numbers"),
        (
            {"run_tokens": np.r_[np.full(55, 1e9), np.full(5, 2e9)]},
            r"needs as many runs there; at 2e\+09 tokens there are 5",
        ),
        ({"run_tokens": -1}, "run_tokens must be finite numbers above 0"),
        (
            {"domain_distances": None, "embedding": {"web": [[1.0]]}, "target_embedding": [[1.0]]},
            "embedding lacks 'code', 'math'",
        ),
        (
            {
                "domain_distances": None,
                "embedding": [[[1.0]], [1.0], [[1.0]]],
                "target_embedding": [[1.0]],
            },
            "one row a document; got shape",
        ),
    ],
)
def test_what_cannot_be_fitted_is_one_sentence(wrong, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        Projektor().fit(**swarm() | wrong)


@needs_pot
def test_too_many_documents_are_refused():
    with pytest.raises(ReweightvizError, match="at most 4,000,000; got 3,000 x 2,000: take fewer"):
        cuts([np.zeros((3000, 1))], np.zeros((2000, 1)), np.ones((1, 1)))
