"""The embedding map, drawn as the mixture would see it."""
