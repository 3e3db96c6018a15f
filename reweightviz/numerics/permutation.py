"""Shuffles without a table: any epoch of any domain is a formula of its seed.

A Feistel network on pairs of digits whose product of ranges just covers the set, walked on until
it lands inside: John Black and Phillip Rogaway, "Ciphers with Arbitrary Finite Domains", CT-RSA
2002, https://doi.org/10.1007/3-540-45760-7_9. The round function is the finaliser of SplitMix64
(Guy Steele, Doug Lea and Christine Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA
2014, https://doi.org/10.1145/2660193.2660195). Whole numbers alone: the same on every machine and
in every version of numpy.
"""

from __future__ import annotations

from math import isqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["GOLDEN", "ROUNDS", "Whole", "hash_numbers", "permute"]


Whole = NDArray[np.uint64]

# Four make a pseudo-random permutation of a large set (Michael Luby and Charles Rackoff, 1988);
# small sets need more (and of 9, 25, 49, ... rows only even orders come).
ROUNDS = 10
GOLDEN = 0x9E3779B97F4A7C15  # 2**64 divided by the golden ratio, odd


def hash_numbers(*parts: ArrayLike) -> Whole:
    """Hash each combination of whole numbers >= 0 to one well mixed number of 64 bits, broadcast.

    >>> len({int(hash_numbers(seed, step)) for seed in range(10) for step in range(10)})
    100
    """
    with np.errstate(over="ignore"):  # it wraps around on purpose
        total = np.zeros((), np.uint64)
        for part in parts:
            total = _finalise((total ^ np.asarray(part).astype(np.uint64)) + np.uint64(GOLDEN))
        return total


def permute(places: ArrayLike, sizes: ArrayLike, keys: Whole) -> NDArray[np.int64]:
    """Return where each place of a set goes under the permutation of its key.

    A bijection of 0..size-1, broadcast.

    Args:
        places: 0 <= place < size.
        sizes: of the sets, at least 1 and below 2**62.
        keys: 64 bits that choose the permutation.

    Example:
        >>> sorted(permute(np.arange(7), 7, hash_numbers(3)).tolist())
        [0, 1, 2, 3, 4, 5, 6]
    """
    whole_places = np.asarray(places).astype(np.uint64)
    whole_sizes = np.asarray(sizes).astype(np.uint64)
    # A single place is walked on as one of an array, whose entries can be replaced.
    place, size, key = np.broadcast_arrays(np.atleast_1d(whole_places), whole_sizes, keys)
    # The root is taken in whole numbers, as that of a float is off by one for large sets.
    lefts = np.vectorize(lambda n: isqrt(int(n) - 1) + 1, otypes=[np.uint64])
    unique, inverse = np.unique(size, return_inverse=True)
    left = lefts(unique)[inverse].reshape(size.shape)
    right = (size + left - np.uint64(1)) // left
    found = _network(place, left, right, key)
    # left * right is hardly more than the size, so that few places walk on.
    while (outside := found >= size).any():
        found[outside] = _network(found[outside], left[outside], right[outside], key[outside])
    return found.astype(np.int64)


def _network(place: Whole, left: Whole, right: Whole, key: Whole) -> Whole:
    """Permute 0..left*right-1: two digits of a place change by turns, by a hash of the other."""
    a = place // right
    b = place % right
    for turn in range(ROUNDS):
        if turn % 2:
            b = (b + hash_numbers(key, a, turn) % right) % right
        else:
            a = (a + hash_numbers(key, b, turn) % left) % left
    return a * right + b


def _finalise(x: Whole) -> Whole:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
