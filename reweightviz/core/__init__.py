"""The nouns. Layer 0: imports numpy, pandas and pyarrow only."""
