"""The command line: ``reweightviz export | check | convert | methods``."""

from reweightviz.cli.commands import main

__all__ = ["main"]
