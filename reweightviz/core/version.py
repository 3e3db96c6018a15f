"""The version of this reweightviz: a part of every cache key and every exported file."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("reweightviz")
except PackageNotFoundError:  # a source tree that was never installed
    VERSION = "0+unknown"
