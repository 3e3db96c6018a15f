"""The arrays of an .npz file, none of which may run code or fill the memory."""

from __future__ import annotations

import os
import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.errors import WrongContent
from reweightviz.core.unfolding import Allowance

__all__ = ["read_arrays"]


def read_arrays(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    """Return name to array.

    Raises:
        WrongContent: they unfold to far more than the file has.
        OSError: it cannot be read.
        ValueError, EOFError, zipfile.BadZipFile: it is no such file, or half of one.
    """
    with open(path, "rb") as file:  # noqa: PTH123
        with zipfile.ZipFile(file) as archive:
            unfolded = sum(member.file_size for member in archive.infolist())
        Allowance(path).spend(unfolded, os.fstat(file.fileno()).st_size)
        file.seek(0)
        try:
            # A pickle in a file that others may write to could run their code.
            with np.load(file, allow_pickle=False) as stored:
                return dict(stored)
        except MemoryError as error:
            reason = "holds an array that says to be larger than the memory"
            raise WrongContent(path=path, reason=reason) from error
