"""Proxy runs: tables and folders -> Swarm."""
