"""One file a training framework: how its config differs from every other."""
