"""The X-ray is a house of its own, `days.xray`; this is its old address, for whoever still calls it here."""

from days.xray import xray
from days.xray.__main__ import main

__all__ = ["main", "xray"]

if __name__ == "__main__":
    raise SystemExit(main())
