"""Runs on trial: replay another mixer on a log, diagnose a run, try a mixer's numbers."""
