"""What a store of ours is attacked with, and the rows that are attacked; see trust.py."""
