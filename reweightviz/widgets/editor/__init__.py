"""The mixture editor: one row a domain."""
