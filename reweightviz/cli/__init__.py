"""The command line: ``reweightviz export | check | convert | methods``."""
