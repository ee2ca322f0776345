"""DeepDream in Keras: the functions of `deepdream`, which take a network of either framework."""

from __future__ import annotations

from days.day21.code.deepdream import dream, slope

__all__ = ["dream", "slope"]
