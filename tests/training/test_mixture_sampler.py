"""MixtureSampler: shares, exact epochs, replay, state, ranks, workers, mixers, and what it refuses."""

from __future__ import annotations

import copy
import json
import math
import threading
import time
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from reweightviz.core.errors import ReweightvizError, ReweightvizWarning
from reweightviz.core.live import LiveMixture
from reweightviz.core.schedule import Schedule
from reweightviz.mixers import ODM, Aioli, DoReMi, SkillIt
from reweightviz.numerics.permutation import hash_numbers, permute
from reweightviz.training import MixtureDataset, MixtureSampler, WithDomains
from reweightviz.training.costly_signals import require_measure
from reweightviz.training.draws import Draws

SIZES = {"web": 500, "code": 40, "math": 7}
START, LATER = {"web": 0.7, "code": 0.2, "math": 0.1}, {"web": 0.2, "code": 0.3, "math": 0.5}


def first(sampler, count):
    return [rows for _, rows in zip(range(count), sampler, strict=False)]


def codes(rows):
    return np.searchsorted(np.cumsum(list(SIZES.values())), np.concatenate(rows), side="right")


@pytest.fixture
def live(tmp_path):
    return LiveMixture.create(tmp_path / "mix.json", START)


@settings(max_examples=60)
@given(size=st.integers(1, 3000), key=st.integers(0, 2**63))
def test_a_keyed_permutation_is_a_permutation(size, key):
    assert np.array_equal(
        np.sort(permute(np.arange(size), size, hash_numbers(key))), np.arange(size)
    )


@pytest.mark.parametrize("size", [2, 3, 4])
def test_every_order_of_a_small_set_is_about_as_likely(size):
    orders = permute(np.arange(size)[None], size, hash_numbers(np.arange(6000))[:, None])
    counts = Counter(map(tuple, orders.tolist()))
    expected = 6000 / math.factorial(size)
    assert len(counts) == math.factorial(size)
    assert max(abs(count - expected) for count in counts.values()) < 5 * math.sqrt(expected)


def test_orders_of_a_large_set_look_random():
    n = 20_000
    one, two = permute(np.arange(n), n, hash_numbers(1)), permute(np.arange(n), n, hash_numbers(2))
    for other in (np.arange(n), two, np.roll(one, 1)):
        assert abs(np.corrcoef(one, other)[0, 1]) < 5 / math.sqrt(n)
    assert (one == two).sum() < 12


def test_the_rows_do_not_change_from_version_to_version():
    sampler = MixtureSampler(SIZES, START, batch=8, seed=42)
    assert first(sampler, 3) == [
        [272, 178, 50, 399, 425, 500, 519, 546],
        [104, 106, 268, 355, 162, 475, 529, 542],
        [444, 457, 230, 455, 264, 509, 524, 543],
    ]


def test_shares_follow_the_weights_within_a_row_a_step():
    sampler = MixtureSampler(SIZES, START, batch=16)
    drawn = np.array([np.bincount(codes([rows]), minlength=3) for rows in first(sampler, 400)])
    expected = 16 * np.array(list(START.values()))
    assert (np.abs(drawn - expected) < 1 + 1e-9).all()
    assert (
        np.abs(np.cumsum(drawn, 0) - expected * np.arange(1, 401)[:, None]).max() < 5
    )  # not the square root of the steps


def test_epochs_are_exact_and_in_new_orders():
    rows = np.concatenate(first(MixtureSampler(SIZES, START, batch=10), 210))
    maths = rows[rows >= 540]
    epochs = maths[: len(maths) // 7 * 7].reshape(-1, 7)
    assert (np.sort(epochs, 1) == np.arange(540, 547)).all() and len(np.unique(epochs, axis=0)) > 20
    web = rows[rows < 500]
    assert len(set(web[:500].tolist())) == 500


@settings(max_examples=40)
@given(
    weights=st.lists(st.floats(0, 1), min_size=3, max_size=3).filter(lambda w: sum(w) > 1e-3),
    step=st.integers(0, 2**40),
    batch=st.integers(1, 64),
)
def test_counts_are_floor_or_ceil_and_nothing_is_drawn_without_weight(weights, step, batch):
    shares = np.array(weights) / sum(weights)
    counts = np.bincount(Draws([5, 5, 5], batch, 0).draw_domains(step, shares), minlength=3)
    assert (
        counts.sum() == batch
        and (np.abs(counts - batch * shares) < 1 + 1e-6).all()
        and not counts[shares == 0].any()
    )


def test_the_same_seed_is_the_same_rows_and_another_is_not():
    one, two, other = (
        first(MixtureSampler(SIZES, START, batch=8, seed=seed), 20) for seed in (1, 1, 2)
    )
    assert one == two != other


def test_rows_by_name_are_those_of_their_domain():
    names = np.array(["b", "a", "b", "c", "a", "b"] * 20)
    sampler = MixtureSampler(names, {"a": 0.5, "b": 0.25, "c": 0.25}, batch=4)
    for rows in first(sampler, 40):
        assert sorted(names[rows].tolist()) == ["a", "a", "b", "c"]
        assert [sampler.domains[code] for code in sampler.domain_codes(rows)] == names[
            rows
        ].tolist()


def test_a_live_run_equals_the_replay_of_its_history(live, tmp_path):
    sampler = MixtureSampler(SIZES, live, batch=16, seed=3, every=4)
    rows = first(sampler, 30)
    live.guard(max_change=0.02, author="ann")
    live.set(LATER, author="ann")
    rows += first(sampler, 60)
    live.set(START, author="ben")
    rows += first(sampler, 10)
    history = Schedule.load(live.history(steps=100).save(tmp_path / "history.json"))
    assert first(MixtureSampler(SIZES, history, batch=16, seed=3), 100) == rows
    changes = live.changes()
    assert changes.loc[3, ["step", "reached"]].tolist() == [
        32,
        56,
    ]  # 0.5 of the tokens move, 0.02 a step
    assert changes["step"][4] == 92
    steps = np.array([history.at(t).aligned(SIZES) for t in range(100)])
    assert np.abs(np.diff(steps, axis=0)).sum(1).max() / 2 <= 0.02 * (1 + 1e-6)


def test_a_state_goes_on_and_is_small(live):
    sampler = MixtureSampler(SIZES, live, batch=16)
    rows = first(sampler, 50)
    live.set(LATER, author="ann")
    rows += first(sampler, 50)
    for step in (0, 7, 50, 77, 100, 20):
        state = json.loads(json.dumps(sampler.state_dict(step)))
        assert len(json.dumps(state)) < 400 and sum(state["seen"]) == 16 * step
        again = MixtureSampler(SIZES, LiveMixture(live.path), batch=16)
        again.load_state_dict(state)
        assert again.step == step and first(again, 100 - step) == rows[step:]
        sought = MixtureSampler(SIZES, LiveMixture(live.path), batch=16)
        sought.seek(step)
        assert first(sought, 100 - step) == rows[step:]


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        ({"data": {**SIZES, "math": 8}}, r"rows \[500, 40, 7\] instead of \[500, 40, 8\]"),
        (
            {
                "data": {"web": 500, "code": 40, "poems": 7},
                "follow": {"web": 0.7, "code": 0.2, "poems": 0.1},
            },
            "domains",
        ),
        ({"seed": 1}, "seed 0 instead of 1"),
        ({"batch": 8}, "batch 16 instead of 8"),
        (
            {"data": ["web"] * 500 + ["code"] * 40 + ["math"] * 7},
            "this is the state of another sampler",
        ),
    ],
)
def test_the_state_of_other_data_is_one_sentence(other, sentence):
    state = MixtureSampler(SIZES, START, batch=16).state_dict()
    again = MixtureSampler(**{"data": SIZES, "follow": START, "batch": 16, **other})
    with pytest.raises(ReweightvizError, match=sentence) as caught:
        again.load_state_dict(state)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_without_its_journal_is_one_sentence(live):
    sampler = MixtureSampler(SIZES, live, batch=16)
    first(sampler, 40)
    state = sampler.state_dict()
    live.journal.path.unlink()
    with pytest.raises(
        ReweightvizError, match="records 0 steps, the checkpoint is at 40: bring back the journal"
    ):
        MixtureSampler(SIZES, LiveMixture(live.path), batch=16).load_state_dict(state)


def test_a_second_start_on_a_used_file_says_so(live):
    rows = first(MixtureSampler(SIZES, live, batch=16), 5)
    with pytest.warns(
        ReweightvizWarning,
        match="holds the weights of 10 steps of an earlier start, which are followed again",
    ):
        assert first(MixtureSampler(SIZES, LiveMixture(live.path), batch=16), 5) == rows


def test_whoever_draws_for_one_training_is_no_other_training(live):
    sampler = MixtureSampler(SIZES, live, batch=16, every=2)
    first(sampler, 6)
    worker = copy.deepcopy(sampler)  # as a DataLoader makes it
    rows = first(worker, 10)
    assert first(sampler, 30)[:10] == rows
    worker.seek(0)
    assert first(worker, 50)[6:16] == rows


def test_a_file_that_is_begun_anew_stops_the_training_that_follows_it(live):
    sampler = MixtureSampler(SIZES, live, batch=16, every=2)
    first(sampler, 4)
    LiveMixture.create(live.path, LATER, overwrite=True)
    with pytest.raises(
        ReweightvizError,
        match=r"mix\.journal\.jsonl was taken away or begun anew under this training",
    ):
        first(sampler, 10)


def test_two_trainings_on_one_file_are_one_sentence(live):
    one = MixtureSampler(SIZES, live, batch=16)
    first(one, 5)
    other = MixtureSampler(SIZES, LiveMixture(live.path), batch=16)
    other.seek(5)
    first(other, 20)
    with pytest.raises(ReweightvizError, match=r"another training follows .*mix\.json too"):
        first(one, 40)


@pytest.mark.parametrize(("ranks", "accumulation"), [(2, 1), (1, 4), (4, 2)])
def test_ranks_and_accumulation_share_the_same_global_batch(ranks, accumulation):
    whole = first(MixtureSampler(SIZES, START, batch=16), 10)
    parts = [
        first(
            MixtureSampler(SIZES, START, batch=16, rank=r, ranks=ranks, accumulation=accumulation),
            10 * accumulation,
        )
        for r in range(ranks)
    ]
    for step in range(10):
        mine = [
            parts[r][step * accumulation + j] for r in range(ranks) for j in range(accumulation)
        ]
        assert {len(part) for part in mine} == {16 // ranks // accumulation}
        assert sorted(row for part in mine for row in part) == sorted(whole[step])


def test_a_rank_waits_for_the_decision_and_not_for_ever(live):
    follower = MixtureSampler(SIZES, LiveMixture(live.path), batch=16, rank=1, ranks=2, timeout=0.3)
    with pytest.raises(
        ReweightvizError, match=r"rank 0 decided no weights for step 0 within 0\.3 s"
    ):
        first(follower, 1)
    leader = MixtureSampler(SIZES, live, batch=16, rank=0, ranks=2)
    patient = MixtureSampler(SIZES, LiveMixture(live.path), batch=16, rank=1, ranks=2)
    got = []
    waiting = threading.Thread(target=lambda: got.extend(first(patient, 15)))
    waiting.start()
    time.sleep(0.1)
    mine = first(leader, 15)
    waiting.join(10)
    replay = first(MixtureSampler(SIZES, live.history(), batch=16), 15)
    assert [sorted(a + b) for a, b in zip(mine, got, strict=True)] == [
        sorted(rows) for rows in replay
    ]


class Numbers(torch.utils.data.Dataset):
    def __len__(self):
        return sum(SIZES.values())

    def __getitem__(self, row):
        return {"row": row}


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_workers_take_turns_and_follow_the_same_changes(live, workers):
    sampler = MixtureSampler(SIZES, live, batch=16, every=2)
    batches, changed = [], None
    for step, batch in enumerate(
        DataLoader(MixtureDataset(Numbers(), sampler), batch_size=None, num_workers=workers)
    ):
        if step == 20:
            changed = live.set(LATER, author="ann")
        batches.append(batch["row"].tolist())
        np.testing.assert_array_equal(batch["domain_ids"], codes([batches[-1]]))
        if step == 79:
            break
    assert batches == first(MixtureSampler(SIZES, live.history(), batch=16), 80)
    lag = int(live.changes().loc[changed, "step"]) - 20
    assert 0 < lag <= 2 * workers + 2 + 1  # what is drawn ahead, and a block
    assert sampler.state_dict(80)["seen"] == np.bincount(codes(batches), minlength=3).tolist()


def test_workers_that_live_on_are_not_asked_twice(live, monkeypatch):
    data = MixtureDataset(Numbers(), MixtureSampler(SIZES, live, batch=16))
    first(data, 2), first(data, 2)
    monkeypatch.setattr(
        "reweightviz.training.mixture_dataset.get_worker_info", object
    )  # as in a worker
    first(data, 2)
    with pytest.raises(ReweightvizError, match="leave persistent_workers=False"):
        first(data, 2)


def test_a_batch_sampler_works_with_the_loader_of_torch(live):
    sampler = MixtureSampler(SIZES, live, batch=16)
    loader = DataLoader(
        WithDomains(Numbers(), sampler),
        batch_sampler=sampler,
        num_workers=2,
        multiprocessing_context="spawn",
    )
    batches = [batch["row"].tolist() for _, batch in zip(range(12), loader, strict=False)]
    assert batches == first(MixtureSampler(SIZES, live.history(), batch=16), 12)
    assert sampler.step > 12 and sampler.state_dict(12)["step"] == 12


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        ({"follow": {"web": 1.0}}, "name different domains"),
        ({"batch": 0}, "batch must be a whole number"),
        ({"batch": 9, "accumulation": 2}, "a multiple of 1 ranks times 2 batches; got 9"),
        ({"data": {}}, "at least one above 0"),
        ({"data": []}, "there are no rows"),
        ({"seed": -1}, "seed must be"),
        ({"data": ["web", None]}, "some without a domain"),
        ({"every": 0}, "every must be a whole number of at least 1; got 0"),
        ({"every": 2.5}, "every must be a whole number"),
        ({"accumulation": 0}, "accumulation must be a whole number"),
        ({"rank": 1}, "given together, 0 <= rank < ranks; got 1 of None"),
        ({"rank": 5, "ranks": 2}, "rank must be a whole number of at least 0 and at most 1; got 5"),
        ({"data": {**SIZES, "math": 0}}, "'math' has weight but no documents; give it weight 0"),
        ({"data": {"web": -3}}, "must be domains to their number"),
        ({"mixer": ODM()}, "a mixer steers through a LiveMixture"),
    ],
)
def test_what_cannot_be_sampled_is_one_sentence(call, sentence):
    with pytest.raises(ReweightvizError, match=sentence) as caught:
        MixtureSampler(**{"data": SIZES, "follow": START, "batch": 16, **call})
    assert "\n" not in str(caught.value)


def test_weight_for_a_domain_without_documents_is_not_followed(tmp_path):
    live = LiveMixture.create(tmp_path / "mix.json", {"web": 1.0, "poems": 0.0})
    sampler = MixtureSampler({"web": 50, "poems": 0}, live, batch=4, every=1)
    rows = first(sampler, 3)
    live.set({"web": 0.5, "poems": 0.5}, author="ann")
    with pytest.warns(
        ReweightvizWarning,
        match="version 2 of .* gives weight to 'poems', which holds no documents",
    ):
        rows += first(sampler, 1)
    rows += first(sampler, 3)
    assert max(map(max, rows)) < 50 and len(live.history()) == 1
    with pytest.raises(ReweightvizError, match="'poems' has weight but no documents"):
        first(
            MixtureSampler(
                {"web": 50, "poems": 0},
                LiveMixture.create(tmp_path / "b.json", {"web": 0.5, "poems": 0.5}),
                batch=4,
            ),
            1,
        )


def test_a_history_of_fewer_steps_ends_before_the_later_stages():
    schedule = Schedule({0: START, 50: LATER}, steps=100)
    assert MixtureSampler(SIZES, schedule, batch=16).history(steps=50) == Schedule(
        {0: START}, steps=50
    )


def test_a_file_that_disappears_is_followed_by_its_last_weights(live):
    sampler = MixtureSampler(SIZES, live, batch=16)
    first(sampler, 5)
    live.path.unlink()
    with pytest.warns(ReweightvizWarning, match="version 1 stays in force"):
        first(sampler, 10)
    first(sampler, 30)
    assert live.history() == Schedule({0: START})


def test_a_mixer_steers_and_its_run_replays(live):
    rng = np.random.default_rng(0)
    losses = rng.uniform(1, 4, (60, 3))
    sampler = MixtureSampler(SIZES, live, batch=16, every=1, mixer=ODM())
    rows = []
    for step in range(60):
        rows += first(sampler, 1)
        sampler.update({"loss": losses[step]})
        if step == 29:
            state = json.loads(json.dumps(sampler.state_dict()))
    history = live.history(steps=60)
    assert len(history) > 10 and set(live.changes()["author"]) == {"", "ODM"}
    assert first(MixtureSampler(SIZES, history, batch=16), 60) == rows
    resumed = MixtureSampler(SIZES, LiveMixture(live.path), batch=16, every=1, mixer=ODM())
    resumed.load_state_dict(state)
    for step in range(30, 60):
        assert first(resumed, 1) == rows[step : step + 1]
        resumed.update({"loss": losses[step]})
    np.testing.assert_array_equal(resumed._driver.weights, sampler._driver.weights)


@pytest.mark.parametrize("updates", [0, 3])
def test_what_a_mixer_keeps_survives_json(live, updates):
    def made():
        return MixtureSampler(
            SIZES,
            LiveMixture(live.path),
            batch=16,
            mixer=SkillIt(every=2),
            given={"graph": np.eye(3)},
        )

    def learn(sampler):
        sampler.update(dict.fromkeys(("loss", *sampler.measures), [1.0, 2.0, 3.0]))

    one, two = made(), made()
    for _ in range(updates):
        learn(one)
    two.load_state_dict(json.loads(json.dumps(one.state_dict(0))))  # an array without rows among it
    for _ in range(4):
        for kept, again in zip(one._driver._state, two._driver._state, strict=True):
            np.testing.assert_array_equal(again, kept, strict=True)
        learn(one), learn(two)


def test_a_mixer_that_probes_learns_from_what_is_measured(live):
    """Losses fall by what is drawn: math's twice as fast as the others'."""
    sampler = MixtureSampler(
        SIZES, live, batch=16, mixer=Aioli(every=8, lp_rounds=1, lp_steps=2, eta=0.5)
    )
    with pytest.raises(
        ReweightvizError, match="learns from signals that must be measured: measure="
    ):
        require_measure(sampler, None)
    losses, asked = np.full(3, 4.0), 0
    for step in range(120):
        first(sampler, 1)
        losses = losses - 0.02 * np.array([*sampler.weights(step).values()]) * [1, 1, 2]
        if sampler.measures:
            assert sampler.measures == ("probe_loss",)
            with pytest.raises(
                ReweightvizError,
                match="Aioli needs 'probe_loss' after this step, as MixtureSampler.measures names them; update got 'loss'",
            ):
                sampler.update({"loss": losses})
            asked += 1
        sampler.update(dict.fromkeys(("loss", *sampler.measures), losses))
    found = live.history(steps=120)
    probes = [
        mixture for mixture in found.values() if max(mixture.values()) == pytest.approx(0.625)
    ]
    assert asked == 36 and len(probes) == 27
    assert sampler._driver.result.argmax() == 2 and set(live.changes()["author"]) == {"", "Aioli"}
    assert MixtureSampler(SIZES, START, batch=16).measures == () and not require_measure(
        sampler, dict
    )(())


def test_a_mixer_that_would_break_a_guard_is_said_once(live):
    live.guard(locked=True, author="ann")
    sampler = MixtureSampler(SIZES, live, batch=16, mixer=ODM())
    for _ in range(2):
        before = live.mixture
        with pytest.warns(
            ReweightvizWarning,
            match="ODM cannot set the live mixture, and the weights stay as they are: .*locked",
        ) as said:
            _ = [sampler.update({"loss": [1.0, 2.0, 3.0]}) for _ in range(20)]
        assert len(said) == 1 and live.mixture == before
        live.guard(locked=False, author="ann")
        sampler.update(
            {"loss": [1.0, 2.0, 3.0]}
        )  # which is written, so that the next refusal is said again
        assert live.mixture != before
        live.guard(locked=True, author="ann")
    with pytest.raises(ReweightvizError, match="DoReMi scales the loss"):
        MixtureSampler(SIZES, live, batch=16, mixer=DoReMi())
    with pytest.raises(ReweightvizError, match="has no mixer to update"):
        MixtureSampler(SIZES, live, batch=16).update({})
