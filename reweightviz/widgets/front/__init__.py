"""The front between targets."""
