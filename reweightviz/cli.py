"""The command line: `reweightviz export | methods`."""

from __future__ import annotations

import argparse
import sys

from reweightviz.core.errors import ReweightvizError


def main(arguments: list[str] | None = None) -> int:
    """Run one command; bad input is one sentence on stderr and exit code 2."""
    parser = argparse.ArgumentParser(prog="reweightviz", description="Choose the training mix of a language model by looking at it.")
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("methods", help="list every method")
    listing.add_argument("--markdown", action="store_true", help="print METHODS.md")
    exporting = commands.add_parser("export", help="write a saved mixture as a trainer's config")
    exporting.add_argument("mixture", help="a JSON file that Mixture.save wrote")
    exporting.add_argument("--to", required=True, metavar="FRAMEWORK", help="huggingface, megatron or json")
    exporting.add_argument("--sources", help="JSON: domain to {tokens, documents, paths}")
    exporting.add_argument("--tokens", type=float, help="training budget in tokens, such as 1e11")
    exporting.add_argument("--out", required=True, help="where to write")
    exporting.add_argument("--overwrite", action="store_true", help="replace what is there")
    options = parser.parse_args(arguments)
    try:
        return {"methods": _methods, "export": _export}[options.command](options)
    except (ReweightvizError, OSError) as error:
        print(f"reweightviz: {error}", file=sys.stderr)  # noqa: T201
        return 2


def _methods(options: argparse.Namespace) -> int:
    from reweightviz import catalogue

    text = catalogue.markdown() if options.markdown else catalogue.table()[["kind", "needs", "summary"]].to_string()
    sys.stdout.write(text if text.endswith("\n") else text + "\n")
    return 0


def _export(options: argparse.Namespace) -> int:
    import json
    from pathlib import Path

    from reweightviz import api
    from reweightviz.core.mixture import Mixture
    from reweightviz.core.sources import Sources

    sources = None
    if options.sources:
        try:
            sources = Sources(json.loads(Path(options.sources).read_text("utf-8")))
        except (ValueError, TypeError, AttributeError) as error:
            raise ReweightvizError(f"{options.sources} must be JSON of domain to {{tokens, documents, paths}}: {error}.") from error
    written = api.export(Mixture.load(options.mixture), options.to, options.out, sources=sources, tokens=options.tokens,
                         overwrite=options.overwrite)
    sys.stdout.write(f"{written}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
