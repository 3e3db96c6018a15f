"""The command line: `reweightviz export | check | convert | methods`."""

from __future__ import annotations

import argparse
import json
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from reweightviz.api import ship
from reweightviz.core import text
from reweightviz.core.errors import (
    InvalidArgument,
    RefusedByFramework,
    ReweightvizError,
    ReweightvizWarning,
    UnknownName,
    UnwritableFile,
    listed,
)
from reweightviz.core.files import inside_folder
from reweightviz.core.mixture import Mixture
from reweightviz.core.protocols import needs
from reweightviz.core.schedule import Schedule
from reweightviz.core.sources import Source, Sources
from reweightviz.core.token_counts import parse_budget

if TYPE_CHECKING:
    from reweightviz.exporters import Exporter
    from reweightviz.exporters.draft import Draft

FLAGS = ("sources", "tokens", "framework", "unit", "max_epochs", "overwrite", "merge")
"""Arguments of the verbs that are flags here."""
ELSEWHERE = {
    name: f"--{name.replace('_', '-')}"
    for name in (*FLAGS, "no_backup", "diff", "record", "out", "to")
} | {
    "framework": "--to",
    "from": "--from",
    "backup": "--no-backup",
    "path": "--out",
    "mixture": "the first argument",
    "config": "the first argument",
}
"""What is no option of a framework's own, and how it is given."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Exit codes: 0 fine, 1 check found what the framework would refuse, 2 bad input, said in one sentence."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (ReweightvizError, OSError) as error:
        _complain(str(error), options)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="reweightviz",
        description="Choose the training mix of a language model by looking at it.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    sources, writing = _shared()

    exporting = commands.add_parser(
        "export", parents=[sources, writing], help="write a mixture as a trainer's config"
    )
    exporting.add_argument(
        "mixture",
        help="a file that Mixture.save or Schedule.save wrote, or any config that check recognises",
    )
    exporting.set_defaults(run=_export)

    converting = commands.add_parser(
        "convert", parents=[sources, writing], help="write one trainer's config as another's"
    )
    converting.add_argument(
        "mixture", metavar="config", help="the config; its paths become those of the new one"
    )
    converting.set_defaults(run=_convert)

    checking = commands.add_parser(
        "check", parents=[sources], help="say what a trainer would make of its config"
    )
    checking.add_argument("config", help="the config, or the folder that was written")
    checking.add_argument("--framework", help="whose config it is, where the file does not tell")
    checking.add_argument("--json", action="store_true", help="print JSON")
    checking.set_defaults(run=_check)

    listing = commands.add_parser(
        "methods", help="list every method, or say what one needs and which options it takes"
    )
    listing.add_argument("name", nargs="?", metavar="NAME", help="a method or a framework")
    listing.set_defaults(run=_methods)
    return parser


def _shared() -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    """What several commands take: what there is, and how to write."""
    sources = argparse.ArgumentParser(add_help=False)
    sources.add_argument(
        "--sources",
        metavar="FILE",
        help="YAML, JSON, CSV or Parquet: domain to tokens, documents, paths",
    )
    sources.add_argument("--tokens", metavar="N", help="budget of the run, such as 100B or 1.2e12")
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
        help="whose config is read, where the file does not tell",
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
    return sources, writing


def _export(options: argparse.Namespace) -> int:
    sources = _sources(options)
    return _write(_mixture(options, sources), sources, options)


def _convert(options: argparse.Namespace) -> int:
    from reweightviz.exporters.recognise import read_paths

    given = _sources(options)
    if given is None and options.tokens is not None:
        raise ReweightvizError(
            "epochs at a budget need sources=, the tokens of each domain; got none."
        )
    mixture = _mixture(options, given)
    table: dict[str, Source] = dict(given or {})
    carried: list[str] = []
    for domain, paths in read_paths(options.mixture, options.framework).items():
        known = table.get(domain, Source(0.0))
        carried += [] if known.paths else paths
        table[domain] = Source(known.tokens, known.documents, known.paths or tuple(paths))
    try:
        return _write(
            mixture, Sources(table, tokenizer=given.tokenizer if given else None), options, carried
        )
    except RefusedByFramework as error:
        if given is not None and not any(path in error.reason for path in carried):
            raise
        reason = error.reason.replace("sources= has", f"{options.mixture} has")
        raise RefusedByFramework(framework=error.framework, reason=reason) from error


def _check(options: argparse.Namespace) -> int:
    report = ship.check(
        options.config, options.framework, sources=_sources(options), tokens=_tokens(options)
    )
    _say(json.dumps(report.to_dict(), indent=2) if options.json else _flagged(str(report), options))
    return 0 if report.ok else 1


def _methods(options: argparse.Namespace) -> int:
    from reweightviz.cli import method_help

    _say(method_help.page(options.name) if options.name else method_help.listing())
    return 0


def _write(
    mixture: Mixture | Schedule,
    sources: Sources | None,
    options: argparse.Namespace,
    carried: Sequence[str] = (),
) -> int:
    """Write a config and its record; ``carried`` are paths that another config named."""
    from reweightviz import exporters

    exporter = exporters.find(options.to)
    own = _own(options.option, exporter)
    if options.merge and options.overwrite:
        raise ReweightvizError(
            "--merge changes the config that is there and --overwrite replaces it: give "
            "one of them."
        )
    if options.record and not options.diff:
        _check_record(options)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", ReweightvizWarning)
        draft = exporter.draft(
            mixture,
            options.out,
            sources=sources,
            tokens=_tokens(options),
            unit=options.unit,
            max_epochs=options.max_epochs,
            overwrite=options.overwrite,
            merge=options.merge,
            backup=not options.no_backup,
            **own,
        )
    for sentence in (
        *(f"warning: {warning.message}" for warning in said),
        *_notes(draft, exporter, carried, options),
    ):
        _complain(sentence, options)
    if options.diff:
        _say(draft.diff(), end="")
        return 0
    kept = draft.backups()
    draft.save()
    for line in (
        *(f"wrote {path}" for path in reversed(draft.files)),
        *(f"kept {path}" for path in kept),
        *_facts(draft, exporter),
    ):
        _say(line)
    if options.record:
        whole = mixture.mean() if isinstance(mixture, Schedule) else mixture
        known = sources if sources is not None and options.sources else None
        ship.decision_record(
            whole,
            options.record,
            sources=known,
            tokens=_tokens(options),
            files=[options.out],
            overwrite=options.overwrite,
        )
        for page in _pages(options):
            _say(f"wrote {page}")
    return 0


def _facts(draft: Draft, exporter: Exporter) -> Iterator[str]:
    """What a person should see of what was written."""
    record = json.loads(next(iter(draft.files.values())))
    yield f"{exporter.title}: {record['unit']}"
    if record["dropped"]:
        yield f"left out, weight 0: {listed(record['dropped'])}"
    epochs = record.get("epochs")
    if epochs:
        shown = [
            f"{text.to_line(domain, 40)!r} {passes:.3g}"
            for domain, passes in [*epochs.items()][:12]
        ]
        more = f" and {len(epochs) - 12} more" if len(epochs) > 12 else ""
        yield f"epochs at {record['tokens']:.4g} tokens: {', '.join(shown)}{more}"


def _notes(
    draft: Draft, exporter: Exporter, carried: Sequence[str], options: argparse.Namespace
) -> Iterator[str]:
    """What to know of paths that came from another config."""
    written = [
        words for path, words in draft.files.items() if not path.name.endswith("provenance.json")
    ]
    used = [
        path
        for path in carried
        if any(path in words or json.dumps(path)[1:-1] in words for words in written)
    ]
    if used:
        yield f"note: the paths are those of {options.mixture} as they stand; check that {exporter.title} can read them."
    variables = [path for path in used if "$" in path]
    if variables:
        yield f"note: {listed(variables, 3)} holds a variable, which {exporter.title} may not fill in: write the path out."


def _pages(options: argparse.Namespace) -> list[Path]:
    """The two files of a decision record."""
    from reweightviz.decision import decision_record as decision

    given = Path(options.record)
    base = given.with_suffix("") if given.suffix.lower() in decision.ENDINGS else given
    return [base.with_name(f"{base.name}.md"), base.with_name(f"{base.name}.html")]


def _check_record(options: argparse.Namespace) -> None:
    """Refuse a record that could not be written, before anything is."""
    for page in _pages(options):
        if inside_folder(page).is_dir():
            raise UnwritableFile(path=page, reason="it is a folder; name a file")
        if page.exists() and not options.overwrite:
            again = (
                "name another file for the record"
                if options.merge
                else "pass --overwrite to replace it, or name another file"
            )
            raise UnwritableFile(path=page, reason=f"it exists already; {again}")


def _mixture(options: argparse.Namespace, sources: Sources | None) -> Mixture | Schedule:
    from reweightviz.exporters.recognise import find_exporter

    exporter = find_exporter(options.mixture, options.framework)
    schedule = exporter.read_schedule(options.mixture, sources=sources)
    return schedule[0] if len(schedule) == 1 else schedule


def _sources(options: argparse.Namespace) -> Sources | None:
    return ship.read_sources(options.sources) if options.sources else None


def _tokens(options: argparse.Namespace) -> float | None:
    return parse_budget(options.tokens, "--tokens")


def _own(pairs: list[str], exporter: Exporter) -> dict[str, Any]:
    """The framework's own options; a value is JSON where it can be, else text."""
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


def _flagged(sentence: str, options: argparse.Namespace) -> str:
    """A sentence of the library in the words of the command line: ``merge=True`` is ``--merge``, ``seed=`` is ``--option seed=``."""
    writes = "to" in options

    def flag(found: re.Match[str]) -> str:
        name, true, follows = found.groups()
        if name not in FLAGS:
            return f"--option {found[0]}" if writes else found[0]
        word = "from" if name == "framework" and writes else name.replace("_", "-")
        return f"--{word}" if true or not follows else f"--{word} "

    return re.sub(
        r"(?<![\w'\"=/.-])(?<!--option )([a-z][a-z_]*)=(True\b)?(?=([\w'])?)", flag, sentence
    )


def _say(line: str, end: str = "\n") -> None:
    _print(sys.stdout, f"{line}{end}")


def _complain(sentence: str, options: argparse.Namespace) -> None:
    _print(sys.stderr, f"reweightviz: {_flagged(sentence, options)}\n")


def _print(stream: TextIO, words: str) -> None:
    """What a terminal cannot show, as escapes."""
    encoding = stream.encoding or "utf-8"
    stream.write(words.encode(encoding, "backslashreplace").decode(encoding))


if __name__ == "__main__":
    sys.exit(main())
