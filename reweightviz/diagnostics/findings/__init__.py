"""One file for each thing that may be wrong with domain weights."""
