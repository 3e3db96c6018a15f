"""The export bar: choose a framework, see what would be written, write it."""
