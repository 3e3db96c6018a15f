"""Empty. Stands where LLaMA-Factory imports torchaudio, whose published builds do not match a CPU torch; only audio would call it."""
