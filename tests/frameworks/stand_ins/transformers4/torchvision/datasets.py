"""Stands where MosaicML Streaming imports torchvision, whose published builds do not match a CPU torch; only pictures would call it."""


class VisionDataset:
    """A base class in name only."""
