"""Torch, once: the device that a model runs on, and the small models of our own."""
