"""One thread of linear algebra while laws are fitted and asked."""

from __future__ import annotations

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import reweightviz as rv


def blas():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_a_fit_takes_one_thread_and_gives_the_others_back():
    seen = []

    class Law:
        def fit(self, *, mixtures):
            seen.append((len(mixtures), blas()))
            raise KeyError("no law")

    with threadpool_limits(2, user_api="blas"):
        with pytest.raises(KeyError):
            rv.fit(rv.demo_swarm(), Law())
        assert (seen, blas()) == ([(len(rv.demo_swarm()), {1})], {2})
