"""Run ``python -m reweightviz.cli``."""

from reweightviz.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
