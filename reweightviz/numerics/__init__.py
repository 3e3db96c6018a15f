"""Pure functions on arrays. Layer 1: no nouns of the house, no input or output."""
