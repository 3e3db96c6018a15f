"""The decision record: which mixture was chosen, beside what, and why."""
