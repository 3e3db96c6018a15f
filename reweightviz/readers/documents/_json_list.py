"""The objects of one JSON list, read a piece at a time."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import IO, Any

from reweightviz.core.errors import WrongContent
from reweightviz.readers.documents._find_files import DocumentFile
from reweightviz.readers.documents._open_bounded import LONGEST_LINE

__all__ = ["BrokenList", "read_list"]


_PIECE = 1 << 20
_BETWEEN = re.compile(r"[ \t\r\n,]*")


class BrokenList(ValueError):
    """The list breaks off, or holds what is no JSON."""


def read_list(file: DocumentFile, stream: IO[bytes]) -> Iterator[tuple[int, int, Any]]:
    """Yield the entries of a list: their places from 1, their letters, and themselves.

    Args:
        file: of which the sentences speak.
        stream: at the list's opening bracket.

    Raises:
        BrokenList: where no further entry can be read.
    """
    decode = codecs.getincrementaldecoder("utf-8-sig")().decode
    text = decode(stream.read(_PIECE)).lstrip()
    place = 1
    number = 0
    piece = _PIECE
    while True:
        place = _skip_space(text, place)
        if text.startswith("]", place):
            _check_end(text[place + 1 :] + decode(stream.read(_PIECE)))
            return
        entry, end = _decode_entry(text, place)
        # One that ends with the text may go on behind it, as a number does.
        if end and end < len(text):
            number += 1
            yield number, end - place, entry
            place = end
            piece = _PIECE
            continue
        # Twice as much each time, or a long entry would be looked at once a piece.
        data = stream.read(piece)
        if not data:
            raise BrokenList(f"the list breaks off, or holds no JSON, in its entry {number + 1}")
        text = text[place:] + decode(data)
        place = 0
        piece *= 2
        if len(text) > LONGEST_LINE:
            raise WrongContent(
                path=file,
                reason=f"holds no JSON in entry {number + 1} of its list, or one of more than "
                f"{LONGEST_LINE >> 20} MiB",
            )


def _skip_space(text: str, place: int) -> int:
    match = _BETWEEN.match(text, place)
    return match.end() if match else place


def _decode_entry(text: str, place: int) -> tuple[Any, int]:
    """Return the entry that begins at a place of a text and where it ends, 0 where it does not."""
    try:
        return json.JSONDecoder().raw_decode(text, place)
    except json.JSONDecodeError:
        return None, 0


def _check_end(text: str) -> None:
    if text.strip():
        raise BrokenList("something stands behind the end of its list")
