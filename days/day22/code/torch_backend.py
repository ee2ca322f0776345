"""Which pixels decided, in PyTorch: the functions of `methods`, which take a network of either framework."""

from days.day22.code.methods import *  # noqa: F403
