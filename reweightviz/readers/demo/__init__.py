"""The demo's own data: real text of installed packages, and runs trained on it."""
