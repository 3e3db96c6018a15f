"""Texts -> their numbers of tokens, by a tokenizer that has a name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from reweightviz.core.errors import MissingPackage
from reweightviz.core.foreign_file import guard_reading

__all__ = ["TokenCounter", "name_counter"]


_TEXTS = 1000
"""In one call, which uses every core."""


class TokenCounter:
    """A tokenizer that counts, without the tokens that a document begins or ends with.

    Args:
        name: on the Hugging Face hub, or the path of a tokenizer.json or of its folder.
    """

    def __init__(self, name: str) -> None:
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise MissingPackage(
                package="tokenizers", extra="tokenizers", who=f"counting with {name!r}"
            ) from error
        path = Path(name)
        with guard_reading(name, "a tokenizer.json, or a tokenizer of the Hugging Face hub"):
            if path.is_dir():
                path /= "tokenizer.json"
            if path.exists():
                self._tokenizer = Tokenizer.from_file(str(path))
            else:
                self._tokenizer = Tokenizer.from_pretrained(name)
        # Its file may ask for all texts to be cut, or filled up, to one length.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def append_tokens(self, table: pa.Table) -> pa.Table:
        """Return the table of N documents with a column of ``tokens`` beside that of ``text``."""
        counts: list[int] = []
        for batch in table.select(["text"]).to_batches(max_chunksize=_TEXTS):
            texts = batch.column(0).to_pylist()
            encoded = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
            counts += map(len, encoded)
        return table.append_column("tokens", pa.array(np.array(counts, np.int64)))


def name_counter(column: str | None) -> str:
    """Return what counted tokens that no tokenizer is named for: a column, or the text's bytes."""
    return f"column {column!r}" if column else "utf-8 bytes"
