"""The verbs, in the five steps of the journey: map, score, mix, watch, ship.

A verb's body lives in the room of its subject; the files here give the public names and hand over.
"""
