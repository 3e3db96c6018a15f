"""Run logs of any format -> RunLog, or a Tail that follows one; the path decides the format."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from reweightviz.core.errors import (
    InvalidArgument,
    ReweightvizError,
    UnknownName,
    UnreadableFile,
    WrongContent,
    list_names,
    warn,
)
from reweightviz.core.foreign_file import guard_reading
from reweightviz.core.local_path import check_local
from reweightviz.core.records import Records
from reweightviz.core.runlog import RunLog
from reweightviz.readers.logs import _sqlite, wandb_history, wandb_offline
from reweightviz.readers.logs._log_reader import LogReader, head_of
from reweightviz.readers.logs._naming import Naming, Pattern
from reweightviz.readers.logs._tags import NO_DOMAINS, reading_of, words_of
from reweightviz.readers.logs._undecided import Undecided, UndecidedLog
from reweightviz.readers.logs.aim_repository import Aim
from reweightviz.readers.logs.clearml_session import ClearML
from reweightviz.readers.logs.comet_export import Comet
from reweightviz.readers.logs.composer_log import ComposerLog
from reweightviz.readers.logs.csv_history import CsvHistory
from reweightviz.readers.logs.dataflex import DataFlex
from reweightviz.readers.logs.fms_odm import FmsOdm
from reweightviz.readers.logs.json_list import JsonList
from reweightviz.readers.logs.json_rows import JsonRows
from reweightviz.readers.logs.levanter_log import LevanterLog
from reweightviz.readers.logs.lingua_log import LinguaLog
from reweightviz.readers.logs.litgpt_log import LitgptLog
from reweightviz.readers.logs.maxtext_log import MaxTextLog
from reweightviz.readers.logs.megatron_log import MegatronLog
from reweightviz.readers.logs.mlflow_store import MLflow
from reweightviz.readers.logs.nanotron_log import NanotronLog
from reweightviz.readers.logs.numbers_table import NumbersTable
from reweightviz.readers.logs.olmo_log import OlmoLog
from reweightviz.readers.logs.printed_steps import PrintedSteps
from reweightviz.readers.logs.run_jsonl import RunJsonl
from reweightviz.readers.logs.tensorboard_events import TensorBoard
from reweightviz.readers.logs.torchtitan_log import TorchtitanLog
from reweightviz.readers.logs.torchtune_log import TorchtuneLog
from reweightviz.readers.logs.trackio_store import Trackio
from reweightviz.readers.logs.trainer_log import TrainerLog
from reweightviz.readers.logs.trainer_printed import TrainerPrinted
from reweightviz.readers.logs.trainer_state import TrainerState
from reweightviz.readers.logs.wandb_history import WandbHistory
from reweightviz.readers.logs.wandb_offline import WandbOffline
from reweightviz.readers.tail import Tail

__all__ = [
    "BINARY",
    "COMPRESSED",
    "FORMATS",
    "NOT_BEFORE_WRITTEN",
    "follow_log",
    "read_log",
    "recognise",
]


FORMATS: dict[str, type[LogReader]] = {
    reader.name: reader
    for reader in (
        RunJsonl,
        TensorBoard,
        TrainerState,
        NumbersTable,
        CsvHistory,
        WandbHistory,
        Trackio,
        MLflow,
        TrainerLog,
        DataFlex,
        FmsOdm,
        MegatronLog,
        Aim,
        ClearML,
        Comet,
        WandbOffline,
        JsonRows,
        JsonList,
        ComposerLog,
        LevanterLog,
        LinguaLog,
        LitgptLog,
        MaxTextLog,
        NanotronLog,
        OlmoLog,
        TorchtitanLog,
        TorchtuneLog,
        TrainerPrinted,
        PrintedSteps,
    )
}
"""In the order in which a path is tried."""
NOT_BEFORE_WRITTEN = (Trackio, MLflow, TensorBoard, WandbOffline, Aim, ClearML, Comet)
"""Formats whose runs are known only once their files are there."""
BINARY: dict[bytes, tuple[type[LogReader], ...]] = {
    _sqlite.MAGIC: (Trackio, MLflow),
    wandb_offline.MAGIC: (WandbOffline,),
    wandb_history.MAGIC: (WandbHistory,),
}
"""The first bytes of binary files, which no other format is to look into."""
ARCHIVE = b"PK\3\4"
"""The first bytes of a zip, which two formats are."""
COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    ARCHIVE: "zip",
}
"""The first bytes of what holds another file."""


def recognise(path: str | os.PathLike[str]) -> str:
    r"""Return the name of the format of what lies at a path.

    Raises:
        ReweightvizError: there is nothing, or nothing that is known.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "metrics.csv"
        >>> _ = path.write_text("step,train_loss_web,train_loss_code\n10,3.0,2.0\n")
        >>> recognise(path)
        'csv'
    """
    local = _check_path(path)
    with guard_reading(local, "a run log"):
        return _find_runs(local, None).reader.name


def read_log(
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    pattern: Pattern | None = None,
    format: str | None = None,  # noqa: A002
) -> RunLog:
    r"""Read a run log.

    Args:
        path: a file, or a folder of one run. A folder, a store or a chart with several needs
            ``name``.
        name: one of several runs, or a name to give to a single one that has none of its own.
        pattern: which tag is which signal of which domain, where guessing is not enough:
            "train/{domain}/loss", or ``{"loss": "loss/{domain}", "weights": "mix/{domain}",
            "step": "iteration"}``. The patterns that were taken stand in ``log.meta["pattern"]``.
        format: a name of :data:`FORMATS`, where the path is not enough.

    Raises:
        ReweightvizError: one sentence that names the path: nothing known, several runs, a pattern
            that no tag is like.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "metrics.csv"
        >>> header = "step,train_loss_web,train_loss_code,lr"
        >>> _ = path.write_text(header + "\n10,3,2,0.1\n20,2.5,nan,0.1\n")
        >>> log = read_log(path)
        >>> log.domains, log["loss"].tolist(), log.meta["pattern"]
        (('web', 'code'), [[3.0, 2.0], [2.5, nan]], {'loss': ['train_loss_{domain}']})
    """
    log = _open(_check_path(path), name, pattern, format, follow=False).log
    if len(log) and not log.domains:
        warn(
            f"{path} has no series by domain; it has {list_names(sorted(log.scalars))}. "
            f"{_hint(log)}."
        )
    return log


def follow_log(
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    pattern: Pattern | None = None,
    format: str | None = None,  # noqa: A002
) -> Tail:
    """Follow a run log, which need not be there yet; the arguments are as for :func:`read_log`."""
    return _open(_check_path(path), name, pattern, format, follow=True)


class _Runs(NamedTuple):
    """The runs at a path: name to place, and the format that reads them."""

    reader: type[LogReader]
    places: Mapping[str, Any]


def _check_path(given: Any) -> Path:
    check_local(given)
    if not isinstance(given, str | os.PathLike):
        raise InvalidArgument(
            name="rv.read_log",
            value=given,
            expected="the path of a file or folder",
            got=f"{type(given).__name__}: DataFrame.to_csv('run.csv', index=False) "
            "writes a table to one",
        )
    return Path(given)


def _open(
    path: Path,
    name: str | None,
    pattern: Pattern | None,
    format: str | None,  # noqa: A002
    *,
    follow: bool,
) -> Tail:
    """Open a run and read it as far as it goes; one that is followed need not be there yet."""
    if format is not None and format not in FORMATS:
        raise UnknownName(kind="format of run logs", name=format, known=FORMATS)
    with guard_reading(path, "a run log"):
        reader, places = _find_or_expect(path, format, follow=follow)
    run = _choose(path, reader, places, name)
    with guard_reading(path, reader.title):
        source = reader(places[run], pattern)
    source.is_over = not follow
    source.series.is_over = not follow
    records = Records(name=name or run, meta={"path": str(path), "format": reader.name})
    if path.is_dir() and format is None:
        records.extend_meta(notes=_notes_on_others(path, reader))
    tail = Tail(source, records, path, wanted=reader.title)
    tail.poll()
    _check_naming(path, source.series.naming)
    if name:
        records.name = name  # the log has a name of its own; the one that was asked for stands
    return tail


def _find_or_expect(path: Path, format: str | None, *, follow: bool) -> _Runs:  # noqa: A002
    """Return the runs at a path; of one that is followed, the run that is still to come."""
    try:
        return _find_runs(path, format)
    except ReweightvizError:
        expected = _expected_run(path, format) if follow else None
        if expected is None:
            raise
    return expected


def _find_runs(path: Path, format: str | None) -> _Runs:  # noqa: A002
    """Return the runs of the first format that finds some."""
    found = _first_runs(path, [FORMATS[format]] if format else _list_readers(path))
    if found is not None:
        return found
    if not path.exists():
        raise UnreadableFile(path=path, reason="there is no run log")
    if path.is_file() and not path.stat().st_size:
        raise WrongContent(path=path, reason="is empty: no run log yet")
    if format is not None:
        raise WrongContent(path=path, reason=f"holds no {FORMATS[format].title}")
    if path.is_file():
        content = f"begins with {head_of(path).decode('utf-8', 'replace')[:40]!r}"
    else:
        content = f"holds {list_names(sorted(item.name for item in path.iterdir())) or 'nothing'}"
    known = list_names((reader.title for reader in FORMATS.values()), 20)
    raise WrongContent(
        path=path, reason=f"is no run log that is known, it {content}; known are {known}"
    )


def _first_runs(path: Path, readers: Iterable[type[LogReader]]) -> _Runs | None:
    """Return the runs of the first of these formats that finds some; None where none does."""
    problem: Exception | None = None
    for reader in readers:
        # A format that fails over a file does not know it; the next one may.
        try:
            places = reader.runs(path)
        except Exception as error:  # noqa: BLE001
            problem = problem or error
            continue
        if places:
            return _Runs(reader, places)
    if problem is not None:
        raise problem
    return None


def _list_readers(path: Path) -> Iterable[type[LogReader]]:
    """Return the formats that may be at a path: of a binary file those of its first bytes.

    Raises:
        ReweightvizError: the file may not be opened, or is compressed.
    """
    if not path.is_file():
        return FORMATS.values()
    with path.open("rb") as file:
        head = file.read(16)
    if head.startswith(ARCHIVE):
        archives = [reader for reader in (ClearML, Comet) if reader.runs(path)]
        if archives:
            return archives
    for magic, packer in COMPRESSED.items():
        if head.startswith(magic):
            raise WrongContent(path=path, reason=f"is compressed by {packer}: unpack it first")
    return next(
        (each for magic, each in BINARY.items() if head.startswith(magic)), FORMATS.values()
    )


def _expected_run(path: Path, format: str | None) -> _Runs | None:  # noqa: A002
    """Return the run in a file that is still to be written, by the patterns of its name.

    None where something else lies there, or where no pattern fits.
    """
    if path.is_dir():
        return None
    readers = [FORMATS[format]] if format is not None else _formats_of_name(path.name)
    if path.exists() and _has_first_line(path):
        readers = [reader for reader in readers if reader.begins_late]
    if len(readers) > 1:
        find = partial(_first_runs, readers=tuple(readers))
        return _Runs(UndecidedLog, {path.stem: Undecided(path, find)})
    return next((_Runs(reader, {path.stem: reader.place_of(path)}) for reader in readers), None)


def _has_first_line(path: Path) -> bool:
    """Return whether a file shows its format: it is no text, or its first line is whole."""
    head = head_of(path)
    return b"\n" in head or b"\0" in head


def _formats_of_name(name: str) -> list[type[LogReader]]:
    """Return the formats with a pattern that a file's name is like; its own name is enough."""
    readers = [reader for reader in FORMATS.values() if reader not in NOT_BEFORE_WRITTEN]
    exact = [reader for reader in readers if name in reader.files]
    return exact or [
        reader for reader in readers if any(fnmatchcase(name, pattern) for pattern in reader.files)
    ]


def _choose(
    path: Path, reader: type[LogReader], places: Mapping[str, Any], name: str | None
) -> str:
    """Return the name of the run that is asked for, or of the only one.

    Raises:
        ReweightvizError: there are several, or the only one has another name of its own.
    """
    if name in places:
        return str(name)
    is_other = name is not None and any(map(reader.has_own_name, places.values()))
    if len(places) > 1 or is_other:
        count = f"none of {list_names([name])}" if name else f"{len(places)} runs"
        raise WrongContent(
            path=path, reason=f"holds {count}: there is {list_names(places, 20)}; name= picks one"
        )
    return next(iter(places))


def _notes_on_others(path: Path, chosen: type[LogReader]) -> list[str]:
    """Return a note on the other formats that lie in a folder."""
    # Any JSON lines with a step fit JsonRows, those of other formats too.
    others = [reader for reader in FORMATS.values() if reader not in (chosen, JsonRows)]
    beside = [reader.title for reader in others if _is_there(path, reader)]
    if not beside:
        return []
    return [
        f"Read as {chosen.title}; the folder also holds {list_names(beside)}: format= reads that."
    ]


def _is_there(path: Path, reader: type[LogReader]) -> bool:
    with suppress(Exception):
        return bool(reader.runs(path))
    return False


def _check_naming(path: Path, naming: Naming) -> None:
    """Refuse a given pattern that no tag of a log is like."""
    if naming.is_given and naming.tags and not naming.domains:
        patterns = [text for texts in naming.patterns.values() for text in texts]
        raise ReweightvizError(
            f"no tag of {path} is like {list_names(patterns)}; there is "
            f"{list_names(naming.tags, 20)}."
        )


def _hint(log: RunLog) -> str:
    """Return the way to name the domains of a log without any."""
    may_be_domains = log.scalars and all(
        NO_DOMAINS.isdisjoint(words_of(tag)) for tag in log.scalars
    )
    if may_be_domains:
        return (
            "pattern='{domain}' takes each for a domain's loss, "
            "pattern={'weights': '{domain}'} for its weight"
        )
    readings = {tag: reading for tag in sorted(log.scalars) if (reading := reading_of(tag))}
    for tag, (signal, pattern, domain) in readings.items():
        return f"pattern={{{signal!r}: {pattern!r}}} takes {tag!r} for that of {domain!r}"
    return "pattern= says where in a tag the name of a domain stands, if it stands in one"
