"""Records of laws, as JSON can hold them: their kind, what all laws have, and arrays in base64."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.errors import InvalidValue, ReweightvizError, list_names

__all__ = ["decode_array", "decode_flat", "encode_array", "encode_flat", "open_record"]


@contextmanager
def open_record(record: Mapping[str, Any], kinds: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield the fields that all laws have; a record that lacks something is refused within.

    Args:
        record: what a law's ``to_dict`` returned.
        kinds: those that are read here.

    Raises:
        ReweightvizError: another kind of law, or a damaged record.
    """
    choice = sorted(kinds)
    if record.get("kind") not in choice:
        raise InvalidValue(
            name="the kind of the law",
            value=record.get("kind"),
            expected=repr(choice[0]) if len(choice) == 1 else f"one of {list_names(choice)}",
        )
    try:
        yield {
            "domains": tuple(record["domains"]),
            "targets": tuple(record["targets"]),
            "lower_is_better": np.array(record["lower_is_better"], bool),
            "diagnostics": dict(record["diagnostics"]),
        }
    except ReweightvizError:  # a law within the record has named the fault already
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise ReweightvizError(
            f"the record of the law is incomplete or damaged: {error}."
        ) from error


def encode_array(values: NDArray[Any]) -> dict[str, Any]:
    """Return an array's shape, type and little-endian bytes in base64.

    >>> decode_array(encode_array(np.array([[1.0, 2.0]]))).tolist()
    [[1.0, 2.0]]
    """
    # A record reads the same on a machine of another byte order.
    contiguous = np.ascontiguousarray(values)
    little = contiguous.astype(contiguous.dtype.newbyteorder("<"), copy=False)
    return {
        "shape": list(little.shape),
        "dtype": little.dtype.str,
        "data": base64.b64encode(little.tobytes()).decode("ascii"),
    }


def decode_array(record: Mapping[str, Any]) -> NDArray[Any]:
    """Return the array that :func:`encode_array` wrote."""
    flat = np.frombuffer(base64.b64decode(record["data"]), record["dtype"])
    return flat.reshape(record["shape"]).copy()  # the buffer is read-only


def encode_flat(values: NDArray[Any], dtype: str) -> str:
    """Return the bytes of an array in a type such as "<f4", in base64, without its shape.

    >>> decode_flat(encode_flat(np.array([1.0, 2.0]), "<f4"), "<f4").tolist()
    [1.0, 2.0]
    """
    return base64.b64encode(values.astype(dtype).tobytes()).decode("ascii")


def decode_flat(text: str, dtype: str) -> NDArray[Any]:
    """Return the numbers that :func:`encode_flat` wrote, in one row."""
    return np.frombuffer(base64.b64decode(text), dtype)
