"""Mutate the bytes of a file: words, parts, bytes and lines."""

from __future__ import annotations

import random
import re

WORDS = (
    *("", "0", "-1", "1e999", "1e30", "nan", "NaN", "inf", "1.5", "1,234.5", "2024-01-01"),
    *("1" + "0" * 400, "9" * 400, "9" * 5000, "null", "true", "~", "[]", "[1]", "{}", "{a: b}"),
    *('{"a": [1]}', "{a: {b: [c]}}", '{"a":' * 3000, "[" * 3000, "(" * 300, "{", "}", '"', "'"),
    *("\\", '"\\ud800"', "*a", "&a [*a]", "<<", "!x", ": ", "- ", " - ", ",", ";", "\t", "\r"),
    *("\n", "\0", "\ufeff", "\u2028", "日本語", "$X", "$(x)", "%s", "../..", "a" * 300, "/" * 5),
)
WORD = re.compile(rb"[\w.+/-]+")


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Return the data with one to four changes."""
    for _ in range(rng.randint(1, 4)):
        data = rng.choice((change_word, change_word, change_word, cut, repeat, flip, swap))(
            data, rng
        )
    return data


def change_word(data: bytes, rng: random.Random) -> bytes:
    """Put something else in the place of a word or number."""
    words = list(WORD.finditer(data[:100_000]))
    if not words:
        return data + rng.choice(WORDS).encode()
    found = rng.choice(words)
    return data[: found.start()] + rng.choice(WORDS).encode() + data[found.end() :]


def cut(data: bytes, rng: random.Random) -> bytes:
    """Leave out a part."""
    start, end = _part(data, rng)
    return data[:start] + data[end:]


def repeat(data: bytes, rng: random.Random) -> bytes:
    """Write a part twice."""
    start, end = _part(data, rng)
    return data[:end] + data[start:end] + data[end:]


def flip(data: bytes, rng: random.Random) -> bytes:
    """Change a byte."""
    place, _ = _part(data, rng)
    return data[:place] + bytes([rng.randrange(256)]) + data[place + 1 :]


def swap(data: bytes, rng: random.Random) -> bytes:
    """Exchange two lines."""
    lines = data.split(b"\n")
    one = rng.randrange(len(lines))
    other = rng.randrange(len(lines))
    held = lines[one]
    lines[one] = lines[other]
    lines[other] = held
    return b"\n".join(lines)


def _part(data: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.choice((1, 2, 10, 100, len(data))))
