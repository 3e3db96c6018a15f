"""Explorer: map, mixture editor and curves around one state."""
