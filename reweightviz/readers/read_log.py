"""Run logs of any format -> RunLog, or a Tail that follows one. Which format it is, the path tells."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from reweightviz.core.errors import (
    InvalidArgument,
    ReweightvizError,
    UnknownName,
    UnreadableFile,
    WrongContent,
    listed,
    warn,
)
from reweightviz.core.records import Records
from reweightviz.core.runlog import RunLog
from reweightviz.readers.logs._log_reader import LogReader, head_of
from reweightviz.readers.logs._naming import NO_DOMAINS, Pattern
from reweightviz.readers.logs.csv_history import CsvHistory
from reweightviz.readers.logs.json_rows import JsonRows
from reweightviz.readers.logs.megatron_log import MegatronLog
from reweightviz.readers.logs.mixer_logs import DataFlex, FmsOdm
from reweightviz.readers.logs.mlflow_store import MLflow
from reweightviz.readers.logs.run_jsonl import RunJsonl
from reweightviz.readers.logs.tensorboard_events import TensorBoard
from reweightviz.readers.logs.trackio_store import Trackio
from reweightviz.readers.logs.trainer_log import TrainerLog
from reweightviz.readers.logs.trainer_state import TrainerState
from reweightviz.readers.logs.wandb_history import WandbHistory
from reweightviz.readers.logs.wandb_offline import WandbOffline
from reweightviz.readers.tail import Tail

FORMATS: dict[str, type[LogReader]] = {
    reader.name: reader
    for reader in (
        RunJsonl,
        TensorBoard,
        TrainerState,
        CsvHistory,
        WandbHistory,
        Trackio,
        MLflow,
        TrainerLog,
        DataFlex,
        FmsOdm,
        MegatronLog,
        WandbOffline,
        JsonRows,
    )
}
"""In the order in which a path is tried."""


def recognise(path: str | os.PathLike[str]) -> str:
    r"""The name of the format of what lies at a path.

    Raises:
        ReweightvizError: there is nothing, or nothing that is known.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "metrics.csv"
        >>> _ = path.write_text("step,train_loss_web,train_loss_code\n10,3.0,2.0\n")
        >>> recognise(path)
        'csv'
    """
    return _found(_path(path), None)[0].name


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
        name: which of several runs; of one alone, what to call it.
        pattern: which tag is which signal of which domain, where guessing is not enough:
            "train/{domain}/loss", or ``{"loss": "loss/{domain}", "weights": "mix/{domain}",
            "step": "iteration"}``. What was taken stands in ``log.meta["pattern"]``.
        format: a name of :data:`FORMATS`, where the path does not tell.

    Raises:
        ReweightvizError: one sentence that names the path: nothing known, several runs, a pattern
            that no tag is like.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "metrics.csv"
        >>> _ = path.write_text("step,train_loss_web,train_loss_code,lr\n10,3.0,2.0,0.1\n20,2.5,nan,0.1\n")
        >>> log = read_log(path)
        >>> log.domains, log["loss"].tolist(), log.meta["pattern"]
        (('web', 'code'), [[3.0, 2.0], [2.5, nan]], {'loss': ['train_loss_{domain}']})
    """
    log = _opened(_path(path), name, pattern, format, follow=False).log
    if not log.domains and len(log):
        plain = all(
            set(re.findall(r"[a-z0-9]+", tag.lower())).isdisjoint(NO_DOMAINS) for tag in log.scalars
        )
        hint = (
            "pattern='{domain}' takes each for a domain's loss, pattern={'weights': "
            "'{domain}'} for its weight"
            if plain and log.scalars
            else "pattern='train/{domain}/loss' would name them"
        )
        warn(f"{path} has no series by domain; it has {listed(sorted(log.scalars))}. {hint}.")
    return log


def follow_log(
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    pattern: Pattern | None = None,
    format: str | None = None,  # noqa: A002
) -> Tail:
    """Follow a run log, which need not be there yet; the arguments are those of :func:`read_log`."""
    return _opened(_path(path), name, pattern, format, follow=True)


def _path(given: Any) -> Path:
    if not isinstance(given, str | os.PathLike):
        raise InvalidArgument(
            name="rv.read_log",
            value=given,
            expected="the path of a file or folder",
            got=f"{type(given).__name__}: DataFrame.to_csv('run.csv', index=False) "
            "writes a table to one",
        )
    return Path(given)


def _opened(
    path: Path,
    name: str | None,
    pattern: Pattern | None,
    format: str | None,  # noqa: A002
    *,
    follow: bool,
) -> Tail:
    """The run, read as far as it goes; one that is followed need not be there yet."""
    if format is not None and format not in FORMATS:
        raise UnknownName(kind="format of run logs", name=format, known=FORMATS)
    try:
        reader, runs = _found(path, format)
    except ReweightvizError:
        expected = _expected(path, format) if follow else None
        if expected is None:
            raise
        reader, runs = expected, {path.stem: expected.at(path)}
    if len(runs) > 1 and name not in runs:
        what = f"none of {listed([name])}" if name else f"{len(runs)} runs"
        raise WrongContent(
            path=path, reason=f"holds {what}: there is {listed(runs, 20)}; name= picks one"
        )
    run = name if name in runs else next(iter(runs))
    records = Records(name=name or run, meta={"path": str(path), "format": reader.name})
    others = (
        [other for other in FORMATS.values() if other not in (reader, JsonRows)]
        if path.is_dir() and format is None
        else []
    )
    beside = [other.title for other in others if other.recognises(path)]
    if beside:
        records.extend_meta(
            notes=[
                f"Read as {reader.title}; the folder also holds {listed(beside)}: format= "
                "reads that."
            ]
        )
    source = reader(runs[run], pattern)
    source.over = not follow
    tail = Tail(source, records, path)
    tail.poll()
    naming = source.series.naming
    if naming.patterns and naming.given and naming.tags and not naming.domains:
        wanted = [text for patterns in naming.patterns.values() for text in patterns]
        raise ReweightvizError(
            f"no tag of {path} is like {listed(wanted)}; there is {listed(naming.tags, 20)}."
        )
    if name:
        records.name = name
    return tail


def _found(path: Path, format: str | None) -> tuple[type[LogReader], Mapping[str, Any]]:  # noqa: A002
    """The format, and the runs of it."""
    for reader in FORMATS.values() if format is None else [FORMATS[format]]:
        runs = reader.runs(path)
        if runs:
            return reader, runs
    known = listed((reader.title for reader in FORMATS.values()), 20)
    if not path.exists():
        raise UnreadableFile(path=path, reason="there is no run log")
    if path.is_file() and not path.stat().st_size:
        raise WrongContent(path=path, reason="is empty: no run log yet")
    if format is not None:
        raise WrongContent(path=path, reason=f"holds no {FORMATS[format].title}")
    inside = listed(sorted(item.name for item in path.iterdir())) if path.is_dir() else ""
    what = (
        f"begins with {head_of(path)[:40]!r}" if path.is_file() else f"holds {inside or 'nothing'}"
    )
    raise WrongContent(
        path=path, reason=f"is no run log that is known, it {what}; known are {known}"
    )


def _expected(path: Path, format: str | None) -> type[LogReader] | None:  # noqa: A002
    """The format of a file that is still to be written, by its name; None where there is something else, or where no name tells."""
    if path.is_dir() or (path.exists() and path.stat().st_size):
        return None
    if format is not None:
        return FORMATS[format]
    fits = [
        (len(pattern), reader)
        for reader in FORMATS.values()
        for pattern in reader.files
        if reader not in (Trackio, MLflow, TensorBoard, WandbOffline)
        and fnmatchcase(path.name, pattern)
    ]
    return max(fits, key=lambda fit: fit[0])[1] if fits else None
