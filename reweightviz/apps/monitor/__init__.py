"""Monitor: a training run as it goes on."""
