"""The words behind an option of somebody's shell script, never run.

Variables are followed through the plain assignments of the script.
"""

from __future__ import annotations

import itertools
import re
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

__all__ = [
    "ANY_ASSIGNMENT",
    "ASSIGNMENT",
    "COMMENT",
    "LONGEST_VALUE",
    "MOST_ASSIGNMENTS",
    "NEXT_OPTION",
    "PRINTING",
    "SHELL_ONLY",
    "TOKEN",
    "VARIABLE",
    "WORD",
    "find_own_commands",
    "find_unknown",
    "read_commands",
    "read_option",
    "read_settings",
]


WORD = r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|\\.|[^\s;&|<>()"'])"""
"""A part of a word: in double quotes, in single quotes, an escape, or one plain character."""
TOKEN = re.compile(rf"#[^\n]*|({WORD}+)|([;&|<>()\"'])")
"""A comment, a whole word, or what ends the command; a lone quote is never closed."""
ASSIGNMENT = re.compile(
    r"^([ \t]*)(?:(?:export|local|readonly|declare|typeset)[ \t]+(?:-\w+[ \t]+)*)?"
    rf"([A-Za-z_]\w*)(\+?)=(\([^()]*\)|{WORD}*)"
    r"(?=([\s;&|]|\Z)?)",
    re.MULTILINE,
)
"""Indentation, name, "+" where it adds, value, and what ends it."""
ANY_ASSIGNMENT = re.compile(r"(?<![\w${\"'-])([A-Za-z_]\w*)\+?=")
"""A name before an equals sign anywhere, such as in a loop or behind a command."""
VARIABLE = re.compile(r'"?\$\{(\w+)\[[@*]\]\}"?|\$(?:(\w+)|\{(\w+)\})')
"""A whole array, ``"${A[@]}"``, or a variable, ``$A`` or ``${A}``."""
SHELL_ONLY = re.compile(r"`|\$\(|\$\{(?!\w+\})|^\$(\w*|\{\w+\})$")
"""A command in a word, an expansion such as ``${A:-1}``, or nothing but a variable."""
COMMENT = re.compile(r"^[ \t]*(?:#.*\n?|(?:echo|printf)\b(?!.*\\$)[^&;|\n]*\n?)", re.MULTILINE)
"""A comment, or a line that prints and does nothing else."""
NEXT_OPTION = re.compile(r"(?:^|\s)(?:--[A-Za-z]|\d?[<>])")
"""The next option of the command, or where its output goes."""
LONGEST_VALUE = 2**18
"""A longer value comes of a variable that is put into itself again and again."""
PRINTING = ("echo", "printf", "cat", "export", "#")
"""Commands whose words are no options of theirs."""
MOST_ASSIGNMENTS = 10_000
"""More assignments are no person's."""


def read_option(text: str, option: str) -> list[str] | None:
    r"""Return the words behind the first such option; None where there is none.

    A variable that is not known stays as it is written.

    Args:
        text: of the script.
        option: a pattern, such as ``--data-path``.

    >>> script = 'A="0.5 /d/web"\nA="$A 0.5 /d/code"\ntrain --data-path $A --lr 1'
    >>> read_option(script, "--data-path")
    ['0.5', '/d/web', '0.5', '/d/code']
    """
    plain = _join_lines(text)
    pattern = re.compile(rf"(?<![\w-]){option}(?=\s)")
    found = pattern.search(plain)
    if found is None:
        return None
    # Of an option that stands twice in one command argparse takes the last.
    for other in pattern.finditer(plain, found.end()):
        if re.search(r"[\n;&|\"'()]", plain[found.end() : other.start()]):
            break
        found = other
    assignments = [one for one in ASSIGNMENT.finditer(plain) if one.start() < found.start()]
    rest = " ".join(_following_lines(plain[found.end() :]))
    if assignments and assignments[-1].end() > found.end():
        # The option stands inside a value, such as ARGS="--data-path ...".
        value = assignments.pop()[4][:-1]
        inside = pattern.search(value)
        rest = ""
        if inside:
            rest = value[inside.end() :].replace('\\"', '"')
    rest = _fill(rest, _read_values(assignments, plain[: found.start()]))
    return list(_split(NEXT_OPTION.split(rest)[0]))


def read_settings(text: str, name: str) -> Iterator[tuple[str, str]]:
    r"""Generate key and value of the ``key=value`` words of a command, as Hydra takes them.

    Args:
        text: of the script.
        name: a pattern of the keys.

    >>> script = 'P="/d/web,/d/code"\ntrain "dataset.blend=[[$P],[0.7,0.3]]" lr=1'
    >>> list(read_settings(script, r"dataset\.blend"))
    [('dataset.blend', '[[/d/web,/d/code],[0.7,0.3]]')]
    """
    plain = _join_lines(text)
    for found in re.finditer(rf"(?<![\w.])({name})=", plain):
        quote = plain[: found.start()].rstrip("+")[-1:]
        rest = plain[found.end() :]
        pattern = {'"': r'(?:[^"\\]|\\.)*', "'": r"[^']*"}.get(quote, f"{WORD}*")
        match = re.match(pattern, rest, re.DOTALL)
        value = match[0] if match else ""
        if quote == '"':
            value = value.replace('\\"', '"')
        elif quote != "'":
            value = "".join(_unquote(value))
        if quote != "'":
            before = [one for one in ASSIGNMENT.finditer(plain) if one.end() < found.start()]
            value = _fill(value, _read_values(before, plain[: found.start()]))
        yield found[1], _cut_at_the_last_bracket(value)


def read_commands(text: str) -> Iterator[list[str]]:
    r"""Generate the words of each command of a script, its variables followed.

    A variable that is not known stays as it is written; one that is set anew stands for its last
    value.

    >>> list(read_commands('D=a,b\ncd x && train --dataset $D \\\n  --lr 1 | tee log'))
    [['D=a,b'], ['cd', 'x'], ['train', '--dataset', 'a,b', '--lr', '1'], ['tee', 'log']]
    """
    plain = _join_lines(text)
    values = _read_values(list(ASSIGNMENT.finditer(plain)), plain)
    for line in plain.split("\n"):
        words: list[str] = []
        for word, end in TOKEN.findall(_fill(line, values)):
            if end and words:
                yield words
                words = []
            elif word:
                words.append("".join(_unquote(word)))
        if words:
            yield words


def _join_lines(text: str) -> str:
    """Return a script without comments and line breaks: then one command is one line."""
    return COMMENT.sub("", text).replace("\\\n", " ")


def find_own_commands(text: str) -> Iterator[str]:
    r"""Generate each command of a script that may train: no option alone, and none that prints.

    >>> list(find_own_commands('A=1\necho "--lr 1"\nB=2 train --lr $A\n'))
    ['train --lr 1']
    """
    for words in read_commands(text):
        own = list(itertools.dropwhile(re.compile(r"\w+\+?=").match, words))
        # A line of an array begins with an option or a number.
        if len(own) > 1 and own[0] not in PRINTING and not re.match(r"-|[\d.]+$", own[0]):
            yield shlex.join(own)


def find_unknown(words: Sequence[str]) -> str | None:
    """Return the first word that needs a shell: a command, or nothing but a variable."""
    return next((word for word in words if SHELL_ONLY.search(word)), None)


def _cut_at_the_last_bracket(value: str) -> str:
    """Return a list or mapping without the words behind it, which quotes may hold too."""
    depth = 0
    for place, letter in enumerate(value):
        depth += (letter in "[{") - (letter in "]}")
        if depth == 0:
            return value[: place + 1] if place else value
    return value


def _following_lines(text: str) -> Iterator[str]:
    """Generate the rest of the line, and the lines below that go on with a number."""
    first, *more = text.split("\n")
    yield first
    for line in more:
        if not re.match(r"\s*[-+]?\.?\d", line):
            return
        yield line


def _read_values(assignments: Sequence[re.Match[str]], text: str) -> dict[str, str]:
    """Return name to value of the variables that are certain.

    Args:
        assignments: matches of ASSIGNMENT, in order.
        text: the script up to the option; other assignments in it make a name uncertain.
    """
    values: dict[str, str] = {}
    seen = Counter(ANY_ASSIGNMENT.findall(text))
    read = Counter(one[2] for one in assignments)
    # A name that is also set where ASSIGNMENT does not match has a value that is not known.
    uncertain = set(seen - read)
    for margin, name, adds, value, end in (one.groups() for one in assignments[:MOST_ASSIGNMENTS]):
        if value.startswith("("):
            filled = _fill(value[1:-1], values)
            joint = " "
        else:
            filled = _fill("".join(_unquote(value)), values)
            joint = ""
        if adds:
            filled = f"{values.get(name, '')}{joint}{filled}"
        # An indented assignment may stand in a branch that is not taken.
        is_plain = not margin and end is not None
        is_short = len(filled) <= LONGEST_VALUE and len(assignments) <= MOST_ASSIGNMENTS
        if is_plain and is_short and name not in uncertain:
            values[name] = filled
        else:
            uncertain.add(name)
            values.pop(name, None)
    return values


def _unquote(value: str) -> Iterator[str]:
    """Generate the parts of a word, out of their quotes."""
    for part in re.findall(WORD, value):
        if part[0] == '"':
            yield re.sub(r'\\(["\\$`])', r"\1", part[1:-1])
        elif part[0] == "'":
            yield part[1:-1]
        else:
            yield part.removeprefix("\\")


def _fill(text: str, values: Mapping[str, str]) -> str:
    """Put the values of variables in their places."""

    def value_of(found: re.Match[str]) -> str:
        name = next(filter(None, found.groups()))
        return values.get(name, found[0])

    return VARIABLE.sub(value_of, text)


def _split(text: str) -> Iterator[str]:
    """Generate the words up to the end of the command."""
    for word, end in TOKEN.findall(text):
        if end:
            return
        if word:
            yield "".join(_unquote(word))
