"""The command line: `reweightviz export | check | convert | count | methods`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from reweightviz.api import ship
from reweightviz.cli.parser import build_parser
from reweightviz.cli.terminal import print_complaint, print_line, say_warnings, to_flags
from reweightviz.cli.write_config import write_config
from reweightviz.core.errors import RefusedByFramework, ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.core.schedule import Schedule
from reweightviz.core.sources import Source, Sources
from reweightviz.core.token_counts import parse_budget

__all__ = [
    "BAD_INPUT",
    "COMMANDS",
    "FINE",
    "REFUSED",
    "main",
    "run_check",
    "run_convert",
    "run_count",
    "run_export",
    "run_methods",
]


FINE = 0
REFUSED = 1
BAD_INPUT = 2
"""Exit codes; REFUSED is of a check that found what the framework would refuse."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit code. Bad input is one sentence on the standard error."""
    parser = build_parser()
    options, others = parser.parse_known_args(arguments)
    if others:
        quotes = ""
        if options.command == "check":
            quotes = "; the command line of a training is one argument, in quotes"
        parser.error(f"unrecognized arguments: {' '.join(others)}{quotes}")
    command = COMMANDS[options.command]
    try:
        return command(options)
    except (ReweightvizError, OSError) as error:
        print_complaint(str(error), options)
        return BAD_INPUT


def run_export(options: argparse.Namespace) -> int:
    """Write a mixture as a trainer's config."""
    sources = _read_sources(options)
    mixture, as_counted = _read_mixture(options, sources)
    write_config(mixture, sources, options, as_counted=as_counted)
    return FINE


def run_convert(options: argparse.Namespace) -> int:
    """Write one trainer's config as another's, with its paths."""
    from reweightviz.exporters.recognise import read_paths

    given = _read_sources(options)
    if given is None and options.tokens is not None:
        raise ReweightvizError(
            "epochs at a budget need sources=, the tokens of each domain; got none."
        )
    mixture, as_counted = _read_mixture(options, given)
    table: dict[str, Source] = dict(given or {})
    carried: list[str] = []
    for domain, paths in read_paths(options.mixture, options.framework).items():
        known = table.get(domain, Source(0.0))
        if not known.paths:
            carried += paths
        table[domain] = Source(known.tokens, known.documents, known.paths or tuple(paths))
    tokenizer = None
    if given is not None:
        tokenizer = given.tokenizer
    sources = Sources(table, tokenizer=tokenizer)
    try:
        write_config(mixture, sources, options, carried, as_counted=as_counted)
    except RefusedByFramework as error:
        if given is not None and not _names_any(error, carried):
            raise
        # The paths at fault are those of the config, which no sources= named.
        reason = error.reason.replace("sources= has", f"{options.mixture} has")
        raise RefusedByFramework(framework=error.framework, reason=reason) from error
    return FINE


def _names_any(error: RefusedByFramework, paths: Sequence[str]) -> bool:
    return any(path in error.reason for path in paths)


def run_check(options: argparse.Namespace) -> int:
    """Print what a trainer would make of its config."""
    with say_warnings(options):
        report = ship.check(
            options.config,
            options.framework,
            sources=_read_sources(options),
            tokens=parse_budget(options.tokens, "--tokens"),
        )
    if options.json:
        print_line(json.dumps(report.to_dict(), indent=2))
    else:
        print_line(to_flags(str(report), options))
    if not report.ok:
        return REFUSED
    return FINE


def run_count(options: argparse.Namespace) -> int:
    """Print the tokens and documents of each domain, or write them."""
    domain = options.domain
    if options.by_file:
        domain = None
    on_error = "raise"
    if options.skip:
        on_error = "skip"
    with say_warnings(options):
        sources = ship.count_sources(
            options.documents,
            text=options.text,
            domain=domain,
            tokens=options.tokens,
            tokenizer=options.tokenizer,
            on_error=on_error,
        )
    print_line(f"{'tokens':>20} {'documents':>14}  domain, counted by {sources.tokenizer}")
    for name, source in sources.items():
        print_line(f"{source.tokens:>20,.0f} {source.documents:>14,.0f}  {name}")
    if options.out:
        sources.save(options.out)
    return FINE


def run_methods(options: argparse.Namespace) -> int:
    """Print every method, or one with its options."""
    from reweightviz.cli.method_help import list_methods, show_method

    if options.name:
        print_line(show_method(options.name))
    else:
        print_line(list_methods())
    return FINE


COMMANDS = {
    "export": run_export,
    "convert": run_convert,
    "check": run_check,
    "count": run_count,
    "methods": run_methods,
}


def _read_mixture(
    options: argparse.Namespace, sources: Sources | None
) -> tuple[Mixture | Schedule, bool]:
    """Return the mixture of a config, or its schedule, and whether it is in the config's unit."""
    from reweightviz.exporters.as_counted import read_for
    from reweightviz.exporters.recognise import find_exporter

    # Epochs, and the figures of a record, are of tokens.
    if options.tokens is not None or options.record:
        exporter = find_exporter(options.mixture, options.framework)
        schedule = exporter.read_schedule(options.mixture, sources=sources)
        as_counted = False
    else:
        schedule, as_counted = read_for(
            options.mixture, options.framework, options.to, unit=options.unit, sources=sources
        )
    if len(schedule) == 1:
        return schedule[0], as_counted
    return schedule, as_counted


def _read_sources(options: argparse.Namespace) -> Sources | None:
    if not options.sources:
        return None
    return ship.read_sources(options.sources)


if __name__ == "__main__":
    sys.exit(main())
