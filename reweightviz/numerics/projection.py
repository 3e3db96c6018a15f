"""Random projection of long vectors, block by block, that keeps inner products on average.

A projection matrix of 135 million columns and 4,096 rows has 2 TB, so none is ever held: each entry
follows from its place and the seed by a counter-based generator, Philox 4x32 with ten rounds (John
K. Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011,
https://doi.org/10.1145/2063384.2063405), in whole numbers. NumPy, and torch on any device,
therefore give the same matrix, whatever the blocks.

"rademacher" has +-1/sqrt(k) in all of its k rows: the matrix of Dimitris Achlioptas,
"Database-Friendly Random Projections", JCSS 2003, https://doi.org/10.1016/S0022-0000(03)00025-4.
"sparse" has one +-1 a column: feature hashing, Kilian Weinberger et al., ICML 2009,
https://arxiv.org/abs/0902.2206. Both keep an inner product on average, and the variance is the
same, (|a|^2 |b|^2 + <a, b>^2 - 2 sum a_i^2 b_i^2) / k, but a sparse one costs an addition a number
instead of k. Where a few numbers carry all of a vector's length its tails are heavier.
"""

from __future__ import annotations

import functools
from typing import Any, Literal, get_args

import numpy as np

from reweightviz.core.errors import InvalidValue, ReweightvizError

__all__ = ["Projection", "check_projection", "draw_words", "project"]


Projection = Literal["sparse", "rademacher"]
_MASK = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_COLUMNS = 1 << 16  # of a sparse matrix, made at once: their words stay in the cache
_ENTRIES = 1 << 22  # of a dense one
# One byte of random bits to eight signs, the lowest bit first.
_SIGNS = (
    np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little").astype(
        np.float32
    )
    * 2
    - 1
)


def project(
    values: Any,
    dimensions: int,
    *,
    seed: int = 0,
    kind: Projection = "sparse",
    start: int = 0,
    block: int | None = None,
) -> Any:
    """Return the projection (B, k) of vectors, or the share of it that some columns have.

    It is linear: the projections of all blocks of columns add up to that of the whole vectors. A
    row with NaN becomes NaN and leaves the others alone.

    Args:
        values: (B, n) numbers, of NumPy or torch; a tensor is projected on its device.
        dimensions: k, the numbers that are left.
        seed: of the matrix, a whole number from 0 to 2^32 - 1.
        kind: "sparse", one +-1 a column, or "rademacher", +-1/sqrt(k) everywhere.
        start: the place of the first column in the whole vectors.
        block: columns of the matrix that are made at once; the result does not depend on it.

    Example:
        >>> values = np.ones((1, 6), np.float32)
        >>> halves = [project(values[:, :3], 4), project(values[:, 3:], 4, start=3)]
        >>> bool((project(values, 4) == sum(halves)).all())
        True
    """
    _check(values, dimensions, seed, kind)
    width = block or _COLUMNS
    if kind == "rademacher":
        width = block or max(_ENTRIES // dimensions, 1)
    out = _zeros(values, dimensions)
    for left in range(0, values.shape[1], width):
        part = values[:, left : left + width]
        columns = _count(part, part.shape[1]) + (start + left)
        if kind == "sparse":
            out += _hash(part, columns, dimensions, seed)
        else:
            out += part @ _signs(part, columns, dimensions, seed)
    if kind == "rademacher":
        out /= dimensions**0.5
    return out


def draw_words(counter: tuple[Any, ...], key: tuple[int, int]) -> tuple[Any, ...]:
    """Return four random words for each place of four counters: Philox 4x32, ten rounds.

    Args:
        counter: four int64 arrays of numbers below 2^32, of NumPy or torch.
        key: two whole numbers below 2^32.

    Example:
        >>> zero = np.zeros(1, np.int64)
        >>> [hex(word[0]) for word in draw_words((zero, zero, zero, zero), (0, 0))]
        ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    a, b, c, d = counter
    left, right = key
    for _ in range(_ROUNDS):
        # A product of two words may pass 2^63: it wraps, and its bits are right all the same.
        first = a * _MULTIPLIERS[0]
        second = c * _MULTIPLIERS[1]
        a = (second >> 32) & _MASK ^ b ^ left
        b = second & _MASK
        c = (first >> 32) & _MASK ^ d ^ right
        d = first & _MASK
        left = (left + _WEYL[0]) & _MASK
        right = (right + _WEYL[1]) & _MASK
    return a, b, c, d


def check_projection(like: Any, dimensions: int, *, seed: int = 0, kind: Projection) -> None:
    """Project known vectors once a device, and refuse to go on when their lengths are not kept.

    A kernel that fails on a device may give zeros without an error, and all scores are 0.

    Args:
        like: an array of the library and on the device that are used.
        dimensions: k.
        seed: of the matrix.
        kind: of matrix.

    Raises:
        ReweightvizError: the mean squared length is outside of 1 +- 3 sqrt(2 / k).
    """
    device = "NumPy"
    if not isinstance(like, np.ndarray):
        device = str(like.device)
    _check_once(device, dimensions, seed, kind)


@functools.cache
def _check_once(device: str, dimensions: int, seed: int, kind: Projection) -> None:
    rows = 8
    columns = 4096
    places = np.arange(rows * columns)
    zero = np.zeros_like(places)
    bits = draw_words((places, zero, zero, zero), (seed, 0))[0] & 1
    values: Any = (bits * 2 - 1).reshape(rows, columns).astype(np.float32)
    if device != "NumPy":
        import torch

        values = torch.from_numpy(values).to(device)
    projected = project(values, dimensions, seed=seed, kind=kind)
    ratio = float((projected**2).sum() / (values**2).sum())
    if not abs(ratio - 1) <= 3 * (2 / dimensions) ** 0.5:
        raise ReweightvizError(
            f"the {kind} projection to {dimensions} dimensions on {device} keeps {ratio:.3g} of "
            "the squared length of vectors, and not about 1: its kernels fail there; "
            "the CPU would do."
        )


def _check(values: Any, dimensions: int, seed: int, kind: str) -> None:
    if kind not in get_args(Projection):
        raise InvalidValue(name="projection", value=kind, expected="'sparse' or 'rademacher'")
    if values.ndim != 2:
        raise InvalidValue(
            name="vectors to project", value=tuple(values.shape), expected="an array (B, n)"
        )
    for name, number, least in (("dimensions", dimensions, 1), ("seed", seed, 0)):
        if not least <= number <= _MASK:
            raise InvalidValue(
                name=name, value=number, expected=f"a whole number from {least} to 2^32 - 1"
            )


def _hash(values: Any, columns: Any, dimensions: int, seed: int) -> Any:
    """Add every column to its bucket, by its sign."""
    zero = columns * 0
    place, sign, _, _ = draw_words((columns & _MASK, columns >> 32, zero, zero), (seed, 1))
    bucket = (place * dimensions) >> 32
    if isinstance(values, np.ndarray):
        from scipy.sparse import csr_array

        entries = ((sign & 1) * 2 - 1).astype(np.float32)
        starts = np.arange(len(columns) + 1)
        matrix = csr_array((entries, bucket, starts), shape=(len(columns), dimensions))
        return values @ matrix
    # Twice the buckets, one half for each sign: no product with signs is needed.
    bucket = bucket + (sign & 1) * dimensions
    sums = values.new_zeros(len(values), 2 * dimensions, dtype=_precision(values))
    sums.scatter_add_(1, bucket.expand(len(values), -1), values.to(sums.dtype))
    return sums[:, dimensions:] - sums[:, :dimensions]


def _signs(values: Any, columns: Any, dimensions: int, seed: int) -> Any:
    """Return a block (n, k) of +-1: each call of the generator has 128 of them."""
    calls = _count(values, -(-dimensions // 128))
    shape = (len(columns), len(calls))
    zero = columns[:, None] * calls * 0
    words = draw_words(
        (zero + (columns & _MASK)[:, None], zero + (columns >> 32)[:, None], zero + calls, zero),
        (seed, 2),
    )
    if isinstance(values, np.ndarray):
        octets = np.stack(words, -1).astype("<u4").view(np.uint8)
        return _SIGNS[octets].reshape(len(columns), -1)[:, :dimensions]
    import torch

    shifts = torch.arange(0, 32, 8, device=values.device)
    places = ((torch.stack(words, -1)[..., None] >> shifts) & 255).view(shape[0], -1)
    table = torch.from_numpy(_SIGNS).to(values.device, values.dtype)
    return table[places].view(shape[0], -1)[:, :dimensions]


def _count(like: Any, n: int) -> Any:
    if isinstance(like, np.ndarray):
        return np.arange(n, dtype=np.int64)
    import torch

    return torch.arange(n, device=like.device)


def _zeros(values: Any, dimensions: int) -> Any:
    if isinstance(values, np.ndarray):
        return np.zeros((len(values), dimensions), np.result_type(values, np.float32))
    return values.new_zeros(len(values), dimensions, dtype=_precision(values))


def _precision(values: Any) -> Any:
    """Return float32 for halves: sums of many numbers in bf16 would lose the small ones."""
    import torch

    return torch.promote_types(values.dtype, torch.float32)
