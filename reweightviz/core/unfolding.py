"""A bound on what a small file may unfold to, so that none fills the memory."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from reweightviz.core.errors import WrongContent

__all__ = ["FREE_BYTES", "MOST_TIMES", "Allowance"]


FREE_BYTES = 1 << 26
"""Bytes that any file may unfold to."""
MOST_TIMES = 10
"""Bytes beyond those that a byte of a file may unfold to.

gzip and zstd make 2 to 5 of text; either makes 1,000 and more of nothing.
"""


class Allowance:
    """Bytes that a file may still unfold to.

    Args:
        path: of the file of which the sentence speaks.
        instead: what would do, in the sentence.
    """

    def __init__(
        self, path: object, instead: str = "write it out uncompressed and read that"
    ) -> None:
        self._path = path
        self._instead = instead
        self._unfolded = 0

    def spend(self, unfolded: int, read: int) -> None:
        """Count ``unfolded`` bytes more; ``read`` bytes of the file were taken so far.

        Raises:
            WrongContent: that is more than it may.
        """
        self._unfolded += unfolded
        if self._unfolded > FREE_BYTES + MOST_TIMES * read:
            raise WrongContent(
                path=self._path,
                reason=f"unfolds to more than {MOST_TIMES} times its size, as text seldom does; "
                f"where it is meant, {self._instead}",
            )

    def spend_rows(self, batch: pa.RecordBatch, read: int) -> None:
        """Count the bytes of rows with every text written out where it stands."""
        self.spend(sum(map(_count_bytes, batch.columns)), read)


def _count_bytes(column: pa.Array) -> int:
    if pa.types.is_struct(column.type):
        return sum(map(_count_bytes, column.flatten()))
    is_shared = pa.types.is_dictionary(column.type)
    if is_shared and column.type.value_type in (pa.string(), pa.large_string(), pa.binary()):
        lengths = pc.binary_length(column.dictionary).take(column.indices)
        return int(pc.sum(lengths.cast(pa.int64())).as_py() or 0)
    return int(column.nbytes)
