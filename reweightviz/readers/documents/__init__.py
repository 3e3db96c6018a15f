"""Documents: files and tables -> Corpus."""
