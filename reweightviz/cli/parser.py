"""The parser of the command line."""

from __future__ import annotations

import argparse
from typing import Any

from reweightviz.core.version import VERSION

__all__ = ["build_parser"]


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; ``command`` of what it parses is the one that came."""
    parser = argparse.ArgumentParser(
        prog="reweightviz",
        description="Choose the training mix of a language model by looking at it.",
    )
    parser.add_argument("--version", action="version", version=f"reweightviz {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True)
    sources = _source_arguments()
    writing = _writing_arguments()

    exporting = commands.add_parser(
        "export", parents=[sources, writing], help="write a mixture as a trainer's config"
    )
    exporting.add_argument(
        "mixture",
        help="a file that Mixture.save or Schedule.save wrote, or any config that check recognises",
    )

    converting = commands.add_parser(
        "convert", parents=[sources, writing], help="write one trainer's config as another's"
    )
    converting.add_argument(
        "mixture", metavar="config", help="the config; its paths become those of the new one"
    )

    checking = commands.add_parser(
        "check", parents=[sources], help="show what a trainer would make of its config"
    )
    checking.add_argument(
        "config", help="the config, the folder that was written, or the command line in quotes"
    )
    checking.add_argument("--framework", help="whose config it is, where the file leaves it open")
    checking.add_argument("--json", action="store_true", help="print JSON")

    _add_counting(commands)

    listing = commands.add_parser(
        "methods", help="list every method, or show what one needs and which options it takes"
    )
    listing.add_argument("name", nargs="?", metavar="NAME", help="a method or a framework")
    return parser


def _add_counting(commands: Any) -> None:
    counting = commands.add_parser(
        "count", help="count the tokens of each domain of documents, for --sources"
    )
    counting.add_argument(
        "documents", nargs="+", help="a folder, a file or a URL of Parquet, JSON lines, CSV, Arrow"
    )
    counting.add_argument("--text", default="text", metavar="COLUMN", help="of the text")
    counting.add_argument(
        "--domain", default="domain", metavar="COLUMN", help="of the domain, meta.source, say"
    )
    counting.add_argument(
        "--by-file",
        action="store_true",
        help="no column holds the domain: the sub-folder or the file is it",
    )
    counting.add_argument("--tokens", metavar="COLUMN", help="of lengths that were counted before")
    counting.add_argument(
        "--tokenizer",
        metavar="NAME",
        help="on the Hugging Face hub, or a tokenizer.json; without it bytes are counted",
    )
    counting.add_argument(
        "--skip", action="store_true", help="leave out rows that cannot be used, and warn"
    )
    counting.add_argument("--out", metavar="FILE", help="write JSON, as --sources reads it")


def _source_arguments() -> argparse.ArgumentParser:
    """Return the arguments of what there is to train on."""
    sources = argparse.ArgumentParser(add_help=False)
    sources.add_argument(
        "--sources",
        metavar="FILE",
        help="YAML, JSON, CSV or Parquet: domain to tokens, documents, paths",
    )
    sources.add_argument("--tokens", metavar="N", help="budget of the run, such as 100B or 1.2e12")
    return sources


def _writing_arguments() -> argparse.ArgumentParser:
    """Return the arguments of how to write a config."""
    writing = argparse.ArgumentParser(add_help=False)
    writing.add_argument(
        "--to",
        required=True,
        metavar="FRAMEWORK",
        help="whose config to write: `reweightviz methods` lists them",
    )
    writing.add_argument(
        "--out", required=True, metavar="PATH", help="the file, or the folder for several"
    )
    writing.add_argument(
        "--from",
        dest="framework",
        metavar="FRAMEWORK",
        help="whose config is read, where the file leaves it open",
    )
    writing.add_argument(
        "--unit", help="what the numbers count, where the framework leaves it open"
    )
    writing.add_argument(
        "--max-epochs", type=float, metavar="N", help="refuse to pass over a domain more often"
    )
    writing.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="an option of the framework's own, and again",
    )
    writing.add_argument("--overwrite", action="store_true", help="replace what is there")
    writing.add_argument(
        "--merge", action="store_true", help="change only the mixture in the config that is there"
    )
    writing.add_argument(
        "--no-backup", action="store_true", help="keep no .bak of what a merge changes"
    )
    writing.add_argument(
        "--diff", action="store_true", help="print what would change, and write nothing"
    )
    writing.add_argument(
        "--record", metavar="FILE", help="write a decision record, Markdown and HTML, too"
    )
    return writing
