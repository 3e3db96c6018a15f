"""The words behind an option in somebody's shell script, followed through its plain assignments and never run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

_WORD = r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|\\.|[^\s;&|<>()"'])"""
_TOKEN = re.compile(rf"#[^\n]*|({_WORD}+)|([;&|<>()\"'])")
_ASSIGNED = re.compile(
    r"^([ \t]*)(?:(?:export|local|readonly|declare|typeset)[ \t]+(?:-\w+[ "
    rf"\t]+)*)?([A-Za-z_]\w*)(\+?)=(\([^()]*\)|{_WORD}*)"
    r"(?=([\s;&|]|\Z)?)",
    re.MULTILINE,
)
_NAMED = re.compile(r'"?\$\{(\w+)\[[@*]\]\}"?|\$(?:(\w+)|\{(\w+)\})')
_LONGEST = 2**18
"""A longer value comes of a variable that is put into itself again and again."""
_MOST = 10_000
"""More assignments are no person's."""


def read_option(text: str, option: str) -> list[str] | None:
    r"""The words behind the first such option; None where there is none. A variable that is not known stays as it is written.

    Args:
        text: of the script.
        option: a pattern, such as ``--data-path``.

    >>> read_option('A="0.5 /d/web"\nA="$A 0.5 /d/code"\ntrain --data-path $A --lr 1', "--data-path")
    ['0.5', '/d/web', '0.5', '/d/code']
    """
    plain = re.sub(r"(?m)^[ \t]*#.*\n?", "", text).replace("\\\n", " ")
    found = re.search(rf"(?<![\w-]){option}(?=\s)", plain)
    if found is None:
        return None
    assigned = [one for one in _ASSIGNED.finditer(plain) if one.start() < found.start()]
    inside = assigned and assigned[-1].end() > found.end()
    if inside:
        rest = assigned.pop()[4][:-1]
        rest = rest[re.search(rf"(?<![\w-]){option}(?=\s)", rest).end() :].replace('\\"', '"')  # type: ignore[union-attr]
    else:
        rest = " ".join(_behind(plain[found.end() :]))
    rest = _filled(rest, _values(assigned, plain[: found.start()]))
    return list(_split(re.split(r"(?:^|\s)(?:--[A-Za-z]|\d?[<>])", rest)[0]))


def find_unknown(words: list[str]) -> str | None:
    """The first word that only a shell could tell: a command, or nothing but a variable."""
    return next(
        (word for word in words if re.search(r"`|\$\(|\$\{(?!\w+\})|^\$(\w*|\{\w+\})$", word)), None
    )


def _behind(text: str) -> Iterator[str]:
    """The rest of the line, and the lines below that go on with a number."""
    first, *more = text.split("\n")
    yield first
    for line in more:
        if not re.match(r"\s*[-+]?\.?\d", line):
            return
        yield line


def _values(assigned: list[re.Match[str]], text: str) -> dict[str, str]:
    """Name to value after the assignments of a text, of the names that are assigned at the margin only, to what can be read."""
    values: dict[str, str] = {}
    seen = Counter(re.findall(r"(?<![\w${\"'-])([A-Za-z_]\w*)\+?=", text))
    lost = {name for name, times in (seen - Counter(one[2] for one in assigned)).items() if times}
    for margin, name, adds, value, ends in (one.groups() for one in assigned[:_MOST]):
        listed = value.startswith("(")
        filled = _filled(value[1:-1] if listed else "".join(_unquoted(value)), values)
        values[name] = (
            filled if not adds else f"{values.get(name, '')}{' ' if listed else ''}{filled}"
        )
        if (
            margin
            or ends is None
            or name in lost
            or len(values[name]) > _LONGEST
            or len(assigned) > _MOST
        ):
            lost.add(name)
            del values[name]
    return values


def _unquoted(value: str) -> Iterator[str]:
    """The parts of a word, out of their quotes."""
    for part in re.findall(_WORD, value):
        if part[0] == '"':
            yield re.sub(r'\\(["\\$`])', r"\1", part[1:-1])
        else:
            yield part[1:-1] if part[0] == "'" else part.removeprefix("\\")


def _filled(text: str, values: dict[str, str]) -> str:
    return _NAMED.sub(lambda found: values.get(next(filter(None, found.groups())), found[0]), text)


def _split(text: str) -> Iterator[str]:
    """The words up to where the command ends."""
    for word, end in _TOKEN.findall(text):
        if end:
            return
        if word:
            yield "".join(_unquoted(word))
