"""Applications: what joins widgets, verbs and nouns into one instrument."""
