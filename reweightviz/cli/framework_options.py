"""The options of a framework's own: ``--option KEY=VALUE``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from reweightviz.cli.terminal import FLAGS
from reweightviz.core.errors import InvalidArgument, ReweightvizError, UnknownName
from reweightviz.core.protocols import needs

if TYPE_CHECKING:
    from reweightviz.exporters import Exporter

__all__ = ["ELSEWHERE", "OTHER_FLAGS", "parse_options"]


OTHER_FLAGS = ("no_backup", "diff", "record", "out", "to")
ELSEWHERE = {name: f"--{name.replace('_', '-')}" for name in (*FLAGS, *OTHER_FLAGS)} | {
    "framework": "--to",
    "from": "--from",
    "backup": "--no-backup",
    "path": "--out",
    "mixture": "the first argument",
    "config": "the first argument",
}
"""What is no option of a framework's own, and how it is given."""


def parse_options(pairs: Sequence[str], exporter: Exporter) -> dict[str, Any]:
    """Return name to value; a value is JSON where it can be, else text.

    Raises:
        ReweightvizError: no KEY=VALUE, or no option of the framework's.
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        name = key.strip().replace("-", "_")
        if not equals:
            raise InvalidArgument(
                name="--option", value=pair, expected="KEY=VALUE, such as --option seed=3"
            )
        _check_option(name, exporter)
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def _check_option(name: str, exporter: Exporter) -> None:
    known = needs(exporter.render)
    if name in known:
        return
    if name in ELSEWHERE:
        raise ReweightvizError(
            f"--option is for what {exporter.title} alone takes; {name!r} is given by "
            f"{ELSEWHERE[name]}."
        )
    if not known:
        raise InvalidArgument(name=exporter.title, value=name, expected="no --option")
    raise UnknownName(kind=f"option of {exporter.title}", name=name, known=known)
