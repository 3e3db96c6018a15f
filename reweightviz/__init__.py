"""reweightviz."""
