"""One commit to a Lance dataset: the columns that are new and the header, all of it or nothing.

A commit here overwrites the dataset by the very files that lie there and those of the new columns.
So columns are added, replaced and described at once, no file of another column is written again,
and Lance refuses it when another process committed since the version that it starts from.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from reweightviz.core.columns import combine_digests, digest
from reweightviz.core.errors import UnwritableFile
from reweightviz.core.files import sync_folder
from reweightviz.core.protocols import Columns

if TYPE_CHECKING:
    from lance import LanceDataset
    from lance.fragment import DataFile, FragmentMetadata

__all__ = ["Staged", "commit", "field_name"]


ROWS_PER_FILE = 1 << 20
LANCE_NAMES = (
    "_rowid",
    "_rowaddr",
    "_rowoffset",
    "_row_created_at_version",
    "_row_last_updated_at_version",
)
"""Lance's own columns: a dataset with another of such a name cannot be read any more."""


def field_name(name: str) -> str:
    """Return the name of a column inside Lance, to which dots, backticks and ``_rowid`` mean much.

    >>> field_name("loss:v1.5"), field_name("_rowid")
    ('loss:v1%2E5', '%5Frowid')
    """
    if name in LANCE_NAMES:
        return name.replace("_", "%5F", 1)
    return "".join(f"%{ord(letter):X}" if letter in ".`%" else letter for letter in name) or "%"


class Staged:
    """Columns in files beside a dataset; no version of it names them until they are committed.

    Args:
        target: the folder of the dataset.
        corpus: whose columns these are.
    """

    def __init__(self, target: Path, corpus: Columns) -> None:
        self.target = target
        self.corpus = corpus
        self._files: dict[tuple[str, int, tuple[int, ...]], list[DataFile]] = {}
        self._types: dict[str, pa.DataType] = {}
        self._first: dict[int, dict[str, str]] = {}

    def first_digests(self, rows: int) -> dict[str, str]:
        """Return the digests of the first rows of every column."""
        if rows not in self._first:
            # The texts of before were hashed when documents were appended to them.
            told = {one.rows: one.digests for one in self.corpus.earlier}.get(rows, {})
            self._first[rows] = dict(told) | {
                name: combine_digests([digest(self.corpus[name][:rows])])
                for name in self.corpus.columns
                if name not in told
            }
        return self._first[rows]

    def field(self, name: str) -> pa.Field:
        """Return the name inside Lance and the type of a column whose files were written."""
        return pa.field(field_name(name), self._types[name])

    def files(
        self,
        name: str,
        counts: Sequence[int],
        version: str | None,
        *,
        start: int = 0,
        kind: pa.DataType | None = None,
    ) -> list[DataFile]:
        """Return a column's file for each fragment, written once for all tries to commit.

        Args:
            name: of the column.
            counts: rows of each fragment.
            version: of the format of the files; the newest when None.
            start: first row of the first fragment.
            kind: type of the column in the dataset; its own when None.
        """
        key = (name, start, tuple(counts))
        if key not in self._files:
            table = self.corpus.to_arrow([name]).rename_columns([field_name(name)])
            if kind is not None:
                table = table.cast(pa.schema([(field_name(name), kind)]))
            self._types[name] = table.schema.field(0).type
            self._files[key] = []
            for count in counts:
                self._files[key].append(self._write(table.slice(start, count), version))
                start += count
        return self._files[key]

    def _write(self, table: pa.Table, version: str | None) -> DataFile:
        from lance.fragment import LanceFragment

        # The mode has its fields numbered from 0; what lies in the dataset is left alone.
        fragment = LanceFragment.create(
            str(self.target), table, mode="overwrite", data_storage_version=version
        )
        file: DataFile = fragment.files[0]
        place = self.target / "data" / file.path
        try:
            _check_size(place, file)
            _sync_file(place)
        except BaseException:
            place.unlink(missing_ok=True)
            raise
        return file

    def lies_in(self, dataset: LanceDataset) -> bool:
        """Return whether a version holds these files, whatever its commit raised afterwards."""
        ours = {file.path for files in self._files.values() for file in files}
        fragments = [fragment.metadata for fragment in dataset.get_fragments()]
        return any(file.path in ours for fragment in fragments for file in fragment.files)

    def discard(self) -> None:
        """Remove the files after a commit that failed: a disk that is full needs their room."""
        for files in self._files.values():
            for file in files:
                with suppress(OSError):  # what is told is why the commit failed
                    (self.target / "data" / file.path).unlink()


def commit(
    staged: Staged,
    names: Sequence[str],
    metadata: Mapping[str, str],
    *,
    base: LanceDataset | None,
    keep: bool,
    rows: int,
) -> int:
    """Commit the next version of a dataset and return its number.

    Args:
        staged: where the new columns lie, or will.
        names: the new columns, which replace those of their names.
        metadata: of the schema.
        base: the version that this one comes after; it is the first when None.
        keep: whether the other columns of ``base`` stay.
        rows: how many of the corpus lie in ``base``; the others are put behind them.

    Raises:
        OSError: another version came after ``base``, or this one cannot be written.
    """
    from lance import LanceDataset, LanceOperation
    from lance.schema import LanceSchema

    fields = [field_name(name) for name in names]
    kept: list[pa.Field] = []
    numbers: list[int] = []
    fragments = _new_fragments(len(staged.corpus))
    version = None
    behind = 0
    if base is not None and keep:
        behind = len(staged.corpus) - rows
        kept = [field for field in base.schema if field.name not in fields]
        stay = [field for field in base.lance_schema.fields() if field.name() not in fields]
        numbers = list(_numbers(stay))
        fragments = _old_fragments(base, staged.target)
        version = base.data_storage_version
    counts = [fragment.physical_rows for fragment in fragments]
    new = [staged.files(name, counts, version) for name in names]
    kept += [staged.field(name) for name in names]
    schema = LanceSchema.from_pyarrow(pa.schema(kept, metadata=dict(metadata)))
    # A schema numbers its fields in order: those that stay, then the new ones.
    renumbered = list(_numbers(schema.fields()))
    moves = dict(zip(numbers, renumbered, strict=False))
    # A column of lists has a field for the lists and one for what is in them.
    added = [list(_numbers([field])) for field in schema.fields()[len(kept) - len(names) :]]
    for place, fragment in enumerate(fragments):
        fragment.files = list(_move(fragment.files, moves))
        for own, files in zip(added, new, strict=True):
            fragment.files += _move([files[place]], dict(enumerate(own)))
    if behind:
        fragments += _append_rows(staged, schema, kept, rows, version)
    # Lance looks for the next number alone, which may have come and been removed meanwhile.
    if base is not None and base.latest_version != base.version:
        raise OSError("another version came after the one that this save starts from")
    committed = LanceDataset.commit(
        str(staged.target),
        LanceOperation.Overwrite(schema, fragments),
        read_version=0 if base is None else base.version,
        max_retries=0,  # what to commit is decided anew when another process was first
    )
    for folder in ("data", "_versions"):
        sync_folder(staged.target / folder)
    return int(committed.version)


def _append_rows(
    staged: Staged, schema: Any, fields: Sequence[pa.Field], start: int, version: str | None
) -> list[FragmentMetadata]:
    """Return new fragments of the rows from ``start`` on, with every column of the schema."""
    fragments = _new_fragments(len(staged.corpus) - start)
    counts = [fragment.physical_rows for fragment in fragments]
    names = {field_name(name): name for name in staged.corpus.columns}
    for field, numbered in zip(fields, schema.fields(), strict=True):
        own = dict(enumerate(_numbers([numbered])))
        files = staged.files(names[field.name], counts, version, start=start, kind=field.type)
        for fragment, file in zip(fragments, files, strict=True):
            fragment.files += _move([file], own)
    return fragments


def _numbers(fields: Iterable[Any]) -> Iterator[int]:
    for field in fields:
        yield field.id()
        yield from _numbers(field.children())


def _new_fragments(rows: int) -> list[FragmentMetadata]:
    from lance.fragment import FragmentMetadata

    starts = range(0, rows, ROWS_PER_FILE)
    return [FragmentMetadata(0, [], min(ROWS_PER_FILE, rows - start)) for start in starts]


def _old_fragments(base: LanceDataset, target: Path) -> list[FragmentMetadata]:
    fragments: list[FragmentMetadata] = [fragment.metadata for fragment in base.get_fragments()]
    if any(fragment.deletion_file for fragment in fragments):
        raise UnwritableFile(
            path=target,
            reason="rows of it were deleted with Lance itself; pass overwrite=True to replace it, "
            "or name another path",
        )
    return fragments


def _move(files: Iterable[DataFile], numbers: Mapping[int, int]) -> Iterator[DataFile]:
    """Return files with new numbers for their fields, without those of which no field stays."""
    for file in files:
        places = zip(file.fields, file.column_indices, strict=True)
        stay = {numbers[number]: place for number, place in places if number in numbers}
        if stay:
            moved = copy(file)
            moved.fields = list(stay)
            moved.column_indices = list(stay.values())
            yield moved


def _check_size(place: Path, file: DataFile) -> None:
    """Refuse a file cut short: of a last write that failed Lance says nothing."""
    if place.stat().st_size != file.file_size_bytes:
        raise OSError("the disk is full or fails; make room, then save again")


def _sync_file(place: Path) -> None:
    """Put a file on the disk itself; Windows does that for one that is open to be written."""
    with place.open("rb+") as file:
        os.fsync(file)
