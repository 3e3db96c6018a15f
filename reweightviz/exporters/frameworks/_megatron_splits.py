"""Megatron-DeepSpeed's ``--train-weighted-split-paths``: weight, range and path of each dataset.

Read from the source of bigscience-workshop/Megatron-DeepSpeed at 8387ae1.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from reweightviz.core.errors import WrongContent, list_names
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks._megatron_blend import Blend
from reweightviz.exporters.frameworks._weights import add_up, is_mixture, mention_again
from reweightviz.exporters.plan import to_number
from reweightviz.exporters.text import shell

__all__ = ["FLAG", "GROUP", "is_group_file", "read_splits"]


FLAG = "--train-weighted-split-paths"
GROUP = re.compile(r'\s*"\s*[\w.-]+\s*:\s*[\d.eE+-]+\s+[\d.]+:[\d.]+\s+\S')
"""The beginning of a file of groups, each in double quotes."""


def is_group_file(document: Document) -> bool:
    """Return whether a file is one that ``--train-weighted-split-paths-path`` names."""
    return GROUP.match(document.text) is not None


def read_splits(document: Document) -> Blend | None:
    """Return the training blend of a script or of a file of groups; None where it has none.

    Raises:
        WrongContent: the words come of a variable that is not known.
        UnreadableFile: the file that the script names is not there.
    """
    if is_group_file(document):
        return _read_groups(shlex.split(document.text))
    words = shell.read_option(document.text, FLAG)
    named = shell.read_option(document.text, f"{FLAG}-path")
    if words is None and named is None:
        return None
    unknown = shell.find_unknown(words or named or [])
    if unknown is not None:
        raise WrongContent(
            path=document.path,
            reason=f"takes the words of {FLAG} from {unknown[:60]!r}, which it does not set by "
            "plain assignments: write them out",
        )
    if words is None and named:
        return _read_groups(shlex.split(document.sibling(named[0]).text))
    return _read_groups(words or [])


def _read_groups(groups: Sequence[str]) -> Blend:
    if len(groups) != 1:
        return Blend({}, refused=(f"{FLAG} takes one group in quotes; there are {len(groups)}.",))
    parts = [part.split() for part in groups[0].partition(":")[2].split(",")]
    if not all(len(part) == 3 and _is_range(part[1]) for part in parts):
        fault = (
            f"{FLAG} must be 'NAME: WEIGHT START:END PATH, ...' with START below END; it is "
            f"{groups[0][:60]!r}."
        )
        return Blend({}, refused=(fault,))
    paths = [path for _, _, path in parts]
    numbers = add_up((path, to_number(weight)) for weight, _, path in parts)
    if not is_mixture(numbers):
        return Blend(numbers, refused=(f"the weights of {FLAG} must be >= 0, one above 0.",))
    traps = mention_again(paths, "Megatron-DeepSpeed")
    cut = [path for _, bounds, path in parts if to_number(bounds.partition(":")[0]) > 0]
    cut += [path for _, bounds, path in parts if to_number(bounds.partition(":")[2]) < 1]
    if cut:
        names = list_names(list(dict.fromkeys(cut)))
        traps += (f"of {names} only a range is drawn, so its passes are more than of the whole.",)
    return Blend(numbers, traps=traps)


def _is_range(bounds: str) -> bool:
    start, _, end = bounds.partition(":")
    return to_number(start) < to_number(end)
