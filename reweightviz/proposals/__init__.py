"""Proposals: the best mixture under a law, the front between targets, the next proxy runs."""
