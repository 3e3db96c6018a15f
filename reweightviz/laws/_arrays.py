"""Arrays in a law's record: base64 of little-endian bytes; the shape is the law's own."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray


def encoded(values: NDArray[Any], dtype: str) -> str:
    """The bytes of an array in a type such as "<f4", as text.

    >>> decoded(encoded(np.array([1.0, 2.0]), "<f4"), "<f4").tolist()
    [1.0, 2.0]
    """
    return base64.b64encode(values.astype(dtype).tobytes()).decode("ascii")


def decoded(text: str, dtype: str) -> NDArray[Any]:
    """What :func:`encoded` gave, flat."""
    return np.frombuffer(base64.b64decode(text), dtype)
