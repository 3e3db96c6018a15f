"""Texts that configs are written in: YAML, Python, shell. Nothing in them is executed."""
