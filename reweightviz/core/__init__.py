"""The nouns. Layer 0: imports numpy, pandas, pyarrow and tqdm only."""
